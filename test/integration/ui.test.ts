/**
 * Temporal's web UI as people use it, in Chromium: workflows are started from JSON, mistakes are answered readably, a schedule's Backfill runs
 * each interval once, and a run shows what it does. With MORAINE_SCREENSHOTS=1 the pictures of `docs/workflows.md` are made anew.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSchedule, describeSchedule, materializeInput } from '../../schedules/index.js';
import { createActivities, type ServerSettings } from '../../workers/index.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { projectRoot } from '../support/paths.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testWorker } from '../support/temporal.js';
import { TemporalUi } from '../support/temporal-ui.js';

const IMAGES = join(projectRoot, 'docs/images');
/** Where a picture goes; nowhere unless they are wanted. */
const picture = (name: string): string | undefined =>
  process.env['MORAINE_SCREENSHOTS'] === '1' ? join(IMAGES, `${name}.png`) : undefined;

const POLL = { timeout: 60_000, interval: 300 };
const folder = mkdtempSync(join(tmpdir(), 'moraine-ui-'));
let server: OwnTemporalServer;
let ui: TemporalUi;

beforeAll(async () => {
  mkdirSync(IMAGES, { recursive: true });
  server = await OwnTemporalServer.start(join(folder, 'temporal'));
  ui = await TemporalUi.open(server.uiAddress);
});

afterAll(async () => {
  await ui.close();
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
});

interface World {
  readonly small: SmallProject;
  readonly settings: ServerSettings;
  readonly client: Client;
}

async function world(): Promise<World> {
  const small = await SmallProject.create();
  await small.append(7_200); // two hours of 1970
  const settings = { ...server.settings(), taskQueue: small.view.replace('readings', 'moraine') };
  await testWorker(settings, createActivities(small.project));
  const { client } = await testClient(settings);
  return { small, settings, client };
}

/** How a workflow that a person started has ended. */
async function ended(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const status = (): Promise<string> =>
    handle.describe().then(
      (found) => found.status.name,
      () => 'NONE',
    );
  await expect.poll(status, POLL).not.toMatch(/NONE|RUNNING/);
  return status();
}

const shot = async (name: string): Promise<void> => {
  const path = picture(name);
  if (path !== undefined) await ui.screenshot(path);
};

describe('starting workflows from JSON', () => {
  const inputs: readonly (readonly [string, (view: string) => object])[] = [
    ['materialize', (view) => ({ view })],
    ['backfill', (view) => ({ view, start: '1970-01-01T00:00Z', end: '1970-01-01T02:00Z', step: '1h' })],
    ['compact', (view) => ({ table: `moraine_online.${view}`, strategy: 'latest' })],
    ['maintain', (view) => ({ table: `moraine_online.${view}` })],
  ];

  test('each entry workflow runs from the form', async () => {
    const { small, settings, client } = await world();
    const { taskQueue } = settings;
    for (const [workflowType, inputOf] of inputs) {
      const workflowId = `${workflowType}-by-hand`;
      await ui.start(
        { workflowId, taskQueue, workflowType, input: JSON.stringify(inputOf(small.view)) },
        picture(`start-${workflowType}`),
      );
      expect([workflowType, await ended(client, workflowId)]).toEqual([workflowType, 'COMPLETED']);
    }
    const newest = new Map((await small.onlineRows()).map((row) => [row[0], row]));
    expect([...newest.values()]).toEqual(await small.recomputed());

    const run = await client.workflow.getHandle(`materialize/${small.view}/incremental`).describe();
    await ui.openRun(run.workflowId, run.runId);
    await expect.poll(() => ui.text(), POLL).toContain('Commit: one snapshot under the run key');
    const text = await ui.text();
    for (const said of ['Extract: shard 1 of', 'Plan: pin the source snapshot']) {
      expect(text).toContain(said);
    }
    await shot('run-history');
    await ui.openRun(run.workflowId, run.runId, 'search-attributes');
    await expect.poll(() => ui.text(), POLL).toContain(`moraine_online.${small.view}`);
    await ui.openRun(run.workflowId, run.runId, 'memo');
    await expect.poll(() => ui.text(), POLL).toContain('"rowsWritten": "100"');
  });

  test('a wrong field is answered with the reason, where the result would be', async () => {
    const { settings, client } = await world();
    const { taskQueue } = settings;
    const mistakes = [
      ['materialize', '{"veiw": "airport_delay"}', 'the input of materialize is not right'],
      ['materialize', '{"view": "no_such_view"}', "There is no feature view 'no_such_view'"],
    ] as const;
    for (const [index, [workflowType, input, reason]] of mistakes.entries()) {
      const workflowId = `mistake-${index}`;
      await ui.start({ workflowId, taskQueue, workflowType, input });
      expect(await ended(client, workflowId)).toBe('FAILED');
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      await ui.openRun(workflowId, runId);
      await expect.poll(() => ui.text(), POLL).toContain(reason);
      if (index === 0) await shot('wrong-input');
    }
  });
});

test("a schedule's Backfill runs each interval once, also when it is asked for again", async () => {
  const { small, settings, client } = await world();
  const id = `materialize/${small.view}`;
  const timing = { everyMs: 1_800_000n, offsetMs: 0n };
  const input = materializeInput(small.view, timing);
  await createSchedule(client, settings.taskQueue, { id, workflow: 'materialize', input, timing, paused: true });
  await ui.openSchedule(id);
  await shot('schedule');
  const intervals = ['00:00', '00:30', '01:00', '01:30'].map((start) => Date.parse(`1970-01-01T${start}Z`) * 1000);
  const committed = async (): Promise<readonly number[]> => {
    const { metadata } = await small.online().catch(() => ({ metadata: { snapshots: [] } }));
    return metadata.snapshots
      .map(({ summary }) => Number(summary.get('moraine.window-start-us')))
      .sort((a, b) => a - b);
  };
  for (const times of [1, 2]) {
    await ui.openSchedule(id);
    await ui.backfill('1970-01-01T00:10', '1970-01-01T02:10', times === 1 ? picture('schedule-backfill') : undefined);
    await expect.poll(async () => (await describeSchedule(client, id)).taken, POLL).toBe(4 * times);
    await expect.poll(async () => (await describeSchedule(client, id)).running, POLL).toEqual([]);
    await expect.poll(committed, POLL).toEqual(intervals);
  }
});

test('a signal to a run makes it look again', async () => {
  const { small, settings, client } = await world();
  const handle = await client.workflow.start('materializeRun', {
    workflowId: `materialize/${small.view}/incremental`,
    taskQueue: 'nobody-yet',
    args: [{ view: small.view, searchAttributes: true }],
  });
  await ui.openRun(handle.workflowId, handle.firstExecutionRunId);
  await ui.signal('requested', '{}');
  const { events } = await handle.fetchHistory();
  const signals = (events ?? []).flatMap((event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? []);
  expect(signals).toEqual(['requested']);
  await handle.terminate();
  expect(settings.taskQueue).not.toBe('nobody-yet');
});
