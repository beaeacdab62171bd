/** More buckets than the process may open files. */
import { readdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { startMaterialization, waitForRun } from '../../workers/index.js';
import { materializeLimited } from '../support/limited-process.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings } from '../support/temporal.js';
import { startWorkerProcess } from '../support/worker-process.js';

const ENTITIES = 20_000;

async function projectOf300Buckets(folder: string): Promise<SmallProject> {
  const small = await SmallProject.createIn(folder, { buckets: 300 });
  await small.append(ENTITIES, 0, ENTITIES);
  return small;
}

test('a worker that may open 256 files writes 300 buckets', async () => {
  const folder = temporaryFolder();
  const small = await projectOf300Buckets(folder);
  const settings = testSettings();
  const { address, taskQueue } = settings;
  const limits = ['--nofile=256:256'];
  const environment = { TEMPORAL_ADDRESS: address };
  const worker = await startWorkerProcess(folder, ['worker', '--task-queue', taskQueue], environment, { limits });
  onTestFinished(() => worker.kill('SIGKILL'));
  const temporal = await testClient(settings);
  const run = await startMaterialization(temporal, settings, { view: small.view });
  const result = await waitForRun(temporal.client, run);
  expect(result).toMatchObject({ kind: 'incremental', rows: String(ENTITIES), files: 300 });
  expect(await small.onlineRows()).toEqual(await small.recomputed());
  await small.project.close();
}, 180_000);

test('a process that may open too few says so, leaves nothing, and succeeds under a higher limit', async () => {
  const folder = temporaryFolder();
  const small = await projectOf300Buckets(folder);
  // DuckDB holds about a hundred of the 300 files open at a time, beside some 40 of the process: 140 is just enough.
  expect(await materializeLimited(folder, small.view, ['--nofile=96:96'])).toEqual({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringMatching(/too many open files.*ulimit -n/) as unknown,
  });
  const { metadata } = await small.online();
  expect(metadata.snapshots).toEqual([]);
  expect(readdirSync(`${metadata.location}/data`)).toEqual([]);
  const done = { kind: 'incremental', rows: String(ENTITIES), files: 300 };
  expect(await materializeLimited(folder, small.view, ['--nofile=256:256'])).toEqual(done);
  expect(await small.onlineRows()).toEqual(await small.recomputed());
  await small.project.close();
}, 180_000);
