import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import type {
  BackfillProgress,
  BackfillResult,
  BackfillRunInput,
  CommitWindowsInput,
  PlanBackfillInput,
  StageWindowInput,
} from '../../activities/backfill-contract.js';
import { startBackfillRun } from '../../activities/start-backfill.js';
import { listRuns } from '../../runs/index.js';
import { failedSegments } from '../../workers/clients/backfill-client.js';
import type { TemporalClient } from '../../workers/clients/connection.js';
import { gate } from '../support/gate.js';
import { failureOf, scriptedActivities } from '../support/scripted-activities.js';
import {
  type BackfillSteps,
  committedWindows,
  plannedBackfill,
  singleWindows,
  stagedWindow,
} from '../support/scripted-backfill.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { cancelled } from '../support/way.js';

/** A backfill of windows of one second, under a worker whose activities the test scripts. */
class Backfill {
  readonly view = `view_${randomUUID().slice(0, 8)}`;
  readonly settings = testSettings();
  readonly temporal: TemporalClient;
  readonly workflowId: string;

  private constructor(temporal: TemporalClient, settings: ReturnType<typeof testSettings>, windows: number) {
    this.temporal = temporal;
    this.settings = settings;
    const end = new Date(windows * 1000).toISOString();
    this.workflowId = `backfill/${this.view}/1970-01-01T00:00:00.000Z..${end}/1s`;
  }

  static async start(windows: number, steps: BackfillSteps, input: Partial<BackfillRunInput> = {}): Promise<Backfill> {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({ backfill: { segments: singleWindows(windows), ...steps } }));
    const started = new Backfill(await testClient(settings), settings, windows);
    const range = { startUs: '0', endUs: String(windows * 1_000_000), stepUs: '1000000' };
    const run = { view: started.view, ...range, newestFirst: false, concurrency: 2, searchAttributes: true, ...input };
    const { workflowId } = await startBackfillRun(started.temporal.client, run, settings);
    expect(workflowId).toBe(started.workflowId);
    return started;
  }

  get handle() {
    return this.temporal.client.workflow.getHandle<(input: BackfillRunInput) => Promise<BackfillResult>>(
      this.workflowId,
    );
  }

  progress(): Promise<BackfillProgress> {
    return this.handle.query<BackfillProgress>('progress');
  }
}

const windowOf = ({ startUs }: StageWindowInput): number => Number(startUs) / 1_000_000;
const plansOf = (windows: CommitWindowsInput['windows']): readonly string[] =>
  windows.map(({ planLocation }) => planLocation);

describe('backfillRun', () => {
  test('stages every window once, commits groups, and sums up', async () => {
    const staged: number[] = [];
    const groups: number[] = [];
    const run = await Backfill.start(
      7,
      {
        stage: (window) => {
          staged.push(windowOf(window));
          return Promise.resolve(stagedWindow(window));
        },
        commit: (windows) => {
          groups.push(windows.length);
          return Promise.resolve(committedWindows(windows));
        },
      },
      { windowsPerCommit: 3 },
    );
    expect(await run.handle.result()).toEqual({
      view: run.view,
      workflowId: run.workflowId,
      windows: 7,
      windowsSkipped: 0,
      reason: null,
      rows: '70',
      files: 7,
      bytes: '7000',
      commits: groups.length,
      snapshotId: '31',
    } satisfies BackfillResult);
    expect(staged.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(groups.reduce((sum, size) => sum + size, 0)).toBe(7);
    expect(Math.max(...groups)).toBeLessThanOrEqual(3);
    const { memo, searchAttributes } = await run.handle.describe();
    expect(memo).toMatchObject({ view: run.view, plan: { windows: 7 }, progress: { step: 'done', windowsDone: 7 } });
    expect(searchAttributes).toMatchObject({ MoraineView: [run.view], MoraineTable: ['moraine_online.view'] });
  });

  test('says that it did nothing because every window was filled before, or how many were', async () => {
    const known = (nothing: (window: number) => boolean) => ({
      stage: (window: StageWindowInput) =>
        Promise.resolve(nothing(windowOf(window)) ? { kind: 'nothing' as const } : stagedWindow(window)),
      commit: (windows: CommitWindowsInput['windows']) => Promise.resolve(committedWindows(windows)),
    });
    const all = await Backfill.start(
      5,
      known(() => true),
    );
    expect(await all.handle.result()).toMatchObject({
      windows: 5,
      windowsSkipped: 5,
      commits: 0,
      snapshotId: null,
      reason: '5 of 5 windows were filled before, and nothing is new in the source since',
    });
    const some = await Backfill.start(
      5,
      known((window) => window < 2),
    );
    expect(await some.handle.result()).toMatchObject({ windows: 5, windowsSkipped: 2, reason: null, rows: '30' });
  });

  test('never works on more windows at a time than it may; the number is changed while it runs', async () => {
    const held = gate();
    let [active, most] = [0, 0];
    const run = await Backfill.start(
      12,
      {
        stage: async (window) => {
          active += 1;
          most = Math.max(most, active);
          await held.opened;
          active -= 1;
          return stagedWindow(window);
        },
      },
      { concurrency: 2 },
    );
    await expect.poll(() => active, { timeout: 10_000 }).toBe(2);
    expect(await run.handle.executeUpdate('changeConcurrency', { args: [4] })).toBe(4);
    await expect.poll(() => active, { timeout: 10_000 }).toBe(4);
    await expect(run.handle.executeUpdate('changeConcurrency', { args: [0] })).rejects.toMatchObject({
      cause: { type: 'INVALID_ARGUMENT', message: 'the concurrency is a number from 1 to 16, not 0' },
    });
    expect(await run.progress()).toMatchObject({ concurrency: 4, windowsDone: 0, windowsTotal: 12 });
    held.open();
    expect(await run.handle.result()).toMatchObject({ windows: 12 });
    expect(most).toBe(4);
  });

  test('a paused one begins no window, commits what it has read, and goes on when told', async () => {
    const held = gate();
    const staged: number[] = [];
    const run = await Backfill.start(
      6,
      {
        stage: async (window) => {
          staged.push(windowOf(window));
          await held.opened;
          return stagedWindow(window);
        },
      },
      { windowsPerCommit: 2 },
    );
    const filter = { taskQueue: run.settings.taskQueue, project: null, limit: 5 };
    const listed = async () => (await listRuns(run.temporal.client, filter)).map(({ step }) => step);
    await expect.poll(() => staged.length, { timeout: 10_000 }).toBe(2);
    await expect.poll(listed, { timeout: 10_000 }).toEqual(['running']);
    await run.handle.signal('pause');
    await expect.poll(listed, { timeout: 10_000 }).toEqual(['paused']);
    held.open();
    await expect.poll(() => run.progress(), { timeout: 10_000 }).toMatchObject({ step: 'paused', windowsDone: 2 });
    expect(staged).toHaveLength(2);
    await run.handle.signal('resume');
    expect(await run.handle.result()).toMatchObject({ windows: 6 });
  });

  test('what is said to its entry reaches it, from the entry’s start to its end', async () => {
    const [held, last] = [gate(), gate()];
    let isBroken = true;
    const settings = testSettings();
    const steps: BackfillSteps = {
      segments: singleWindows(6),
      stage: async (window) => {
        await held.opened;
        if (windowOf(window) === 1 && isBroken) throw failureOf('DATA_FILE_CORRUPT', true);
        if (windowOf(window) === 5) await last.opened;
        return stagedWindow(window);
      },
    };
    await testWorker(settings, scriptedActivities({ backfill: steps }));
    const { client } = await testClient(settings);
    const view = `view_${randomUUID().slice(0, 8)}`;
    // Said before the run is there.
    const entry = await client.workflow.signalWithStart('backfill', {
      workflowId: `entry-${view}`,
      taskQueue: settings.taskQueue,
      args: [{ view, start: '1970-01-01T00:00:00Z', end: '1970-01-01T00:00:06Z', step: '1s' }],
      signal: 'pause',
    });
    const run = client.workflow.getHandle(`backfill/${view}/1970-01-01T00:00:00.000Z..1970-01-01T00:00:06.000Z/1s`);
    const progress = async () => {
      try {
        return await run.query<BackfillProgress>('progress');
      } catch {
        return null;
      }
    };
    await expect.poll(progress, { timeout: 15_000 }).toMatchObject({ step: 'paused' });
    expect(await entry.executeUpdate<number, [number]>('changeConcurrency', { args: [3] })).toBe(3);
    expect(await progress()).toMatchObject({ step: 'paused', concurrency: 3 });
    await expect(entry.executeUpdate<number, [number]>('changeConcurrency', { args: [0] })).rejects.toMatchObject({
      cause: { type: 'INVALID_ARGUMENT', message: 'the concurrency is a number from 1 to 16, not 0' },
    });
    const details = async (): Promise<string> =>
      (await entry.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ?? '';
    expect(await details()).toMatch(/^Waiting for the backfill /);
    await entry.signal('resume');
    held.open();
    await expect.poll(progress, { timeout: 15_000 }).toMatchObject({ windowsFailed: 1 });
    isBroken = false;
    await entry.signal('retry');
    const signals = async () => {
      const { events } = await run.fetchHistory();
      return (events ?? []).flatMap((event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? []);
    };
    await expect.poll(signals, { timeout: 15_000 }).toEqual(['requested', 'pause', 'resume', 'retry']);
    last.open();
    expect(await entry.result()).toMatchObject({ windows: 6 });
    expect(await details()).toMatch(/^The backfill .* completed\.$/);
  });

  test('a failed window stops no other; retry does it alone', async () => {
    const tries = new Map<number, number>();
    const last = gate();
    let isBroken = true;
    const run = await Backfill.start(4, {
      stage: async (window) => {
        const index = windowOf(window);
        tries.set(index, (tries.get(index) ?? 0) + 1);
        if (index === 1 && isBroken) throw failureOf('DATA_FILE_CORRUPT', true);
        if (index === 3) await last.opened;
        return stagedWindow(window);
      },
    });
    await expect
      .poll(() => run.progress(), { timeout: 10_000 })
      .toMatchObject({
        windowsFailed: 1,
        failed: [
          {
            segment: [1, 1],
            window: '1970-01-01T00:00:01.000Z..1970-01-01T00:00:02.000Z',
            code: 'DATA_FILE_CORRUPT',
            message: 'DATA_FILE_CORRUPT happened',
          },
        ],
      });
    isBroken = false;
    await run.handle.signal('retry');
    last.open();
    expect(await run.handle.result()).toMatchObject({ windows: 4, rows: '40' });
    expect(Object.fromEntries(tries)).toEqual({ 0: 1, 1: 2, 2: 1, 3: 1 });
  });

  test('retry, sent while a hundred windows have failed, runs them again and goes on', async () => {
    const tries = Array<number>(130).fill(0);
    const held = gate();
    let isBroken = true;
    const run = await Backfill.start(130, {
      stage: async (window) => {
        const index = windowOf(window);
        // The first one keeps the backfill from its end, and is tried again if that takes longer than a heartbeat may.
        if (index === 0) await held.opened;
        else tries[index] = (tries[index] ?? 0) + 1;
        if (index > 0 && isBroken) throw failureOf('DATA_FILE_CORRUPT', true);
        return stagedWindow(window);
      },
    });
    await expect.poll(() => run.progress(), { timeout: 60_000 }).toMatchObject({ windowsDone: 0, windowsFailed: 100 });
    isBroken = false;
    await run.handle.signal('retry');
    held.open();
    expect(await run.handle.result()).toMatchObject({ windows: 130, rows: '1300' });
    expect(tries).toEqual([0, ...Array<number>(100).fill(2), ...Array<number>(29).fill(1)]);
  }, 120_000);

  test('a group of hundreds of windows whose commit fails for good ends it as failed, naming every one', async () => {
    const problem = `The table was dropped${'.'.repeat(300)}`;
    const run = await Backfill.start(
      250,
      {
        commit: () =>
          Promise.reject(ApplicationFailure.create({ type: 'TABLE_REPLACED', message: problem, nonRetryable: true })),
      },
      { concurrency: 16 },
    );
    const error = await run.handle.result().catch((failure: unknown) => failure);
    expect((error as WorkflowFailedError).cause).toMatchObject({ type: 'RUN_FAILED' });
    expect((error as WorkflowFailedError).cause?.message).toContain('TABLE_REPLACED: The table was dropped');
    const { memo } = await run.handle.describe();
    expect(memo).toMatchObject({ progress: { windowsFailed: 250, windowsDone: 0, commits: 0 } });
  }, 120_000);

  test('one that has ended after a hundred failures names those that were not begun, and begins them when it is tried again', async () => {
    const run = await Backfill.start(130, { stage: () => Promise.reject(failureOf('DATA_FILE_CORRUPT', true)) });
    const error = await run.handle.result().catch((failure: unknown) => failure);
    expect((error as WorkflowFailedError).cause?.message).toMatch(
      /; after so many failures (?:29|30) others were not begun\. Try them again/,
    );
    const left = await failedSegments(run.temporal.client, run.workflowId);
    expect(left).toMatchObject({ isCut: true });
    expect(left?.segments.length).toBeGreaterThanOrEqual(100);
    expect(left?.segments.length).toBeLessThan(130);
  }, 120_000);

  test('one of which a few windows have failed is tried again for them alone', async () => {
    const run = await Backfill.start(5, {
      stage: (window) =>
        windowOf(window) === 3
          ? Promise.reject(failureOf('DATA_FILE_CORRUPT', true))
          : Promise.resolve(stagedWindow(window)),
    });
    await run.handle.result().catch((failure: unknown) => failure);
    expect(await failedSegments(run.temporal.client, run.workflowId)).toMatchObject({
      isCut: false,
      segments: [[3, 3]],
    });
  });

  test('a retry of all windows takes the plan as it is, whatever has become of the source', async () => {
    const plans: PlanBackfillInput[] = [];
    const run = await Backfill.start(
      4,
      {
        plan: (input) => {
          plans.push(input);
          return Promise.resolve(plannedBackfill(singleWindows(4)));
        },
      },
      { planLocation: '/plans/3.json', isRetry: true },
    );
    expect(await run.handle.result()).toMatchObject({ windows: 4, rows: '40' });
    expect(plans).toMatchObject([{ planLocation: '/plans/3.json', isRetry: true }]);
  });

  test('with windows that have failed it ends as failed, naming them; the others are committed', async () => {
    const committed: string[] = [];
    const run = await Backfill.start(3, {
      stage: (window) =>
        windowOf(window) === 1
          ? Promise.reject(failureOf('DATA_FILE_CORRUPT', true))
          : Promise.resolve(stagedWindow(window)),
      commit: (windows) => {
        committed.push(...plansOf(windows));
        return Promise.resolve(committedWindows(windows));
      },
    });
    const error = await run.handle.result().catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toMatchObject({ type: 'RUN_FAILED' });
    expect((error as WorkflowFailedError).cause?.message).toContain('1970-01-01T00:00:01.000Z');
    expect(committed.toSorted()).toEqual(['/plans/0.json', '/plans/2000000.json']);
  });

  test('another training set of the same name and range does not join the one in flight', async () => {
    const settings = testSettings();
    const held = gate();
    const nothing = async () => {
      await held.opened;
      return { kind: 'nothing' as const };
    };
    const steps = { segments: singleWindows(1), stageTraining: nothing };
    await testWorker(settings, scriptedActivities({ backfill: steps }));
    const temporal = await testClient(settings);
    const name = `set_${randomUUID().slice(0, 8)}`;
    const range = { startUs: '0', endUs: '1000000', stepUs: '1000000', newestFirst: false, concurrency: 1 };
    const start = (features: readonly string[]) => {
      const trainingSet = { name, features, entities: { table: 'demo.labels' }, to: `demo.${name}` };
      return startBackfillRun(temporal.client, { trainingSet, ...range, searchAttributes: true }, settings);
    };
    const run = await start(['a']);
    expect(await start(['a'])).toEqual(run);
    await expect(start(['b'])).rejects.toMatchObject({ code: 'RUN_ALREADY_ACTIVE' });
    held.open();
    const handle = temporal.client.workflow.getHandle(run.workflowId);
    expect(await handle.result()).toMatchObject({ trainingSet: name, windowsSkipped: 1 });
    const next = await start(['b']);
    expect(next.runId).not.toBe(run.runId);
    expect(await handle.result()).toMatchObject({ trainingSet: name });
  });

  test('a stale window is read again and committed; a covered one is done', async () => {
    const commits: (readonly string[])[] = [];
    let isFirst = true;
    const run = await Backfill.start(
      3,
      {
        commit: (windows) => {
          commits.push(plansOf(windows));
          if (!isFirst) return Promise.resolve(committedWindows(windows));
          isFirst = false;
          return Promise.resolve({ snapshotId: '30', outcomes: ['committed', 'stale', 'covered'] });
        },
      },
      { concurrency: 3, windowsPerCommit: 3 },
    );
    expect(await run.handle.result()).toMatchObject({ windows: 3, rows: '20', commits: 2 });
    const [first, second] = commits;
    expect(first).toHaveLength(3);
    expect(second).toEqual([first?.[1]]);
  });

  test('windows that rebuild buckets are run alone, neighbours as one', async () => {
    const alone: string[] = [];
    const run = await Backfill.start(4, {
      stage: (window) =>
        Promise.resolve(windowOf(window) % 4 === 3 ? stagedWindow(window) : ({ kind: 'alone' } as const)),
      alone: ({ startUs, endUs }) => {
        alone.push(`${startUs}..${endUs}`);
        return Promise.resolve({ snapshotId: '41', rows: '7' });
      },
    });
    expect(await run.handle.result()).toMatchObject({ windows: 4, rows: '17', commits: 2 });
    expect(alone).toEqual(['0..3000000']);
  });

  test('cancelled, it leaves whole windows: what was read is committed, nothing else is begun', async () => {
    const staged: number[] = [];
    const committed: string[] = [];
    const held = gate();
    const run = await Backfill.start(
      5,
      {
        stage: async (window) => {
          staged.push(windowOf(window));
          if (staged.length > 1) await held.opened;
          return stagedWindow(window);
        },
        commit: (windows) => {
          committed.push(...plansOf(windows));
          return Promise.resolve(committedWindows(windows));
        },
      },
      { concurrency: 2 },
    );
    await expect.poll(() => staged.length, { timeout: 10_000 }).toBe(3);
    await run.handle.cancel();
    held.open();
    await expect(run.handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(staged).toHaveLength(3);
    expect(committed).toContain('/plans/0.json');
  });

  test('cancelled in a commit, it ends after that commit', async () => {
    const begun: string[] = [];
    const finished: string[] = [];
    const held = gate();
    const run = await Backfill.start(
      3,
      {
        stage: async (window) => {
          if (windowOf(window) > 0) await held.opened;
          return stagedWindow(window);
        },
        commit: async (windows) => {
          begun.push(...plansOf(windows));
          if (begun.length === 1) {
            await cancelled(undefined);
            held.open();
            // Time in which the others are committed and the run ends, if it does not wait.
            await sleep(1000);
          }
          finished.push(...plansOf(windows));
          return committedWindows(windows);
        },
      },
      { windowsPerCommit: 1 },
    );
    await expect(run.handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(begun).toContain('/plans/0.json');
    expect(finished).toEqual(begun);
  });

  test('what is said before its first step is heeded', async () => {
    const settings = testSettings();
    const { client } = await testClient(settings);
    const view = `view_${randomUUID().slice(0, 8)}`;
    const range = { startUs: '0', endUs: '3000000', stepUs: '1000000', newestFirst: false };
    const input: BackfillRunInput = { view, ...range, concurrency: 2, searchAttributes: true };
    const options = { workflowId: `backfill/${view}/early`, taskQueue: settings.taskQueue, args: [input] };
    // No worker is there yet: the first workflow task has all of it.
    const run = await client.workflow.signalWithStart('backfillRun', { ...options, signal: 'pause' });
    await run.signal('retry');
    const staged: number[] = [];
    const stage: BackfillSteps['stage'] = async (window) => {
      staged.push(windowOf(window));
      return stagedWindow(window);
    };
    await testWorker(settings, scriptedActivities({ backfill: { segments: singleWindows(3), stage } }));
    const handle = client.workflow.getHandle(run.workflowId);
    await expect.poll(() => handle.query('progress')).toMatchObject({ step: 'paused', windowsDone: 0 });
    expect(staged).toEqual([]);
    await handle.signal('resume');
    expect(await handle.result()).toMatchObject({ windows: 3, rows: '30' });
    expect(staged.toSorted()).toEqual([0, 1, 2]);
  });

  test('history stays short: it goes on in new executions, and what was said is not lost (fault 51)', async () => {
    const staged = new Map<number, number>();
    const held = gate();
    const run = await Backfill.start(
      520,
      {
        stage: async (window) => {
          const index = windowOf(window);
          staged.set(index, (staged.get(index) ?? 0) + 1);
          if (index === 499) await held.opened;
          return stagedWindow(window);
        },
      },
      { concurrency: 8 },
    );
    await expect.poll(() => staged.size, { timeout: 60_000 }).toBeGreaterThanOrEqual(500);
    // Said just before the execution ends.
    await run.handle.signal('pause');
    await run.handle.executeUpdate('changeConcurrency', { args: [5] });
    held.open();
    await expect
      .poll(() => run.progress(), { timeout: 30_000 })
      .toMatchObject({ step: 'paused', concurrency: 5, windowsDone: 500 });
    await run.handle.signal('resume');
    expect(await run.handle.result()).toMatchObject({ windows: 520, rows: '5200' });
    expect([...staged.values()].every((times) => times === 1)).toBe(true);
    expect(staged.size).toBe(520);
    const { events } = await run.handle.fetchHistory();
    // That of the last execution alone.
    expect(events?.length).toBeLessThan(500);
  }, 120_000);
});

describe('backfill, the entry for people', () => {
  test('under any workflow id it starts the backfill of its range, or joins it, and returns the result', async () => {
    const settings = testSettings();
    const held = gate();
    await testWorker(
      settings,
      scriptedActivities({
        backfill: {
          segments: singleWindows(2),
          stage: async (window) => {
            await held.opened;
            return stagedWindow(window);
          },
        },
      }),
    );
    const { client } = await testClient(settings);
    const view = `view_${randomUUID().slice(0, 8)}`;
    const input = { view, start: '2001-01-01', end: '2001-01-03', step: '1d' };
    const entry = () =>
      client.workflow.start('backfill', {
        workflowId: `typed by a person ${randomUUID()}`,
        taskQueue: settings.taskQueue,
        args: [input],
      });
    const entries = [await entry(), await entry()];
    const workflowId = `backfill/${view}/2001-01-01T00:00:00.000Z..2001-01-03T00:00:00.000Z/1d`;
    const handle = client.workflow.getHandle(workflowId);
    const asked = async (): Promise<number> => {
      const { events } = await handle.fetchHistory();
      return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes != null).length;
    };
    await expect.poll(() => asked().catch(() => 0), { timeout: 10_000 }).toBe(2);
    held.open();
    const results = await Promise.all(entries.map((started) => started.result()));
    expect(results).toEqual([
      expect.objectContaining({ view, workflowId, windows: 2 }),
      expect.objectContaining({ view, workflowId, windows: 2 }),
    ]);
  });

  test('an input that is not right is refused with the reason, at once', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const attempt = client.workflow.execute('backfill', {
      workflowId: `entry-${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [{ view: 'a', start: '2001-01-01', end: '2001-01-10T12:00:00Z', step: '1d' }],
    });
    const error: unknown = await attempt.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const reason = (error as WorkflowFailedError).cause?.cause as ApplicationFailure | undefined;
    expect(reason).toMatchObject({ type: 'INVALID_ARGUMENT' });
    expect(reason?.message).toContain('end it at 2001-01-10T00:00:00.000Z or 2001-01-11T00:00:00.000Z');
  });
});
