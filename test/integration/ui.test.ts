/**
 * Temporal's web UI as people use it, in Chromium: workflows are started from JSON, mistakes are answered readably, a schedule's Backfill runs
 * each interval once, and a run shows what it does and takes what it is told. With MORAINE_SCREENSHOTS=1 the pictures of `docs/workflows.md` are made anew.
 */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BackfillProgress } from '../../activities/backfill-contract.js';
import type { AllActivities } from '../../activities/index.js';
import { createSchedule, describeSchedule, listSchedules, materializeInput } from '../../schedules/index.js';
import { createActivities, type ServerSettings } from '../../workers/index.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { projectRoot } from '../support/paths.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testWorker } from '../support/temporal.js';
import { TemporalUi, VIEWPORT } from '../support/temporal-ui.js';
import { withPolicy } from '../support/with-policy.js';

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

const POLICY = '  - { tables: "moraine_online.*", compact: { strategy: latest, amplification: 2 }, maintain: {} }\n';

/** @param changes activities that are not the real ones */
async function world(changes: (real: AllActivities) => Partial<AllActivities> = () => ({})): Promise<World> {
  const small = await SmallProject.create();
  await small.append(7_200); // two hours of 1970
  const activities = createActivities(await withPolicy(small.folder, POLICY));
  const settings = { ...server.settings(), taskQueue: small.view.replace('readings', 'moraine') };
  await testWorker(settings, { ...activities, ...changes(activities) });
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
    ['maintainTables', () => ({ policy: true })],
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

    const project = await small.project.identity();
    const run = await client.workflow.getHandle(`materialize/${small.view}/incremental@${project}`).describe();
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

  test('a wrong or missing field is answered with the reason, where the result would be', async () => {
    const { settings, client } = await world();
    const { taskQueue } = settings;
    const mistakes = [
      ['materialize', '{"veiw": "airport_delay"}', 'the input of materialize is not right'],
      ['materialize', '{"view": "no_such_view"}', "There is no feature view 'no_such_view'"],
      ['backfill', '{"view": "airport_delay", "start": "1970-01-01", "end": "1970-01-02"}', '"step" must be given'],
      ['compact', '{"table": "demo.readings"}', 'The input of compact is not right: "strategy"'],
      ['maintain', '{"table": "demo.readings", "olderThan": "soon"}', '"olderThan": is not a duration such as 5d'],
      ['maintainTables', '{"table": "demo.readings"}', 'it is always {"policy": true}'],
    ] as const;
    for (const [index, [workflowType, input, reason]] of mistakes.entries()) {
      const workflowId = `mistake-${index}`;
      await ui.start({ workflowId, taskQueue, workflowType, input });
      expect(await ended(client, workflowId)).toBe('FAILED');
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      await ui.openRun(workflowId, runId);
      await expect.poll(async () => (await ui.text()).replaceAll('\\"', '"'), POLL).toContain(reason);
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

describe('a backfill in flight', () => {
  /** Its first two windows are committed; the others wait until they may be read. */
  async function inFlight() {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = 0;
    const made = await world((real) => ({
      stageWindow: async (window) => {
        begun += 1;
        if (begun > 2) await released;
        return real.stageWindow(window);
      },
    }));
    onTestFinished(release);
    const { small, settings, client } = made;
    const { taskQueue } = settings;
    const timing = { everyMs: 1_800_000n, offsetMs: 0n };
    const id = `materialize/${small.view}`;
    await createSchedule(client, taskQueue, {
      id,
      workflow: 'materialize',
      input: { view: small.view },
      timing,
      paused: true,
    });
    await expect
      .poll(async () => (await listSchedules(client, { project: null, registry: null, taskQueue })).length, POLL)
      .toBe(1);
    const range = { start: '1970-01-01T00:00Z', end: '1970-01-01T02:00Z', step: '10m' };
    const input = JSON.stringify({ view: small.view, ...range, windowsPerCommit: 2 });
    const workflowId = `by-hand-${small.view}`;
    await ui.start({ workflowId, taskQueue, workflowType: 'backfill', input });
    const name = `${small.view}/1970-01-01T00:00:00.000Z..1970-01-01T02:00:00.000Z/10m`;
    const run = client.workflow.getHandle(`backfill/${name}@${await small.project.identity()}`);
    const windowsDone = async () => {
      const { memo } = await run.describe();
      return (memo?.['progress'] as { windowsDone?: number } | undefined)?.windowsDone;
    };
    await expect.poll(() => windowsDone().catch(() => undefined), POLL).toBe(2);
    const { runId } = await run.describe();
    return { ...made, workflowId, run, runId, name, release };
  }

  test('shows plan, progress and links, takes signals and updates, and answers how far it is', async () => {
    const { small, client, workflowId, run, runId, name, release } = await inFlight();
    await ui.openRun(workflowId, (await client.workflow.getHandle(workflowId).describe()).runId, 'user-metadata');
    const link = ui.markdown('current-details').getByRole('link', { name: run.workflowId });
    const [opened] = await Promise.all([ui.page.context().waitForEvent('page'), link.click()]);
    await opened.waitForURL(new RegExp(`/workflows/${encodeURIComponent(run.workflowId)}/${runId}`));
    await opened.close();

    await ui.openRun(run.workflowId, runId, 'user-metadata');
    await expect.poll(() => ui.markdown('summary').locator('body').innerText(), POLL).toContain(`Backfill ${name}`);
    const facts = ui.markdown('current-details').getByRole('listitem');
    // Ten minutes have 600 readings of 100 sensors, of each of which the newest is kept.
    await expect
      .poll(() => facts.allInnerTexts(), POLL)
      .toEqual([
        'plan: 12 windows, 12 with rows, unknown time',
        'source demo.readings: 1 file, 7200 rows',
        `schedules of the view: materialize/${small.view}`,
        'windows: 2 of 12, 0 failed',
        'at a time: 2',
        'rows written: 200 in 1 commit',
      ]);
    expect(await facts.getByRole('link').getAttribute('href')).toBe(
      `/namespaces/default/schedules/${encodeURIComponent(`materialize/${small.view}`)}`,
    );
    await shot('details');
    // The editor has the lines alone that fit: how many, depends on the length of paths.
    await ui.page.setViewportSize({ width: 1200, height: 1500 });
    await ui.openRun(run.workflowId, runId, 'memo');
    await expect.poll(() => ui.text(), POLL).toMatch(/"windowsWithRows": 12,[^]*"windowsDone": 2,/);
    await ui.page.setViewportSize(VIEWPORT);
    await ui.openRun(run.workflowId, runId, 'search-attributes');
    await expect.poll(() => ui.text(), POLL).toContain(`"MoraineView": "${small.view}"`);

    await ui.openRun(run.workflowId, runId);
    const refused = await ui.update('changeConcurrency', '99');
    await expect.poll(() => refused.innerText(), POLL).toContain('the concurrency is a number from 1 to 16, not 99');
    expect(await refused.innerText()).not.toContain('workflows/');
    await ui.openRun(run.workflowId, runId);
    await ui.update('changeConcurrency', '3');
    const progress = () => run.query<{ step: string; concurrency: number }>('progress');
    await expect.poll(async () => (await progress()).concurrency, POLL).toBe(3);
    await ui.openRun(run.workflowId, runId);
    expect(await ui.signalOffered('pause')).toContain('Begins no further window.');
    await ui.openRun(run.workflowId, runId, 'query');
    await ui.query('progress');
    await expect.poll(() => ui.text(), POLL).toMatch(/"step": "paused",\s+"concurrency": 3,\s+"windowsTotal": 12,/);
    await shot('progress');
    await ui.openRun(run.workflowId, runId);
    await ui.signalOffered('resume');
    release();
    expect(await ended(client, workflowId)).toBe('COMPLETED');
    const newest = new Map((await small.onlineRows()).map((row) => [row[0], row]));
    expect([...newest.values()]).toEqual(await small.recomputed());
  });
});

test('the failed windows of a backfill in flight are tried again by the signal retry', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { small, settings, client } = await world((real) => ({
    stageWindow: async (window) => {
      // The first window keeps the backfill in flight.
      if (window.startUs === String(6_000_000_000)) await released;
      return real.stageWindow(window);
    },
  }));
  onTestFinished(release);
  const data = join(small.folder, 'warehouse', ...small.table.split('.'), 'data');
  const before = readdirSync(data);
  await small.append(600, 7_200);
  const [lost = ''] = readdirSync(data).filter((name) => !before.includes(name) && name.endsWith('.parquet'));
  renameSync(join(data, lost), join(data, `${lost}.away`));

  const range = { start: '1970-01-01T01:40Z', end: '1970-01-01T02:10Z', step: '10m' };
  const input = JSON.stringify({ view: small.view, ...range, windowsPerCommit: 1 });
  const workflowId = `by-hand-${small.view}`;
  await ui.start({ workflowId, taskQueue: settings.taskQueue, workflowType: 'backfill', input });
  const run = client.workflow.getHandle(
    `backfill/${small.view}/1970-01-01T01:40:00.000Z..1970-01-01T02:10:00.000Z/10m@${await small.project.identity()}`,
  );
  const told = async () => {
    const { memo } = await run.describe();
    const { windowsDone, windowsFailed, failed } = memo?.['progress'] as BackfillProgress;
    return [windowsDone, windowsFailed, ...failed.map(({ window, code }) => `${window} ${code}`)];
  };
  await expect
    .poll(() => told().catch(() => []), POLL)
    .toEqual([1, 1, '1970-01-01T02:00:00.000Z..1970-01-01T02:10:00.000Z FILE_NOT_FOUND']);

  const { runId } = await run.describe();
  await ui.openRun(run.workflowId, runId, 'user-metadata');
  const facts = ui.markdown('current-details').getByRole('listitem');
  await expect.poll(() => facts.allInnerTexts(), POLL).toContain('windows: 1 of 3, 1 failed');
  renameSync(join(data, `${lost}.away`), join(data, lost));
  await ui.openRun(run.workflowId, runId);
  expect(await ui.signalOffered('retry')).toContain(
    'Tries the windows again that have failed; after a hundred failures also those that were not begun.',
  );
  release();
  expect(await ended(client, workflowId)).toBe('COMPLETED');
  expect(await told()).toEqual([3, 0]);
  await ui.openRun(run.workflowId, runId);
  await expect.poll(() => ui.text(), POLL).toMatch(/"windows": ?3/);
  expect((await small.onlineRows()).filter(([, second]) => Number(second) >= 7_200)).toEqual(await small.recomputed());
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
