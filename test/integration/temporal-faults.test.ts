/**
 * What Temporal itself may do to a run, at each of its steps: the server dies and comes back on its database, the run is cancelled, terminated
 * or reset, a worker that was given up goes on beside the one that took over. A table over workflows: each case names the steps of one.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Activities } from '../../activities/contract.js';
import { createActivities, type ServerSettings } from '../../workers/index.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

type ActivityName = keyof Activities;

interface FaultCase {
  /** Type of the workflow that does the work. */
  readonly workflow: string;
  /** Its activities, in order; the last one commits. */
  readonly steps: readonly ActivityName[];
  readonly workflowId: (small: SmallProject) => string;
  readonly input: (small: SmallProject) => object;
}

const CASES: readonly FaultCase[] = [
  {
    workflow: 'materializeRun',
    steps: ['planMaterialization', 'extractShard', 'commitMaterialization'],
    workflowId: ({ view }) => `materialize/${view}/incremental`,
    input: ({ view }) => ({ view, searchAttributes: false }),
  },
];

const EACH_STEP = CASES.flatMap((fault) => fault.steps.map((step) => [fault.workflow, step, fault] as const));
const EACH = CASES.map((fault) => [fault.workflow, fault] as const);

/** One of the activities, whatever its types. */
function stepOf(activities: Activities, step: ActivityName): (input: unknown) => Promise<unknown> {
  return (input) =>
    (activities as unknown as Readonly<Record<string, (input: unknown) => Promise<unknown>>>)[step]?.(input) ??
    Promise.reject(new Error(step));
}

/** The real activities, with something done before one of them on its first attempt. */
function disturbed(small: SmallProject, step: ActivityName, disturb: () => Promise<void>): Activities {
  const activities = createActivities(small.project);
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

  static async create(fault: FaultCase, settings: ServerSettings): Promise<FaultRun> {
    const small = await SmallProject.create();
    await small.append(1_000);
    const { client } = await testClient(settings);
    return new FaultRun(small, client, fault, settings);
  }

  worker(activities: Activities): Promise<void> {
    return testWorker(this.#settings, activities);
  }

  get handle() {
    return this.client.workflow.getHandle(this.#fault.workflowId(this.small));
  }

  start() {
    return this.client.workflow.start(this.#fault.workflow, {
      workflowId: this.#fault.workflowId(this.small),
      taskQueue: this.#settings.taskQueue,
      args: [this.#fault.input(this.small)],
    });
  }

  /** One commit under one key, and the rows that the source has. */
  async expectOnce(): Promise<void> {
    expect(await this.small.runKeys()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await this.small.onlineRows()).toEqual(await this.small.recomputed());
  }
}

describe('the Temporal server is killed and comes back on its database', () => {
  test.each(EACH_STEP)('%s, at %s: the run goes on and commits once', async (_workflow, step, fault) => {
    const server = await OwnTemporalServer.start(join(temporaryFolder(), 'temporal'));
    onTestFinished(() => server.kill());
    const run = await FaultRun.create(fault, server.settings());
    const restarted = async (): Promise<void> => {
      await server.kill();
      await sleep(3_000);
      await server.restart();
    };
    await run.worker(disturbed(run.small, step, restarted));
    await run.start();
    await expect
      .poll(() => run.handle.describe().then(({ status }) => status.name, String), { timeout: 120_000, interval: 500 })
      .toBe('COMPLETED');
    await run.expectOnce();
  });
});

describe.each([
  ['cancelled', 'CANCELLED'],
  ['terminated', 'TERMINATED'],
] as const)('a run that is %s', (how, status) => {
  test.each(EACH_STEP)(
    '%s, at %s: leaves all or nothing, and the next run is not held up',
    async (_workflow, step, fault) => {
      const run = await FaultRun.create(fault, testSettings());
      const end = async (): Promise<void> => {
        if (how === 'cancelled') await run.handle.cancel();
        else await run.handle.terminate('test');
      };
      await run.worker(disturbed(run.small, step, end));
      await (await run.start()).result().catch(() => undefined);
      const first = await run.handle.describe();
      const commits = await run.small.runKeys().catch(() => []);
      // A commit that has begun is finished. A cancellation may also come too late: the step has given its answer already.
      const isCommit = step === fault.steps.at(-1);
      const isFinished = how === 'cancelled' && (isCommit || first.status.name === 'COMPLETED');
      expect(first.status.name).toBe(isFinished ? 'COMPLETED' : status);
      if (isFinished) expect(commits).toHaveLength(1);
      else if (!isCommit) expect(commits).toEqual([]);

      await (await run.start()).result();
      await run.expectOnce();
    },
  );
});

describe('a run that is reset', () => {
  test.each(EACH)(
    '%s: before its commit, after it, and to its beginning: nothing is committed again',
    async (_workflow, fault) => {
      const run = await FaultRun.create(fault, testSettings());
      await run.worker(createActivities(run.small.project));
      await (await run.start()).result();
      await run.expectOnce();
      const { events } = await run.handle.fetchHistory();
      const taskEnds = (events ?? [])
        .filter((event) => event.workflowTaskCompletedEventAttributes != null)
        .flatMap(({ eventId }) => eventId ?? []);
      const commit = fault.steps.at(-1);
      const scheduled = (events ?? []).find(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === commit,
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
        await run.expectOnce();
      }
    },
  );
});

describe('two workers that both believe they own an activity', () => {
  test.each(EACH_STEP)('%s, at %s: one commit', async (_workflow, step, fault) => {
    const run = await FaultRun.create(fault, testSettings());
    const activities = createActivities(run.small.project);
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
    await run.expectOnce();
  });
});
