/** The workflow `trainingSet`: started by hand and by the library; and what it does when steps fail. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TrainingSetInput, TrainingSetResult } from '../../activities/contract.js';
import { createMoraine } from '../../index.js';
import { createActivities, startTrainingSet, waitForTrainingSet } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import {
  COMMITTED_TRAINING_SET,
  failureOf,
  plannedTrainingSet,
  scriptedActivities,
  stagedShard,
} from '../support/scripted-activities.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { LABELS, TrainingProject } from '../support/training-project.js';

async function trainingProject(): Promise<TrainingProject> {
  const project = await TrainingProject.createIn(temporaryFolder());
  onTestFinished(() => project.close());
  return project;
}

describe('on a real project', { timeout: 120_000 }, () => {
  test('one JSON object makes the dataset that is saved at once otherwise, and replay finds it', async () => {
    const made = await trainingProject();
    const settings = testSettings(await made.moraine.project.identity());
    await testWorker(settings, createActivities(made.moraine.project));
    const { client } = await testClient(settings);
    // As the web UI starts it: any id, one JSON object.
    const start = async (input: unknown): Promise<TrainingSetResult> => {
      const options = { workflowId: `by-hand-${randomUUID()}`, taskQueue: settings.taskQueue, args: [input] };
      return (await client.workflow.start('trainingSet', options)).result() as Promise<TrainingSetResult>;
    };
    const whole = await made.saveWhole('whole');
    const result = await start(made.input('sharded'));
    expect(result).toMatchObject({ name: 'sharded', table: 'demo.sharded', shards: 3, rows: String(LABELS) });
    expect(result.digest).toBe(whole.digest);
    expect(await made.rowsOf('demo.sharded')).toEqual(await made.rowsOf('demo.whole'));
    expect(await made.moraine.replayDataset('sharded')).toMatchObject({ matches: true, recorded: whole.digest });

    const refused = start({ ...made.input('other'), shards: 'many', entities: { sql: 'SELECT 1' } });
    const reason = await refused.then(String, (error: unknown) => JSON.stringify(error, ['cause', 'message', 'type']));
    for (const part of ['INVALID_ARGUMENT', '\\"shards\\"', '\\"entities\\"']) expect(reason).toContain(part);
    expect(await rejectionCode(made.moraine.project.loadTable('demo.other'))).toBe('TABLE_NOT_FOUND');
  });

  test('the library runs it on the configured server, entity rows of its own too', async () => {
    const made = await trainingProject();
    const settings = testSettings(await made.moraine.project.identity());
    await testWorker(settings, createActivities(made.moraine.project));
    const { address, taskQueue } = settings;
    const { config } = made.moraine.project;
    const moraine = await createMoraine({
      config: { ...config, temporal: { ...config.temporal, address, taskQueue } },
    });
    onTestFinished(() => moraine.close());
    const request = { features: [made.small.view], entities: { sql: 'SELECT * FROM demo.labels WHERE sensor < 20' } };
    const saveAs = (name: string) => ({ ...request, saveAs: { name, to: { table: `demo.${name}` }, pin: true } });
    const whole = await moraine.saveDataset(saveAs('some'));
    const sharded = await moraine.saveTrainingSet({ ...saveAs('some_sharded'), shards: 2 });
    expect(sharded.digest).toBe(whole.digest);
    expect([...sharded.entitySources.keys()]).toEqual(['demo.labels']);
    expect(sharded).toEqual({ ...whole, name: sharded.name, tag: sharded.tag, location: sharded.location });
    const { refs } = (await moraine.project.loadTable('demo.readings')).metadata;
    expect([...refs.keys()].sort()).toEqual(['main', 'moraine-dataset-some', 'moraine-dataset-some_sharded']);

    const again = { ...saveAs('some_sharded'), shards: 2 };
    expect(await rejectionCode(moraine.saveTrainingSet(again))).toBe('DATASET_ALREADY_EXISTS');
    const window = { ...saveAs('window'), entities: { window: { end: new Date(0) } } };
    expect(await rejectionCode(moraine.startTrainingSet(window))).toBe('INVALID_ARGUMENT');
  });
});

describe('the workflow alone', () => {
  let steps: string[] = [];
  const input = (): TrainingSetInput => ({
    name: `set_${randomUUID().slice(0, 8)}`,
    features: ['v'],
    entities: { table: 'demo.labels' },
    to: 'demo.set',
  });

  async function run(activities: Parameters<typeof scriptedActivities>[0]) {
    steps = [];
    const note =
      <Args extends unknown[], T>(name: string, step: (...args: Args) => Promise<T>) =>
      (...args: Args) => {
        steps.push(name);
        return step(...args);
      };
    const settings = testSettings();
    await testWorker(
      settings,
      scriptedActivities({
        planTraining: note('plan', activities.planTraining ?? (() => Promise.resolve(plannedTrainingSet(2)))),
        pinTraining: note('pin', () => Promise.resolve()),
        stageTraining: note('stage', activities.stageTraining ?? ((shard) => Promise.resolve(stagedShard(shard)))),
        commitTraining: note('commit', activities.commitTraining ?? (() => Promise.resolve(COMMITTED_TRAINING_SET))),
        discardTraining: note('discard', () => Promise.resolve()),
      }),
    );
    const temporal = await testClient(settings);
    return { temporal, run: await startTrainingSet(temporal, settings, input()) };
  }

  test('pins if asked to, commits every shard once, in order', async () => {
    const commits: (readonly string[])[] = [];
    const { temporal, run: started } = await run({
      planTraining: () => Promise.resolve(plannedTrainingSet(3, { pin: true })),
      commitTraining: (sums) => {
        commits.push(sums);
        return Promise.resolve(COMMITTED_TRAINING_SET);
      },
    });
    expect(await waitForTrainingSet(temporal.client, started)).toEqual({
      ...COMMITTED_TRAINING_SET,
      workflowId: started.workflowId,
      shards: 3,
    });
    expect(steps).toEqual(['plan', 'pin', 'stage', 'stage', 'stage', 'commit']);
    expect(commits).toEqual([['0', '1', '2'].map((digit) => digit.padStart(64, '0'))]);
  });

  test('a shard that fails for good: what was made is taken back, and its own code is told', async () => {
    const { temporal, run: started } = await run({
      stageTraining: () => Promise.reject(failureOf('DATA_FILE_CORRUPT', true)),
    });
    expect(await rejectionCode(waitForTrainingSet(temporal.client, started))).toBe('DATA_FILE_CORRUPT');
    expect(steps.at(-1)).toBe('discard');
    expect(steps).not.toContain('commit');
  });

  test('cancelled before the commit it takes back what it has made', async () => {
    let isCancelled = false;
    const { temporal, run: started } = await run({
      stageTraining: async (shard) => {
        while (!isCancelled) await sleep(20);
        return stagedShard(shard);
      },
    });
    await expect.poll(() => steps.filter((step) => step === 'stage').length, { timeout: 20_000 }).toBe(2);
    await temporal.client.workflow.getHandle(started.workflowId).cancel();
    isCancelled = true;
    expect(await rejectionCode(waitForTrainingSet(temporal.client, started))).toBe('CANCELLED');
    expect(steps).toEqual(['plan', 'stage', 'stage', 'discard']);
  });

  test('cancelled in the commit it is finished', async () => {
    const held: { handle?: WorkflowHandle } = {};
    const { temporal, run: started } = await run({
      commitTraining: async () => {
        while (held.handle === undefined) await sleep(20);
        await held.handle.cancel();
        return COMMITTED_TRAINING_SET;
      },
    });
    held.handle = temporal.client.workflow.getHandle(started.workflowId);
    expect(await waitForTrainingSet(temporal.client, started)).toMatchObject({ rows: '30' });
    expect(steps).toEqual(['plan', 'stage', 'stage', 'commit']);
  });

  test('an unknown outcome is asked for again until it is known', async () => {
    let commits = 0;
    const { temporal, run: started } = await run({
      commitTraining: () => {
        commits += 1;
        return commits < 3
          ? Promise.reject(failureOf('COMMIT_STATE_UNKNOWN'))
          : Promise.resolve(COMMITTED_TRAINING_SET);
      },
    });
    expect(await waitForTrainingSet(temporal.client, started)).toMatchObject({ rows: '30' });
    expect(steps).toEqual(['plan', 'stage', 'stage', 'commit', 'commit', 'commit']);
  });
});
