/** A warehouse on a file system that is really mounted read-only: it is read as before, a write says so by name, and nothing is half made. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEngine } from '../../engine/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { failureOf } from '../support/error-code.js';
import { materializeLimited } from '../support/limited-process.js';
import { readOnlyDisk } from '../support/small-disk.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a read-only warehouse is read, and written again once it is writable', { timeout: 180_000 }, async (context) => {
  const folder = temporaryFolder();
  const disk = readOnlyDisk(join(folder, 'warehouse'));
  if (disk === undefined) return context.skip('this user may not mount a file system');
  const small = await SmallProject.createIn(folder);
  await small.append(300);
  disk.seal();
  // The first run makes the folder of the online table.
  expect(await materializeLimited(folder, small.view)).toEqual({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringMatching(/read-only/) as unknown,
  });
  disk.unseal();
  await materializeDirect(await materializationDeps(small.project), { view: small.view });
  await small.append(100, 300);
  const source = await small.recomputed();
  writeFileSync(join(folder, 'more.csv'), 'sensor,event_ts,reading\n1,2026-01-01T00:00:00Z,5\n');
  const append = () => moraine(['table', 'append', 'demo.readings', 'more.csv'], { cwd: folder });

  disk.seal();
  const scan = await moraineOk(['table', 'scan', 'demo.readings'], { cwd: folder });
  expect(jsonLines(scan)).toHaveLength(400);
  expect(await materializeLimited(folder, small.view)).toEqual({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringMatching(/read-only.*\/warehouse\/|\/warehouse\/.*read-only/) as unknown,
  });
  const failed = await append();
  expect(failed).toMatchObject({ code: 8, stdout: '' });
  expect(failed.stderr).toMatch(/read-only: \/.*\/warehouse\/demo\/readings\/data\/.*\[STORAGE_UNAVAILABLE\]/);
  expect(await small.recomputed()).toEqual(source);
  expect(await small.runKeys()).toHaveLength(1);

  disk.unseal();
  expect(await append()).toMatchObject({ code: 0 });
  expect(await materializeLimited(folder, small.view)).toMatchObject({ kind: 'incremental', rows: '100' });
  expect(await small.runKeys()).toHaveLength(2);
  await small.project.close();
});

test('a read-only folder for temporary files is named', async (context) => {
  const folder = temporaryFolder();
  const disk = readOnlyDisk(join(folder, 'tmp'));
  if (disk === undefined) return context.skip('this user may not mount a file system');
  disk.seal();
  const options = { memoryLimitBytes: 2 ** 28, threads: 1, allowedDirectories: [folder] };
  expect(await failureOf(openEngine({ ...options, tempDirectory: join(folder, 'tmp') }))).toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringContaining(`The file system is read-only: ${folder}/tmp/engine-`) as unknown,
  });
});
