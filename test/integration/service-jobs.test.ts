/** The paths of the HTTP service that start runs, with a Temporal server and a worker. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../activities/contract.js';
import { createMoraine, type Moraine, materializeViews } from '../../client/index.js';
import { type Service, startService } from '../../service/index.js';
import { createActivities } from '../../workers/index.js';
import { installQuietRuntime } from '../../workers/worker/native-runtime.js';
import { startFaultyConnections } from '../support/faulty-connection.js';
import { type Gate, gate } from '../support/gate.js';
import { lastingFolder } from '../support/temp-folder.js';
import { testSettings, WORKFLOWS } from '../support/temporal.js';

const RUN = randomUUID().slice(0, 8);
const [FIRST, SECOND] = [`first_${RUN}`, `second_${RUN}`];
const UI = 'http://ui.example:8233';
const ROWS = [
  'k,ts,v',
  '1,2026-01-01T00:00:00Z,10',
  '1,2026-01-02T00:00:00Z,20',
  '1,2026-01-02T00:00:00.000001Z,30',
  '1,2026-01-03T00:00:00Z,40',
];

interface Json {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

let moraine: Moraine;
let service: Service;
/** Plans wait for it. */
let planning: Gate;
/** What plans were asked for. */
const planned: Parameters<Activities['planMaterialization']>[0][] = [];
let stop: () => Promise<void>;

beforeAll(async () => {
  const { address, taskQueue, connection } = testSettings();
  const lasting = lastingFolder();
  const folder = lasting.path;
  const config = {
    temporal: { address, taskQueue, uiAddress: `${UI}/` },
    engine: { threads: 1 },
    online: { readTimeoutMs: 10_000 },
    server: { port: 0, maxStalenessMs: 1 },
  };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
  writeFileSync(join(folder, 'rows.csv'), `${ROWS.join('\n')}\n`);
  await moraine.appendFile('shop.a', join(folder, 'rows.csv'), { create: true });
  const featureViews = [FIRST, SECOND, `offline_${RUN}`].map((name) => ({
    name,
    entities: ['thing'],
    source: { table: 'shop.a', timestampField: 'ts' },
    online: !name.startsWith('offline'),
    features: ['v'],
  }));
  await moraine.apply({ entities: [{ name: 'thing', joinKeys: ['k'] }], featureViews });
  installQuietRuntime();
  planning = gate();
  planning.open();
  const activities: Activities = createActivities(moraine.project);
  const planMaterialization: Activities['planMaterialization'] = async (request) => {
    planned.push(request);
    await planning.opened;
    return activities.planMaterialization(request);
  };
  const native = await NativeConnection.connect(connection);
  const worker = await Worker.create({
    ...{ connection: native, taskQueue, ...WORKFLOWS, shutdownGraceTime: 0 },
    activities: { ...activities, planMaterialization },
  });
  const running = worker.run();
  service = await startService({ project: moraine.project, version: '', log: { write: () => undefined } });
  stop = async () => {
    await service.close();
    await moraine.close();
    worker.shutdown();
    await running;
    await native.close();
    lasting.remove();
  };
}, 60_000);
afterAll(() => stop());

async function post(path: string, body: object, url = service.url, signal?: AbortSignal): Promise<Json> {
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) };
  const answer = await fetch(`${url}${path}`, init);
  return { status: answer.status, body: (await answer.json()) as Json['body'] };
}

const online = async (view: string): Promise<unknown> => {
  const { body } = await post('/get-online-features', { entities: { k: [1] }, features: [`${view}:v`] });
  return (body['results'] as readonly { readonly values: readonly unknown[] }[])[1]?.values[0];
};
const idOf = (view: string, interval: string): Promise<string> =>
  moraine.project.identity().then((project) => `materialize/${view}/${interval}@${project}`);
const snapshotOf = async (view: string): Promise<string> =>
  String((await moraine.project.loadTable(`moraine_online.${view}`)).metadata.currentSnapshotId);
const runIdOf = ({ body }: Json): string => (body['workflows'] as readonly { run_id: string }[])[0]?.run_id ?? '';

test('a window holds both of its ends, and the answer comes when its rows are served', async () => {
  const body = { start_ts: '2026-01-01T00:00:00', end_ts: '2026-01-02 00:00:00+00:00', feature_views: [FIRST] };
  const feast = { disable_event_timestamp: false, full_feature_names: false, version: null };
  const answer = await post('/materialize', { ...body, ...feast });
  const id = await idOf(FIRST, '2026-01-01T00:00:00.000Z..2026-01-02T00:00:00.000001Z');
  const run_id = runIdOf(answer);
  expect(answer).toEqual({
    status: 200,
    body: {
      status: 'completed',
      feature_views: [FIRST],
      workflows: [
        {
          ...{ feature_view: FIRST, workflow_id: id, run_id, rows: 1, snapshot: await snapshotOf(FIRST) },
          url: `${UI}/namespaces/default/workflows/${encodeURIComponent(id)}/${run_id}`,
        },
      ],
    },
  });
  expect(await online(FIRST)).toBe(20);
});

test('an incremental run of all online views reads what is at or before its end', async () => {
  const answer = await post('/materialize-incremental', { end_ts: '2026-01-02T00:00:00.000001Z', feature_views: null });
  expect(answer).toMatchObject({ status: 200, body: { status: 'completed', feature_views: [FIRST, SECOND] } });
  expect([await online(FIRST), await online(SECOND)]).toEqual([30, 30]);
});

test('a run of the same interval is refused, or joined, and nothing else is started; a disconnect cancels nothing', async () => {
  planning = gate();
  const window = { start_ts: '2026-01-01', end_ts: '2026-01-03' };
  const leaving = new AbortController();
  const left = post('/materialize', { ...window, feature_views: [FIRST] }, service.url, leaving.signal);
  const id = await idOf(FIRST, '2026-01-01T00:00:00.000Z..2026-01-03T00:00:00.000001Z');
  await expect.poll(async () => (await moraine.runs()).map(({ workflowId }) => workflowId)).toContain(id);
  const before = (await moraine.runs()).length;

  const both = { ...window, feature_views: [SECOND, FIRST] };
  const message = `This interval of '${FIRST}' is being materialized already. Wait for that run, or join it.`;
  for (const path of ['/materialize', '/materialize?async=true']) {
    expect(await post(path, both)).toMatchObject({
      status: 409,
      body: { error: message, code: 'RUN_ALREADY_ACTIVE', feature_views: [FIRST] },
    });
  }
  expect(await moraine.runs()).toHaveLength(before);

  leaving.abort();
  await expect(left).rejects.toThrow('aborted');
  const joined = await post('/materialize?async=True&force=true', { ...window, feature_views: [FIRST] });
  expect(joined).toMatchObject({ status: 202, body: { status: 'accepted', workflows: [{ workflow_id: id }] } });
  planning.open();
  expect(await moraine.waitForRun(id)).toMatchObject({ status: 'COMPLETED' });
  expect(await online(FIRST)).toBe(40);
});

test('a run that begins while others are started is refused, and the error names those that go on', async () => {
  planning = gate();
  const window = { start: '2026-01-01', end: '2026-01-04' };
  // The third one is in flight when it is its turn, and was not when they were looked at.
  const requests = [SECOND, FIRST, SECOND].map((view) => ({ view, ...window }));
  await expect(materializeViews(moraine.project, requests)).rejects.toMatchObject({
    code: 'RUN_ALREADY_ACTIVE',
    message: `This interval of '${SECOND}' is being materialized already. Wait for that run, or join it. Started before that, and going on: '${SECOND}', '${FIRST}'.`,
    details: { views: [SECOND], started: [SECOND, FIRST] },
  });
  planning.open();
  for (const view of [SECOND, FIRST]) {
    const id = await idOf(view, '2026-01-01T00:00:00.000Z..2026-01-04T00:00:00.000Z');
    expect(await moraine.waitForRun(id)).toMatchObject({ status: 'COMPLETED' });
  }
});

test('backfills and compactions are started', async () => {
  const range = { view: SECOND, start: '2026-01-01', end: '2026-01-05', step: '1d' };
  const backfill = await post('/backfill', { ...range, newestFirst: true, concurrency: 1, windowsPerCommit: 2 });
  const [run] = backfill.body['workflows'] as readonly { readonly workflow_id: string; readonly url: string }[];
  expect(backfill).toMatchObject({ status: 202, body: { status: 'accepted', feature_views: [SECOND] } });
  expect(run?.workflow_id).toMatch(/^backfill\/second_\w+\/2026-01-01T00:00:00.000Z\.\.2026-01-05T00:00:00.000Z\/1d@/);
  expect(run?.url).toBe(
    `${UI}/namespaces/default/workflows/${encodeURIComponent(run?.workflow_id ?? '')}/${runIdOf(backfill)}`,
  );
  expect(await moraine.waitForRun(run?.workflow_id ?? '')).toMatchObject({ status: 'COMPLETED' });
  expect(await online(SECOND)).toBe(40);

  const compact = await post('/compact', { table: 'shop.a', strategy: 'binpack' });
  expect(compact).toMatchObject({ status: 202, body: { status: 'accepted', table: 'shop.a' } });
  const [asked] = compact.body['workflows'] as readonly { readonly workflow_id: string }[];
  expect(await moraine.waitForRun(asked?.workflow_id ?? '')).toMatchObject({ status: 'COMPLETED' });
});

const WINDOW = { start_ts: '2026-01-01', end_ts: '2026-01-02', feature_views: [FIRST] };
test.each([
  ['/materialize', { ...WINDOW, feature_views: [FIRST.toUpperCase()] }, 404, 'FEATURE_VIEW_NOT_FOUND'],
  ['/materialize', { ...WINDOW, start_ts: '2026-01-03' }, 400, 'start_ts 2026-01-03 is after its end_ts 2026-01-02'],
  ['/materialize', { ...WINDOW, end_ts: null }, 400, "The body has no 'end_ts'"],
  ['/materialize', { ...WINDOW, end_ts: 'tomorrow' }, 400, 'end_ts "tomorrow": it is not ISO-8601'],
  ['/materialize', { ...WINDOW, disable_event_timestamp: true }, 501, "The body's disable_event_timestamp"],
  ['/materialize', { ...WINDOW, full_feature_names: true }, 501, "The body's full_feature_names"],
  ['/materialize', { ...WINDOW, version: 'v2' }, 501, "The body's version is not supported: views have no versions"],
  ['/materialize', { ...WINDOW, views: [FIRST] }, 400, "unknown field 'views'. There are 'start_ts'"],
  ['/materialize?async=yes', WINDOW, 400, "The query's async must be one of true, false, True, False"],
  ['/materialize?wait=no', WINDOW, 400, "The query has an unknown field 'wait'"],
  ['/materialize-incremental', {}, 400, "The body has no 'end_ts'"],
  ['/backfill', { view: FIRST, start: '2026-01-01', end: '2026-01-02' }, 400, "The body has no 'step'"],
  [
    '/backfill',
    { view: FIRST, start: '2026-01-01', end: '2026-01-02', step: '1d', concurrency: 17 },
    400,
    '"concurrency"',
  ],
  ['/compact', { table: 'shop.none', strategy: 'binpack' }, 404, 'TABLE_NOT_FOUND'],
])('POST %s %j is refused', async (path, body, status, text) => {
  const answer = await post(path, body);
  expect(answer.status).toBe(status);
  expect(JSON.stringify(answer.body, undefined, 1).replaceAll('\\"', '"')).toContain(text);
});

test('without Temporal runs are refused and reads go on; when the server is there again, so are runs', async () => {
  const { project } = moraine;
  const proxy = await startFaultyConnections(Number(project.config.temporal.address?.split(':')[1]));
  let isAway = true;
  proxy.fateOf = () => (isAway ? 'drop' : 'pass');
  const temporal = { ...project.config.temporal, address: `127.0.0.1:${proxy.port}` };
  const server = { ...project.config.server, shutdownTimeoutMs: 500 };
  const behind = await startService({
    project: Object.create(project, { config: { value: { ...project.config, temporal, server } } }) as typeof project,
    port: 0,
    version: '',
    log: { write: () => undefined },
  });
  try {
    const bodies = {
      '/materialize': WINDOW,
      '/materialize-incremental': { end_ts: '2026-01-02', feature_views: [FIRST] },
      '/backfill': { view: FIRST, start: '2026-01-01', end: '2026-01-02', step: '1d' },
      '/compact': { table: 'shop.a', strategy: 'binpack' },
    };
    const away = await Promise.all(
      Object.entries(bodies).map(async ([path, body]) => {
        const { status, body: answered } = await post(path, body, behind.url);
        return [path, status, answered['code']];
      }),
    );
    expect(away).toEqual(Object.keys(bodies).map((path) => [path, 503, 'TEMPORAL_UNAVAILABLE']));
    const question = { entities: { k: [1] }, features: [`${FIRST}:v`] };
    expect((await post('/get-online-features', question, behind.url)).status).toBe(200);
    isAway = false;
    expect((await post('/materialize', WINDOW, behind.url)).status).toBe(200);

    planning = gate();
    const waiting = post('/materialize?force=true', WINDOW, behind.url);
    const id = await idOf(FIRST, '2026-01-01T00:00:00.000Z..2026-01-02T00:00:00.000001Z');
    await expect.poll(async () => (await moraine.run(id)).status, { timeout: 20_000 }).toBe('RUNNING');
    await behind.close();
    const error = `The service stopped before the runs of '${FIRST}' had ended. They go on.`;
    expect(await waiting).toMatchObject({ status: 503, body: { error, code: 'SERVICE_CLOSING' } });
    planning.open();
    expect(await moraine.waitForRun(id)).toMatchObject({ status: 'COMPLETED' });
  } finally {
    planning.open();
    await behind.close();
    await proxy.close();
  }
});

test.each(['/materialize', '/materialize-incremental'])(
  '%s: the engine and the shards of the body are the run’s',
  async (path) => {
    const window = {
      ...(path === '/materialize' ? { start_ts: '2026-01-02T00:00:00Z' } : {}),
      ...{ end_ts: '2026-01-04T00:00:00Z', feature_views: [SECOND] },
    };
    const done = await post(path, { ...window, engine: 'duckdb', shards: 3 });
    expect(done).toMatchObject({ status: 200, body: { status: 'completed', feature_views: [SECOND] } });
    expect(planned.at(-1)).toMatchObject({ view: SECOND, engine: 'duckdb', shards: 3 });

    const [started, end_ts] = [planned.length, '2026-01-05T00:00:00Z'];
    const accepted = await post(`${path}?async=true`, { ...window, end_ts, engine: 'trino' });
    expect(accepted).toMatchObject({ status: 202, body: { status: 'accepted' } });
    await expect
      .poll(() => planned.slice(started).map(({ engine, shards }) => [engine, shards]))
      .toEqual([['trino', undefined]]);

    for (const wrong of [{ engine: 'spark' }, { shards: 0 }, { shards: 1.5 }])
      expect(await post(path, { ...window, ...wrong })).toMatchObject({ status: 400 });
    expect(await post(path, { ...window, engine: null, shards: null })).toMatchObject({ status: 200 });
  },
);
