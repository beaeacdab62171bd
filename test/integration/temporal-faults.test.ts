/**
 * Faults of Temporal itself at each step of a run: the server dies and comes back on its database, the run is cancelled, terminated
 * or reset, a worker that was given up goes on beside the one that took over. A table over workflows: each case names the steps of one.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createActivities, type ServerSettings } from '../../workers/index.js';
import { allOf } from '../support/all-of.js';
import { datedProject } from '../support/dated-files.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import {
  BACKFILL,
  COMPACT,
  MAINTAIN,
  MATERIALIZE,
  startRun,
  TRAINING_BACKFILL,
  type Work,
  windowKeys,
} from '../support/works.js';

/** Of all workflows. */
type AllActivities = ReturnType<typeof createActivities>;
type ActivityName = keyof AllActivities;

interface FaultCase {
  readonly work: Work;
  /** Its activities, in order. */
  readonly steps: readonly ActivityName[];
  /** The step that makes the work visible. */
  readonly commit: ActivityName;
}

const CASES: readonly FaultCase[] = [
  {
    work: MATERIALIZE,
    steps: ['planMaterialization', 'extractShard', 'commitMaterialization'],
    commit: 'commitMaterialization',
  },
  {
    work: BACKFILL,
    steps: ['planBackfill', 'readSegments', 'stageWindow', 'commitWindows'],
    commit: 'commitWindows',
  },
  {
    work: TRAINING_BACKFILL,
    steps: ['planBackfill', 'readSegments', 'stageTrainingWindow', 'commitTrainingWindows'],
    commit: 'commitTrainingWindows',
  },
  {
    work: COMPACT,
    steps: ['planCompaction', 'rewriteGroup', 'commitCompaction', 'endCompaction'],
    commit: 'commitCompaction',
  },
  {
    work: MAINTAIN,
    steps: ['planExpiry', 'commitExpiry', 'deleteExpiredFiles', 'sweepOrphans', 'tidyManifests'],
    commit: 'commitExpiry',
  },
];

const EACH = CASES.map((fault) => [fault.work.name, fault] as const);
const MOST_STEPS = Math.max(...CASES.map(({ steps }) => steps.length));

/** How long the server is away in the step in which most workflows commit; ten minutes at night. */
const LONG_OUTAGE_SECONDS = Number(process.env['MORAINE_OUTAGE_SECONDS'] ?? 15);

/** Where a workflow is disturbed: at its commit and every other step, or at every step in the long form. @param first 0: from the first step on; 1: from the second */
const disturbedSteps = ({ steps, commit }: FaultCase, first: 0 | 1): readonly ActivityName[] =>
  IS_LONG_FORM ? steps : steps.filter((step, index) => index % 2 === first || step === commit);

/** One of the activities, whatever its types. */
function stepOf(activities: AllActivities, step: ActivityName): (input: unknown) => Promise<unknown> {
  return (input) =>
    (activities as unknown as Readonly<Record<string, (input: unknown) => Promise<unknown>>>)[step]?.(input) ??
    Promise.reject(new Error(step));
}

/** The real activities, with something done before one of them on its first attempt. */
function disturbed(small: SmallProject, step: ActivityName, disturb: () => Promise<void>): AllActivities {
  const activities = createActivities(datedProject(small.project));
  let left = 1;
  const real = stepOf(activities, step);
  const first = async (input: unknown): Promise<unknown> => {
    left -= 1;
    if (left === 0) await disturb();
    return real(input);
  };
  return { ...activities, [step]: first };
}

class FaultRun {
  readonly small: SmallProject;
  readonly client: Client;
  readonly #fault: FaultCase;
  readonly #settings: ServerSettings;

  private constructor(small: SmallProject, client: Client, fault: FaultCase, settings: ServerSettings) {
    this.small = small;
    this.client = client;
    this.#fault = fault;
    this.#settings = settings;
  }

  static async create(fault: FaultCase, serverSettings: ServerSettings): Promise<FaultRun> {
    const { options, prepare } = fault.work;
    const small = await SmallProject.create(options);
    await prepare(small);
    const settings = { ...serverSettings, taskQueue: testSettings().taskQueue };
    const { client } = await testClient(settings);
    return new FaultRun(small, client, fault, settings);
  }

  worker(activities: AllActivities): Promise<void> {
    return testWorker(this.#settings, activities);
  }

  get handle() {
    return this.client.workflow.getHandle(this.#fault.work.run.workflowId(this.small));
  }

  start(): Promise<WorkflowHandle> {
    return startRun(this.client, this.#settings, this.#fault.work, this.small);
  }

  /** Of the windows that a backfill has committed so far. */
  async windowKeys(): Promise<readonly string[]> {
    return windowKeys(await this.small.project.loadTable(this.#fault.work.written(this.small).table));
  }

  expectSound(): Promise<void> {
    return this.#fault.work.expectSound(this.small);
  }

  /** Everything once, and the right rows. */
  async expectDone(): Promise<void> {
    await this.expectSound();
    await this.#fault.work.expectDone(this.small);
  }
}

/** Lets some wait for each other; the last to come does what it is given, and then all go on. */
function meeting(size: number, act: () => Promise<void>): () => Promise<void> {
  let missing = size;
  let begin = (): void => {};
  const over = new Promise<void>((resolve) => {
    begin = resolve;
  }).then(act);
  return () => {
    missing -= 1;
    if (missing === 0) begin();
    return over;
  };
}

/** In which most workflows commit. */
const COMMIT_STEP = 3;
const OUTAGES = Array.from({ length: MOST_STEPS }, (_, index) => index + 1)
  .filter((step) => IS_LONG_FORM || step === COMMIT_STEP)
  .map((step) => [step, step === COMMIT_STEP ? LONG_OUTAGE_SECONDS : 3]);

describe('the Temporal server is killed and comes back on its database', () => {
  test.each(OUTAGES)(
    'in step %i of each workflow, after %i seconds: the runs go on and commit once',
    { timeout: 360_000 + LONG_OUTAGE_SECONDS * 1000 },
    async (number, seconds) => {
      const server = await OwnTemporalServer.start(join(temporaryFolder(), 'temporal'));
      onTestFinished(() => server.kill());
      const cases = CASES.flatMap((fault) => {
        const step = fault.steps[number - 1];
        return step === undefined ? [] : [{ fault, step }];
      });
      const restarted = meeting(cases.length, async () => {
        await server.kill();
        await sleep(seconds * 1000);
        await server.restart();
      });
      await allOf(
        cases.map(async ({ fault, step }) => {
          const run = await FaultRun.create(fault, server.settings());
          await run.worker(disturbed(run.small, step, restarted));
          await run.start();
          await expect
            .poll(() => run.handle.describe().then(({ status }) => status.name, String), {
              timeout: 300_000 + seconds * 1000,
              interval: 500,
            })
            .toBe('COMPLETED');
          await run.expectDone();
        }),
      );
    },
  );
});

describe.each([
  ['cancelled', 'CANCELLED', 0],
  ['terminated', 'TERMINATED', 1],
] as const)('a run that is %s', (how, status, first) => {
  test.each(EACH)(
    '%s, at its steps: leaves nothing half done, and the next run is not held up',
    async (_run, fault) => {
      await allOf(
        disturbedSteps(fault, first).map(async (step) => {
          const run = await FaultRun.create(fault, testSettings());
          const end = async (): Promise<void> => {
            if (how === 'cancelled') await run.handle.cancel();
            else await run.handle.terminate('test');
          };
          await run.worker(disturbed(run.small, step, end));
          await (await run.start()).result().catch(() => undefined);
          const ended = await run.handle.describe();
          // A cancellation may come too late: the last step has given its answer already.
          if (how === 'cancelled') expect([status, 'COMPLETED'], step).toContain(ended.status.name);
          else expect(ended.status.name, step).toBe(status);
          await run.expectSound();
          // A commit that has begun is finished, and one that has not is not begun.
          const isDone = await run.expectDone().then(
            () => true,
            () => false,
          );
          if (how === 'cancelled' && step === fault.commit) {
            // A backfill has committed the windows that it had read, maintenance goes on with what has expired.
            if (fault.work.workflow === 'backfill') expect(await run.windowKeys()).not.toEqual([]);
            else if (fault.work !== MAINTAIN) expect(isDone, step).toBe(true);
          }
          const isBeforeCommit = fault.steps.indexOf(step) < fault.steps.indexOf(fault.commit);
          if (isBeforeCommit && ended.status.name !== 'COMPLETED') expect(isDone, step).toBe(false);

          await (await run.start()).result();
          await run.expectDone();
        }),
      );
    },
  );
});

describe('a run that is reset', () => {
  test.each(EACH)(
    '%s: before its commit, after it, and to its beginning: nothing is committed again',
    async (_workflow, fault) => {
      const run = await FaultRun.create(fault, testSettings());
      await run.worker(createActivities(datedProject(run.small.project)));
      await (await run.start()).result();
      await run.expectDone();
      const { events } = await run.handle.fetchHistory();
      const taskEnds = (events ?? [])
        .filter((event) => event.workflowTaskCompletedEventAttributes != null)
        .flatMap(({ eventId }) => eventId ?? []);
      const scheduled = (events ?? []).find(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === fault.commit,
      );
      const before = taskEnds.filter((id) => Number(id) < Number(scheduled?.eventId));
      const after = taskEnds.filter((id) => Number(id) > Number(scheduled?.eventId));
      expect([before.length > 1, after.length > 0]).toEqual([true, true]);
      const { runId } = await run.handle.describe();
      for (const eventId of [before.at(-1), after[0], before[0]]) {
        await run.client.workflowService.resetWorkflowExecution({
          namespace: run.client.options.namespace,
          workflowExecution: { workflowId: run.handle.workflowId, runId },
          reason: 'test',
          requestId: randomUUID(),
          ...(eventId === undefined ? {} : { workflowTaskFinishEventId: eventId }),
        });
        await run.handle.result();
        await run.expectDone();
      }
    },
  );
});

describe('two workers that both believe they own an activity', () => {
  test.each(EACH)('%s, at its steps: one commit', async (_run, fault) => {
    await allOf(disturbedSteps(fault, 0).map((step) => ownedTwice(fault, step)));
  });

  async function ownedTwice(fault: FaultCase, step: ActivityName): Promise<void> {
    const run = await FaultRun.create(fault, testSettings());
    const activities = createActivities(datedProject(run.small.project));
    const real = stepOf(activities, step);
    let takeOver = (): void => {};
    const takenOver = new Promise<void>((resolve) => {
      takeOver = resolve;
    });
    const stale: Promise<unknown>[] = [];
    const owned = (input: unknown): Promise<unknown> => {
      if (Context.current().info.attempt > 1) takeOver();
      else {
        // Sends no heartbeat, is given up, and does its work when the next attempt does.
        const late = takenOver.then(() => real(input));
        stale.push(late.catch(() => undefined));
        return late;
      }
      return real(input);
    };
    await run.worker({ ...activities, [step]: owned });
    await run.worker({ ...activities, [step]: owned });
    await (await run.start()).result();
    await Promise.all(stale);
    expect(stale.length).toBeGreaterThan(0);
    await run.expectDone();
  }
});
