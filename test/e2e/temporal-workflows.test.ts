import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MaterializeResult, RunProgress } from '../../activities/contract.js';
import { startMaterialization, waitForRun } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { gate } from '../support/gate.js';
import {
  extractedShard,
  failureOf,
  plannedRun,
  reducedPart,
  scriptedActivities,
} from '../support/scripted-activities.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { cancelled } from '../support/way.js';

const newView = (): string => `view_${randomUUID().slice(0, 8)}`;

/** The failure that our code threw, below what Temporal wraps around it. */
function applicationFailure(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure || !(error instanceof Error)) return error as ApplicationFailure | undefined;
  return applicationFailure(error.cause);
}

describe('materializeRun', () => {
  test('extracts every shard, commits their manifests at once and sums up', async () => {
    const settings = testSettings();
    const commits: (readonly string[])[] = [];
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => plannedRun(3),
        commit: async (manifests) => {
          commits.push(manifests);
          return { snapshotId: '11', outcome: 'committed' };
        },
      }),
    );
    const temporal = await testClient(settings);
    const view = newView();
    const run = await startMaterialization(temporal, settings, { view });
    expect(run.workflowId).toBe(`materialize/${view}/incremental`);
    expect(await waitForRun(temporal.client, run)).toEqual({
      view,
      workflowId: run.workflowId,
      kind: 'incremental',
      reason: 'changes since snapshot 1',
      rows: '30',
      files: 6,
      bytes: '3000',
      sourceSnapshotId: '7',
      snapshotId: '11',
      passes: 1,
    } satisfies MaterializeResult);
    expect(commits).toEqual([['/manifests/0.avro', '/manifests/1.avro', '/manifests/2.avro']]);
    const description = await temporal.client.workflow.getHandle(run.workflowId).describe();
    expect(description.searchAttributes).toMatchObject({ MoraineView: [view], MoraineTable: ['moraine_online.view'] });
    expect(description.memo).toMatchObject({ view, progress: { step: 'done', rowsWritten: '30' } });
  });

  test('shows its progress in a query', async () => {
    const settings = testSettings();
    const second = gate();
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => plannedRun(2),
        extract: async (shard) => {
          if (shard === 1) await second.opened;
          return extractedShard(shard);
        },
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    const handle = temporal.client.workflow.getHandle(run.workflowId);
    await expect
      .poll(() => handle.query<RunProgress>('progress'), { timeout: 10_000 })
      .toEqual({
        step: 'extracting',
        kind: 'incremental',
        reason: 'changes since snapshot 1',
        sourceTable: 'demo.source',
        sourceFiles: 3,
        sourceRows: '100',
        shardsTotal: 2,
        shardsDone: 1,
        rowsWritten: '10',
        passes: 1,
      } satisfies RunProgress);
    second.open();
    await waitForRun(temporal.client, run);
  });

  test('hundreds of shards, each of which is told the lists of as many parts, are more than one message to the server takes', async () => {
    const settings = testSettings();
    const folder = `s3://lake/warehouse/moraine_online/view-${randomUUID()}/metadata`;
    const scripted = scriptedActivities({
      plan: async () => plannedRun(300, { parts: 128 }),
      reduce: async (part) => ({
        ...reducedPart(part),
        reducedLocation: `${folder}/moraine-plan-${randomUUID()}-reduced-${part}-${randomUUID()}.json`,
      }),
    });
    const told = new Set<number>();
    await testWorker(settings, {
      ...scripted,
      extractShard: async (input) => {
        told.add(new Set(input.reduced).size);
        return scripted.extractShard(input);
      },
    });
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '3000', files: 600, snapshotId: '11' });
    expect([...told]).toEqual([128]);
  }, 180_000);

  test('reads all parts before the shards, which get the lists of every part, and takes the lists away', async () => {
    const settings = testSettings();
    const calls: (string | readonly string[])[] = [];
    const second = gate();
    const scripted = scriptedActivities({
      plan: async () => plannedRun(2, { parts: 2 }),
      reduce: async (part) => {
        if (part === 1) await second.opened;
        calls.push('part');
        return part === 1 ? reducedPart(1) : { ...reducedPart(0), reducedLocation: null };
      },
      commit: async () => {
        calls.push('commit');
        return { snapshotId: '11', outcome: 'committed' };
      },
      discardReduced: async (reduced) => void calls.push(reduced),
    });
    await testWorker(settings, {
      ...scripted,
      extractShard: async (input) => {
        calls.push(input.reduced ?? 'source');
        return scripted.extractShard(input);
      },
    });
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    const handle = temporal.client.workflow.getHandle(run.workflowId);
    await expect
      .poll(() => handle.query<RunProgress>('progress'), { timeout: 10_000 })
      .toMatchObject({ step: 'extracting', partsTotal: 2, partsDone: 1, shardsTotal: 2, shardsDone: 0 });
    second.open();
    expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '20', snapshotId: '11' });
    const list = ['/plans/1-reduced-1.json'];
    expect(calls).toEqual(['part', 'part', list, list, 'commit', list]);
  });

  test('takes away what the parts have left if a shard fails for good', async () => {
    const settings = testSettings();
    const discarded: (readonly string[])[] = [];
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => plannedRun(2, { parts: 2 }),
        extract: async () => {
          throw failureOf('DATA_FILE_CORRUPT', true);
        },
        discardReduced: async (reduced) => void discarded.push(reduced),
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    expect(await rejectionCode(waitForRun(temporal.client, run))).toBe('DATA_FILE_CORRUPT');
    expect(discarded.map((lists) => lists.toSorted())).toEqual([
      ['/plans/1-reduced-0.json', '/plans/1-reduced-1.json'],
    ]);
  });

  test('a conflict plans again; only what was committed is counted', async () => {
    const settings = testSettings();
    let attempts = 0;
    await testWorker(
      settings,
      scriptedActivities({
        commit: async () => {
          attempts += 1;
          if (attempts < 3) throw failureOf('COMMIT_CONFLICT');
          return { snapshotId: '13', outcome: 'committed' };
        },
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '10', passes: 3, snapshotId: '13' });
    expect(attempts).toBe(3);
  });

  test('an unknown outcome is asked again, not planned again', async () => {
    const settings = testSettings();
    const counts = { plans: 0, commits: 0 };
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => {
          counts.plans += 1;
          return plannedRun(1);
        },
        commit: async () => {
          counts.commits += 1;
          if (counts.commits === 1) throw failureOf('COMMIT_STATE_UNKNOWN');
          return { snapshotId: '11', outcome: 'already-committed' };
        },
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    expect(await waitForRun(temporal.client, run)).toMatchObject({ snapshotId: '11', passes: 1 });
    expect(counts).toEqual({ plans: 1, commits: 2 });
  });

  test('an error that the table calls final fails the run with its code, at once', async () => {
    const settings = testSettings();
    let plans = 0;
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => {
          plans += 1;
          throw failureOf('FEATURE_VIEW_NOT_FOUND');
        },
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    expect(await rejectionCode(waitForRun(temporal.client, run))).toBe('FEATURE_VIEW_NOT_FOUND');
    expect(plans).toBe(1);
  });

  test('two that ask for the same interval share one run, and the later one is served by a pass after its request', async () => {
    const settings = testSettings();
    const first = gate();
    let plans = 0;
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => {
          plans += 1;
          return plans === 1 ? plannedRun(1) : plannedRun(0, { kind: 'nothing', reason: 'nothing new', shards: 0 });
        },
        extract: async (shard) => {
          await first.opened;
          return extractedShard(shard);
        },
      }),
    );
    const temporal = await testClient(settings);
    const view = newView();
    const one = await startMaterialization(temporal, settings, { view });
    const handle = temporal.client.workflow.getHandle(one.workflowId);
    const stepOf = async (): Promise<string> => (await handle.query<RunProgress>('progress')).step;
    await expect.poll(stepOf, { timeout: 10_000 }).toBe('extracting');
    const two = await startMaterialization(temporal, settings, { view });
    expect(two).toEqual(one);
    first.open();
    const results = await Promise.all([waitForRun(temporal.client, one), waitForRun(temporal.client, two)]);
    expect(results[0]).toMatchObject({ rows: '10', passes: 2, kind: 'incremental' });
    expect(results[1]).toEqual(results[0]);
    expect(plans).toBe(2);
  });

  test('different intervals are different runs', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const temporal = await testClient(settings);
    const view = newView();
    const ids = await Promise.all(
      [{}, { endUs: 0n }, { startUs: 0n, endUs: 3_600_000_000n }].map(async (interval) => {
        const run = await startMaterialization(temporal, settings, { view, ...interval });
        await waitForRun(temporal.client, run);
        return run.workflowId;
      }),
    );
    expect(ids).toEqual([
      `materialize/${view}/incremental`,
      `materialize/${view}/incremental..1970-01-01T00:00:00.000Z`,
      `materialize/${view}/1970-01-01T00:00:00.000Z..1970-01-01T01:00:00.000Z`,
    ]);
  });
});

describe('materialize, the entry for people and schedules', () => {
  test('under any workflow id it starts the run of its interval and returns the result', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const view = newView();
    const result = (await client.workflow.execute('materialize', {
      workflowId: `typed by a person ${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [{ view, start: '2001-01-01', end: '2001-02-01T00:00:00+01:00' }],
    })) as MaterializeResult;
    expect(result).toMatchObject({
      view,
      rows: '10',
      workflowId: `materialize/${view}/2001-01-01T00:00:00.000Z..2001-01-31T23:00:00.000Z`,
    });
  });

  test('two entries under different ids join one run', async () => {
    const settings = testSettings();
    const first = gate();
    let commits = 0;
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => (commits === 0 ? plannedRun(1) : plannedRun(0, { kind: 'nothing', reason: 'nothing new' })),
        extract: async (shard) => {
          await first.opened;
          return extractedShard(shard);
        },
        commit: async () => {
          commits += 1;
          return { snapshotId: '11', outcome: 'committed' };
        },
      }),
    );
    const { client } = await testClient(settings);
    const view = newView();
    const entry = () =>
      client.workflow.start('materialize', {
        workflowId: `entry-${randomUUID()}`,
        taskQueue: settings.taskQueue,
        args: [{ view }],
      });
    const entries = [await entry(), await entry()];
    const run = client.workflow.getHandle(`materialize/${view}/incremental`);
    const requestsSeen = async (): Promise<number> => {
      const { events } = await run.fetchHistory();
      return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes != null).length;
    };
    await expect.poll(() => requestsSeen().catch(() => 0), { timeout: 10_000 }).toBe(2);
    first.open();
    const results = (await Promise.all(entries.map((handle) => handle.result()))) as MaterializeResult[];
    expect(results.map(({ rows, workflowId }) => [rows, workflowId])).toEqual([
      ['10', `materialize/${view}/incremental`],
      ['10', `materialize/${view}/incremental`],
    ]);
    expect(commits).toBe(1);
  });

  test('an input that is not right is refused with the reason, at once', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const attempt = client.workflow.execute('materialize', {
      workflowId: `entry-${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [{ veiw: 'airport_delay' }],
    });
    const error = await attempt.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const reason = applicationFailure(error);
    expect(reason).toMatchObject({ type: 'INVALID_ARGUMENT' });
    expect(reason?.message).toContain('"veiw"');
  });

  test('a failed run fails those who wait, with its code', async () => {
    const settings = testSettings();
    await testWorker(
      settings,
      scriptedActivities({
        commit: async () => {
          throw failureOf('TABLE_REPLACED', true);
        },
      }),
    );
    const { client } = await testClient(settings);
    const attempt = client.workflow.execute('materialize', {
      workflowId: `entry-${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [{ view: newView() }],
    });
    await expect(attempt).rejects.toMatchObject({ cause: { type: 'TABLE_REPLACED' } });
  });

  test('a schedule runs the window that ends at its nominal time', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const view = newView();
    const schedule = await client.schedule.create({
      scheduleId: `schedule-${view}`,
      spec: { intervals: [{ every: '1h' }] },
      state: { paused: true },
      policies: { overlap: 'ALLOW_ALL' },
      action: {
        type: 'startWorkflow',
        workflowType: 'materialize',
        workflowId: `scheduled-${view}`,
        taskQueue: settings.taskQueue,
        args: [{ view, every: '1h' }],
      },
    });
    onTestFinished(() => schedule.delete());
    const start = new Date('2026-01-01T01:30:00Z');
    await schedule.backfill({ start, end: new Date('2026-01-01T03:30:00Z'), overlap: 'ALLOW_ALL' });
    for (const window of [
      '2026-01-01T01:00:00.000Z..2026-01-01T02:00:00.000Z',
      '2026-01-01T02:00:00.000Z..2026-01-01T03:00:00.000Z',
    ]) {
      const handle = client.workflow.getHandle(`materialize/${view}/${window}`);
      await expect
        .poll(
          () =>
            handle.describe().then(
              ({ status }) => status.name,
              () => 'none',
            ),
          { timeout: 20_000 },
        )
        .toBe('COMPLETED');
    }
  });
});

describe('workers and cancellation', () => {
  test('a task queue that nobody polls is reported, and nothing is started', async () => {
    const settings = testSettings();
    const temporal = await testClient(settings);
    const view = newView();
    expect(await rejectionCode(startMaterialization(temporal, settings, { view }))).toBe('TASK_QUEUE_UNPOLLED');
    const described = temporal.client.workflow.getHandle(`materialize/${view}/incremental`).describe();
    await expect(described).rejects.toMatchObject({ name: 'WorkflowNotFoundError' });
  });

  test('a cancelled run ends as cancelled; the same interval can be run again', async () => {
    const settings = testSettings();
    const held = gate();
    let hold = true;
    await testWorker(
      settings,
      scriptedActivities({
        extract: async (shard) => {
          if (hold) await held.opened;
          return extractedShard(shard);
        },
      }),
    );
    const temporal = await testClient(settings);
    const view = newView();
    const run = await startMaterialization(temporal, settings, { view });
    const ended = rejectionCode(waitForRun(temporal.client, run));
    await temporal.client.workflow.getHandle(run.workflowId).cancel();
    hold = false;
    held.open();
    expect(await ended).toBe('CANCELLED');
    const again = await startMaterialization(temporal, settings, { view });
    expect(await waitForRun(temporal.client, again)).toMatchObject({ rows: '10', passes: 1 });
  });

  test('cancelled while its last shard ends, it commits nothing, and ends as cancelled', async () => {
    const settings = testSettings();
    let commits = 0;
    await testWorker(
      settings,
      scriptedActivities({
        extract: (shard) => cancelled(extractedShard(shard)),
        commit: async () => {
          commits += 1;
          return { snapshotId: '11', outcome: 'committed' };
        },
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    expect(await rejectionCode(waitForRun(temporal.client, run))).toBe('CANCELLED');
    expect(commits).toBe(0);
  });

  test('cancelled in its commit, it is finished, and tells who waits', async () => {
    const settings = testSettings();
    const commit = () => cancelled({ snapshotId: '11', outcome: 'committed' as const });
    await testWorker(settings, scriptedActivities({ commit }));
    const { client } = await testClient(settings);
    const view = newView();
    const asked = await client.workflow.start('materialize', {
      workflowId: `ask-${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [{ view }],
    });
    expect(await asked.result()).toMatchObject({ rows: '10', snapshotId: '11' });
    const { events } = await client.workflow.getHandle(`materialize/${view}/incremental`).fetchHistory();
    const told = (events ?? []).filter((event) => event.signalExternalWorkflowExecutionInitiatedEventAttributes);
    expect(told).toHaveLength(1);
  });

  test('waiting can be stopped; the run goes on', async () => {
    const settings = testSettings();
    const held = gate();
    await testWorker(
      settings,
      scriptedActivities({
        extract: async (shard) => {
          await held.opened;
          return extractedShard(shard);
        },
      }),
    );
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: newView() });
    const stop = new AbortController();
    const { workflowId } = run;
    const stopped = expect(waitForRun(temporal.client, run, { signal: stop.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
      message: `stopped waiting for ${workflowId}: the run goes on`,
      remedy: `\`moraine run show ${workflowId} --watch\` follows it; \`temporal workflow cancel --workflow-id ${workflowId}\` stops it.`,
    });
    stop.abort();
    await stopped;
    held.open();
    expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '10' });
  });
});
