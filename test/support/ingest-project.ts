/** A project whose table `iot.uplinks` is written by an ingest, and real workers of it, each a process of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, onTestFinished } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { moraine, moraineOk } from './cli.js';
import { LOOK_CONFIG, lookAt } from './table-look.js';
import { temporaryFolder } from './temp-folder.js';
import { testSettings } from './temporal.js';
import { upTo } from './up-to.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

const COLUMNS = [
  { id: 1, name: 'id', required: true, type: 'long' },
  { id: 2, name: 'device', required: false, type: 'string' },
];

/**
 * Workers are killed when the test has finished.
 * @param id of the ingest
 * @param worker settings of `worker` in `moraine.yaml`, as lines
 */
export async function ingestProject(id: string, worker: string, environment: Readonly<Record<string, string>> = {}) {
  const folder = temporaryFolder();
  const { taskQueue } = testSettings();
  const address = inject('temporalAddress');
  const env = { ...environment, TEMPORAL_ADDRESS: address };
  const ok = (...args: string[]) => moraineOk(args, { cwd: folder, env });
  const run = (...args: string[]) => moraine(args, { cwd: folder, env });
  writeFileSync(
    join(folder, 'moraine.yaml'),
    `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
engine: { threads: 1 }
temporal: { taskQueue: ${taskQueue} }
worker:
  shutdownGraceSeconds: 30
${worker}`,
  );
  writeFileSync(join(folder, 'schema.json'), JSON.stringify({ type: 'struct', fields: COLUMNS }));
  await ok('table', 'create', 'iot.uplinks', '--schema', 'schema.json');
  const { ids, summaries } = await lookAt(folder);
  /** Snapshots without rows. */
  const claims = async () => (await summaries()).filter((summary) => !summary.has('added-records')).length;
  const untilRows = async (count: number) => {
    while ((await ids()).length < count) await sleep(200);
    expect(await ids()).toEqual(upTo(count));
  };
  /** What is missing makes no whole batch. */
  const untilBatches = async (count: number, batch: number) => {
    for (;;) {
      const found = await ids();
      expect(found).toEqual(upTo(found.length));
      if (found.length > count - batch) return;
      await sleep(200);
    }
  };
  const workers: WorkerProcess[] = [];
  onTestFinished(async () => {
    for (const started of workers) started.kill('SIGKILL');
    await Promise.all(workers.map(({ ended }) => ended));
  });
  const startWorker = async (more: Readonly<Record<string, string>> = {}) => {
    const started = await startWorkerProcess(folder, ['worker'], { ...env, ...more });
    workers.push(started);
    return started;
  };
  // In this process: a command for each look would take a core from what is looked at.
  const watching = await createMoraine({ cwd: folder, config: { ...LOOK_CONFIG, temporal: { address, taskQueue } } });
  onTestFinished(() => watching.close());
  const status = () => watching.ingestStatus(id);
  const untilStep = async (step: string) => {
    while ((await status()).step !== step) await sleep(200);
  };
  /** What a run says that fails. */
  const failureOf = async (...source: string[]): Promise<string> => {
    const started = JSON.parse(await ok('ingest', 'start', 'iot.uplinks', ...source, '--json')) as {
      readonly workflowId: string;
    };
    const shown = await run('run', 'show', started.workflowId, '--watch');
    return `${shown.stdout}${shown.stderr}`;
  };
  return { folder, ok, run, ids, claims, untilRows, untilBatches, startWorker, status, untilStep, failureOf };
}
