/** A run that several workers share, of which some are killed: others take their parts and shards, and the rows are those of a run of one. */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { REDUCTION_FAULT_POINTS } from '../../materialization/index.js';
import { connectClient } from '../../workers/index.js';
import { expectIntact } from '../support/intact-table.js';
import { killAtPoint } from '../support/kill-at-point.js';
import { SmallProject } from '../support/small-project.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const FILES = 9;
const ROWS_OF_FILE = 400;
const SHARDS = 6;

const SHARD_POINTS = ['before-data-file', 'after-data-files', 'before-manifest-staged', 'after-manifest-staged'];

function oneOf(points: readonly string[]): string {
  return points[Math.floor(Math.random() * points.length)] ?? '';
}

test('workers killed at random points of parts and shards leave one commit with the right rows', async () => {
  const small = await SmallProject.create({ buckets: 12 });
  appendFileSync(join(small.folder, 'moraine.yaml'), 'worker: { heavyActivities: 1 }\n');
  // Every file has newest rows of some sensors, and older rows of all.
  for (let file = 0; file < FILES; file++) await small.append(ROWS_OF_FILE, (file * 7) % FILES, 50 + file);
  const settings = testSettings();
  const { address, taskQueue } = settings;
  const start = async (fault: Readonly<Record<string, string>>): Promise<WorkerProcess> => {
    const environment = { ...fault, TEMPORAL_ADDRESS: address };
    const worker = await startWorkerProcess(small.folder, ['worker', '--task-queue', taskQueue], environment);
    onTestFinished(() => worker.kill('SIGKILL'));
    return worker;
  };
  const points = [oneOf(REDUCTION_FAULT_POINTS), oneOf(REDUCTION_FAULT_POINTS), oneOf(SHARD_POINTS)];
  const killed: string[] = [];
  const workers = await Promise.all(
    points.map((point, index) => start(killAtPoint(point, join(small.folder, `killed-${index}`)))),
  );
  for (const [index, worker] of workers.entries()) {
    void worker.ended.then(async ({ signal }) => {
      if (signal !== 'SIGKILL') return;
      killed.push(points[index] ?? '');
      await start({});
    });
  }
  const temporal = await connectClient(settings);
  onTestFinished(() => temporal.close());
  const result: unknown = await temporal.client.workflow.execute('materialize', {
    workflowId: `lost/${randomUUID()}`,
    taskQueue,
    args: [{ view: small.view, shards: SHARDS }],
  });
  expect(killed.length, points.join(', ')).toBeGreaterThanOrEqual(2);
  expect(result, points.join(', ')).toMatchObject({ kind: 'incremental', rows: String(50 + FILES - 1) });
  await expectIntact(await small.online());
  expect(await small.runKeys()).toHaveLength(1);
  expect(await small.onlineRows()).toEqual(await small.recomputed());
}, 240_000);
