/**
 * Records the histories that `replay.test.ts` replays, by running the workflows through each of their ways on a real
 * server. Once per release, `RECORD_HISTORIES=0.1.0 npx vitest run test/replay/record-histories.test.ts` keeps them
 * under `histories/0.1.0`, where they stay for good. In every other run they go to a temporary folder and are replayed,
 * so that this program itself is tested.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { Activities, MaterializeInput, TrainingSetInput } from '../../activities/contract.js';
import { exportHistory, replayHistories } from '../../testing/index.js';
import { failureOf as errorOf } from '../support/error-code.js';
import { projectRoot } from '../support/paths.js';
import { failureOf, plannedRun, plannedTrainingSet, scriptedActivities } from '../support/scripted-activities.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker, WORKFLOWS } from '../support/temporal.js';

/** The ways that a run can take, each with the number of workflow ids that it leaves behind: the entry's and the run's. */
function ways(): ReadonlyMap<string, Activities> {
  let commits = 0;
  return new Map([
    ['three-shards', scriptedActivities({ plan: async () => plannedRun(3) })],
    [
      'nothing-new',
      scriptedActivities({ plan: async () => plannedRun(0, { kind: 'nothing', reason: 'nothing new' }) }),
    ],
    [
      'conflict',
      scriptedActivities({
        commit: async () => {
          commits += 1;
          if (commits === 1) throw failureOf('COMMIT_CONFLICT');
          return { snapshotId: '12', outcome: 'committed' };
        },
      }),
    ],
    [
      'failed',
      scriptedActivities({
        extract: async () => {
          throw failureOf('DATA_FILE_CORRUPT', true);
        },
      }),
    ],
  ]);
}

/** The ways that a training set can take, each with one workflow id. */
const TRAINING_WAYS: ReadonlyMap<string, Activities> = new Map([
  ['two-shards-pinned', scriptedActivities({ planTraining: async () => plannedTrainingSet(2, true) })],
  ['recorded-only', scriptedActivities({ planTraining: async () => plannedTrainingSet(0) })],
  [
    'failed',
    scriptedActivities({
      stageTraining: async () => {
        throw failureOf('DATA_FILE_CORRUPT', true);
      },
    }),
  ],
]);

async function recordTrainingSet(name: string, activities: Activities, folder: string): Promise<void> {
  const settings = testSettings();
  await testWorker(settings, activities);
  const { client } = await testClient(settings);
  const input: TrainingSetInput = { name, features: ['v'], entities: { table: 'demo.labels' }, to: 'demo.set' };
  const workflowId = `recording-${name}-${randomUUID()}`;
  const run = await client.workflow.start('trainingSet', { workflowId, taskQueue: settings.taskQueue, args: [input] });
  await run.result().catch(() => undefined);
  writeFileSync(join(folder, `training-set-${name}.json`), await portableHistory(client, workflowId));
}

/** A history without what only says on which machine it was recorded: process identities and stack traces. */
async function portableHistory(client: Client, workflowId: string): Promise<string> {
  const history: unknown = JSON.parse(await exportHistory(client, workflowId));
  const drop = (key: string, value: unknown): unknown => (['identity', 'stackTrace'].includes(key) ? undefined : value);
  return `${JSON.stringify(history, drop, 2)}\n`;
}

test('recorded histories replay on the code that made them', async () => {
  const release = process.env['RECORD_HISTORIES'];
  const folder = release === undefined ? temporaryFolder() : join(projectRoot, 'test/replay/histories', release);
  mkdirSync(folder, { recursive: true });
  for (const [name, activities] of ways()) {
    const settings = testSettings();
    await testWorker(settings, activities);
    const { client } = await testClient(settings);
    const input: MaterializeInput = { view: `view_${randomUUID().slice(0, 8)}` };
    const entry = await client.workflow.start('materialize', {
      workflowId: `recording-${name}-${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [input],
    });
    await entry.result().catch(() => undefined);
    const run = `materialize/${input.view}/incremental`;
    await client.workflow
      .getHandle(run)
      .result()
      .catch(() => undefined);
    writeFileSync(join(folder, `materialize-${name}.json`), await portableHistory(client, entry.workflowId));
    writeFileSync(join(folder, `materialize-run-${name}.json`), await portableHistory(client, run));
  }
  for (const [name, activities] of TRAINING_WAYS) await recordTrainingSet(name, activities, folder);
  const replayed = await replayHistories(folder, { workflows: WORKFLOWS });
  expect(replayed.map(({ file }) => file).length).toBe(2 * ways().size + TRAINING_WAYS.size);
});

test('a workflow that is not on the server is named', async () => {
  const { client } = await testClient(testSettings());
  const error = await errorOf(exportHistory(client, 'no-such-workflow'));
  expect(error.code).toBe('WORKFLOW_NOT_FOUND');
  expect(error.message).toContain('no-such-workflow');
});
