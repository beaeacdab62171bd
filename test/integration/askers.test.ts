/** Several callers ask for one run: each is answered once a pass has ended that began after the request. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { MaterializeResult } from '../../activities/contract.js';
import type { AllActivities } from '../../activities/index.js';
import { createActivities } from '../../activities/index.js';
import { startMaterialization, waitForRun } from '../../workers/index.js';
import { plannedRun } from '../support/scripted-activities.js';
import { plannedCompaction, plannedExpiry } from '../support/scripted-upkeep.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { scripted } from '../support/way.js';

const newName = (): string => `asked_${randomUUID().slice(0, 8)}`;

/** Requests one after the other, each under an entry of its own. */
class Entries {
  readonly #client: Client;
  readonly #workflow: string;
  readonly #taskQueue: string;
  readonly started: WorkflowHandle<() => Promise<MaterializeResult & { readonly table: string }>>[] = [];

  constructor(client: Client, workflow: string, taskQueue: string) {
    this.#client = client;
    this.#workflow = workflow;
    this.#taskQueue = taskQueue;
  }

  /** Returns when the run has the request. */
  async ask(input: object): Promise<void> {
    const options = { workflowId: `entry-${newName()}`, taskQueue: this.#taskQueue, args: [input] as [object] };
    const entry = await this.#client.workflow.start(this.#workflow, options);
    this.started.push(entry);
    for (;;) {
      const { events } = await entry.fetchHistory();
      if ((events ?? []).some((event) => event.activityTaskCompletedEventAttributes != null)) return;
      await sleep(20);
    }
  }

  /** The answers to as many requests, once they have been made. */
  async results(requests: number) {
    while (this.started.length < requests) await sleep(20);
    return Promise.all(this.started.map((entry) => entry.result()));
  }
}

/** Runs a step once for each activity that asks for it, however often that is tried, with its number from 1. */
function oncePerActivity(step: (number: number) => Promise<void>): () => Promise<void> {
  const begun = new Map<string, Promise<void>>();
  return () => {
    const { activityId, workflowExecution } = Context.current().info;
    const key = `${workflowExecution?.runId}/${activityId}`;
    const known = begun.get(key) ?? step(begun.size + 1);
    begun.set(key, known);
    return known;
  };
}

/** Events of each history of a run, the last one first. */
async function historyLengths(client: Client, workflowId: string): Promise<readonly number[]> {
  const lengths: number[] = [];
  let runId: string | undefined;
  do {
    const { events = [] } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    lengths.push(events?.length ?? 0);
    runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
  } while (runId !== undefined && runId !== '');
  return lengths;
}

describe('a materialization', () => {
  test('answers each with the first pass that began after the request, while others ask on', async () => {
    const settings = testSettings();
    const temporal = await testClient(settings);
    const view = newName();
    const entries = new Entries(temporal.client, 'materialize', settings.taskQueue);
    let waited: Promise<MaterializeResult> | undefined;
    // In each of the first four passes somebody asks, and each pass ends only once who asked two passes before is answered.
    const pass = oncePerActivity(async (number) => {
      if (number === 2) {
        const run = await startMaterialization(temporal, settings, { view });
        waited = waitForRun(temporal.client, run);
      }
      if (number <= 4) await entries.ask({ view });
      await entries.started[number - 2]?.result();
      if (number === 4) expect(await waited).toMatchObject({ passes: 3, kind: 'nothing' });
    });
    const plan = async () => {
      await pass();
      return plannedRun(0, { kind: 'nothing', reason: 'nothing new' });
    };
    await testWorker(settings, scripted({ plan }));
    await entries.ask({ view });
    expect((await entries.results(5)).map(({ passes }) => passes)).toEqual([1, 2, 3, 4, 5]);
    const lengths = await historyLengths(temporal.client, `materialize/${view}/incremental`);
    expect(lengths).toHaveLength(5);
    expect(Math.max(...lengths)).toBeLessThan(40);
  }, 120_000);

  test('of real tables answers everybody who asks each tenth of a second, each with rows at least as new as the request', async () => {
    const small = await SmallProject.create();
    const settings = testSettings();
    const temporal = await testClient(settings);
    await testWorker(settings, createActivities(small.project));
    const { view } = small;
    const asked: { readonly source: string; readonly result: Promise<MaterializeResult> }[] = [];
    for (let second = 0; second < 20; second += 1) {
      await small.append(1, second, 100);
      const source = String((await small.source()).metadata.currentSnapshotId);
      const workflowId = `entry-${view}-${second}`;
      const options = { workflowId, taskQueue: settings.taskQueue, args: [{ view }] };
      asked.push({
        source,
        result: temporal.client.workflow.execute('materialize', options) as Promise<MaterializeResult>,
      });
      await sleep(100);
    }
    const order = (await small.source()).metadata.snapshots.map(({ snapshotId }) => String(snapshotId));
    expect(order).toHaveLength(20);
    const results = await Promise.all(asked.map(({ result }) => result));
    expect(results).toHaveLength(20);
    for (const [index, { sourceSnapshotId }] of results.entries()) {
      expect(order.indexOf(String(sourceSnapshotId))).toBeGreaterThanOrEqual(order.indexOf(asked[index]?.source ?? ''));
    }
    // The first pass began for whoever reached the run first: on a busy machine another one than the first who asked.
    expect(results.map(({ passes }) => passes)).toContain(1);
    expect(results.at(-1)).toMatchObject({ sourceSnapshotId: order.at(-1) });
    // The newest row of the sensor wins.
    expect((await small.onlineRows()).at(-1)).toEqual((await small.recomputed()).at(-1));
  }, 120_000);
});

describe('the one run of a table', () => {
  const table = `demo.${newName()}`;
  // Each request differs from the one before, so that none joins another; each is done once who asked two before is answered.
  test.each([
    ['compact', (number: number) => ({ table, strategy: 'binpack', targetSizeBytes: 1_000_000 + number })],
    ['maintain', (number: number) => ({ table, retainLast: 1 + number })],
  ] as const)(
    '%s answers in order, in a history for each, while others ask on',
    async (workflow, request) => {
      const settings = testSettings();
      const { client } = await testClient(settings);
      const entries = new Entries(client, workflow, settings.taskQueue);
      const done: number[] = [];
      const step = oncePerActivity(async (number) => {
        if (number <= 4) await entries.ask(request(number));
        await entries.started[number - 2]?.result();
        done.push(number);
      });
      const activities: AllActivities = scripted({
        compact: {
          plan: async () => {
            await step();
            return plannedCompaction(0);
          },
        },
        maintain: {
          expiry: async () => {
            await step();
            return plannedExpiry(0);
          },
        },
      });
      await testWorker(settings, activities);
      await entries.ask(request(0));
      expect((await entries.results(5)).map((result) => result.table)).toEqual(Array<string>(5).fill(table));
      expect(done).toEqual([1, 2, 3, 4, 5]);
      const lengths = await historyLengths(client, `${workflow}/${table}`);
      expect(lengths).toHaveLength(5);
      expect(Math.max(...lengths)).toBeLessThan(60);
    },
    120_000,
  );
});
