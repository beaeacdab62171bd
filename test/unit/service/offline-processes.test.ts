/** Processes of the service that cannot be started. */
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { MoraineConfig } from '../../../config/index.js';
import { OfflineProcesses } from '../../../service/offline-processes.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** As `fork` leaves a process that the system has no files left for. */
function notStarted(): ChildProcess {
  const child = new EventEmitter();
  process.nextTick(() => child.emit('error', new Error('spawn node EMFILE')));
  return child as ChildProcess;
}

it('take no place, and the request is told that there is no room', async () => {
  const tempDirectory = temporaryFolder();
  const config = { engine: { tempDirectory } } as MoraineConfig;
  const processes = new OfflineProcesses(config, { processes: { value: 1, name: 'server.maxBatches' } }, notStarted);
  for (let request = 0; request < 2; request += 1) {
    const turn = await processes.begin();
    await expect(turn.run({ kind: 'health', request: { table: 'demo.t' } })).rejects.toMatchObject({
      code: 'OVERLOADED',
      message: 'A process for the request could not be started: spawn node EMFILE.',
    });
    await turn.end();
    expect(processes.running).toBe(0);
  }
  expect(readdirSync(tempDirectory)).toEqual([]);
});
