/** Runs that several workers share, of which some are killed: others take their parts and shards, and the rows are those of a run of one. */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'vitest';
import type { TrainingSetResult } from '../../activities/contract.js';
import { REDUCTION_FAULT_POINTS } from '../../reduction/index.js';
import { connectClient } from '../../workers/index.js';
import { seed } from '../support/environment.js';
import { expectIntact } from '../support/intact-table.js';
import { killAtPoint } from '../support/kill-at-point.js';
import { SmallProject } from '../support/small-project.js';
import { lastingFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';
import { LABELS, TrainingProject } from '../support/training-project.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';
import { Random } from '../worlds/random.js';

const FILES = 9;
const ROWS_OF_FILE = 400;
const SHARDS = 6;

const SHARD_POINTS = ['before-data-file', 'after-data-files', 'before-manifest-staged', 'after-manifest-staged'];

type Context = Pick<TestContext, 'expect' | 'onTestFinished'>;

/** A folder of a test, which goes with it: the running test is not known where several run at once. */
function folderOf(onTestFinished: Context['onTestFinished']): string {
  const folder = lastingFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** `MORAINE_SEED` kills at the same points again; when a worker has a piece is up to the machine. */
const SEED = seed ?? Date.now();

/** Runs a workflow by three workers, each of which is killed at a point, and started again. @returns its result, and the points */
async function runOfLostWorkers(
  { expect, onTestFinished }: Context,
  folder: string,
  shardPoints: readonly string[],
  workflow: { readonly name: string; readonly input: unknown },
): Promise<{ readonly result: unknown; readonly points: string }> {
  appendFileSync(join(folder, 'moraine.yaml'), 'worker: { heavyActivities: 1 }\n');
  const { address, taskQueue, ...others } = testSettings();
  const start = async (fault: Readonly<Record<string, string>>): Promise<WorkerProcess> => {
    const environment = { ...fault, TEMPORAL_ADDRESS: address };
    const worker = await startWorkerProcess(folder, ['worker', '--task-queue', taskQueue], environment);
    onTestFinished(() => worker.kill('SIGKILL'));
    return worker;
  };
  const random = new Random(`${SEED} ${workflow.name}`);
  const points = [REDUCTION_FAULT_POINTS, REDUCTION_FAULT_POINTS, shardPoints].map((list) => random.pick<string>(list));
  const killed: string[] = [];
  const workers = await Promise.all(
    points.map((point, index) => start(killAtPoint(point, join(folder, `killed-${index}`)))),
  );
  for (const [index, worker] of workers.entries()) {
    void worker.ended.then(async ({ signal }) => {
      if (signal !== 'SIGKILL') return;
      killed.push(points[index] ?? '');
      await start({});
    });
  }
  const temporal = await connectClient({ ...others, address, taskQueue });
  onTestFinished(() => temporal.close());
  const result: unknown = await temporal.client.workflow.execute(workflow.name, {
    workflowId: `lost/${randomUUID()}`,
    taskQueue,
    args: [workflow.input],
  });
  const told = `MORAINE_SEED=${SEED}: ${points.join(', ')}`;
  expect(killed.length, told).toBeGreaterThanOrEqual(2);
  return { result, points: told };
}

test.concurrent('workers killed at random points of parts and shards leave one commit with the right rows', async ({
  expect,
  onTestFinished,
}) => {
  const small = await SmallProject.createIn(folderOf(onTestFinished), { buckets: 12 });
  onTestFinished(() => small.project.close());
  // Every file has newest rows of some sensors, and older rows of all.
  for (let file = 0; file < FILES; file++) await small.append(ROWS_OF_FILE, (file * 7) % FILES, 50 + file);
  const context = { expect, onTestFinished };
  const { result, points } = await runOfLostWorkers(context, small.folder, SHARD_POINTS, {
    name: 'materialize',
    input: { view: small.view, shards: SHARDS },
  });
  expect(result, points).toMatchObject({ kind: 'incremental', rows: String(50 + FILES - 1) });
  await expectIntact(await small.online());
  expect(await small.runKeys()).toHaveLength(1);
  expect(await small.onlineRows()).toEqual(await small.recomputed());
}, 240_000);

test.concurrent('workers killed at random points of a training set leave the rows and the digest of one that is saved at once', async ({
  expect,
  onTestFinished,
}) => {
  const made = await TrainingProject.createIn(folderOf(onTestFinished));
  onTestFinished(() => made.close());
  for (let file = 0; file < FILES; file++) await made.small.append(ROWS_OF_FILE, (file * 7) % FILES, 50 + file);
  const context = { expect, onTestFinished };
  const { result, points } = await runOfLostWorkers(context, made.small.folder, ['training-shard-staged'], {
    name: 'trainingSet',
    input: { ...made.input('lost'), shards: SHARDS },
  });
  const { digest, rows, table } = result as TrainingSetResult;
  const whole = await made.saveWhole('whole');
  expect([digest, rows], points).toEqual([whole.digest, String(LABELS)]);
  expect(await made.rowsOf(table)).toEqual(await made.rowsOf('demo.whole'));
  expect(await made.runKeys(table)).toHaveLength(1);
}, 240_000);
