/**
 * The HTTP service of a project on S3 (MinIO) with a REST catalog (Java's): what it answers, what it sees of other writers, and what it does while
 * the store or the catalog is down or does not answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Moraine } from '../../client/index.js';
import { parseType } from '../../iceberg/index.js';
import { createActivities } from '../../workers/index.js';
import { type RemoteAnswer, type RemoteService, startRemoteService } from '../support/remote-service.js';
import { type RestServer, s3OfRest, startRestServer } from '../support/rest-server.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { startServiceProcess } from '../support/service-process.js';
import { testSettings, testWorker } from '../support/temporal.js';

let store: ServerWithUsers;
let rest: RestServer;
beforeAll(async () => {
  store = await startMinio();
  await store.makeBucket('lake');
  vi.stubEnv('LAKE_SECRET_KEY', store.options['s3.secret-access-key'] ?? '');
  rest = await startRestServer('s3://lake/rest', s3OfRest(store));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([store.close(), rest.close()]);
});

const DEFINITIONS = {
  entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
  featureViews: [
    {
      name: 'trips',
      entities: ['driver'],
      source: { table: 'demo.t', timestampField: 'event_ts' },
      features: [{ name: 'count', type: 'long' }],
      online: true,
      pushSource: 'events',
    },
  ],
};
const T1 = '2026-03-01T00:00:00Z';
const T2 = '2026-03-02T00:00:00Z';
const T3 = '2026-03-03T00:00:00Z';

async function define(other: Moraine): Promise<void> {
  const types = { driver_id: 'long', event_ts: 'timestamptz', count: 'long' };
  const fields = Object.entries(types).map(([name, type], index) => {
    return { id: index + 1, name, required: false, type: parseType(type) };
  });
  await other.createTable('demo.t', { schema: { schemaId: 0, identifierFieldIds: [], fields } });
  await other.apply(DEFINITIONS);
  await write(other, 1, T1, 10);
}

/** What another process writes. */
async function write(other: Moraine, driver: number, time: string, count: number): Promise<bigint | null> {
  const rows = [{ driver_id: driver, event_ts: time, count }];
  return (await other.onlineWriteBatch({ view: 'trips', rows })).snapshotId;
}

const QUESTION = { entities: { driver_id: [1, 2] }, features: ['trips:count'] };
const read = ({ post }: RemoteService): Promise<RemoteAnswer> => post('/get-online-features', QUESTION);
const valuesOf = ({ body }: RemoteAnswer): unknown =>
  (body['results'] as readonly { readonly values: readonly unknown[] }[] | undefined)?.[1]?.values;
const outcomeOf = (answer: RemoteAnswer): unknown => [answer.status, answer.body['code'] ?? valuesOf(answer)];

const MAX_STALENESS_MS = 2_000;
// A machine that is busy must not shed reads that wait for a store.
const SERVER = { port: 0, maxStalenessMs: MAX_STALENESS_MS, groupCommitMs: 50, queueTimeoutMs: 10_000 };
const start = (online = {}, server = {}) =>
  startRemoteService({ store, rest }, { server: { ...SERVER, ...server }, online }, define);

/** The snapshot that an answer is of, by its id. */
const snapshotIn = ({ headers }: RemoteAnswer) => headers.get('moraine-snapshots')?.split(';')[0];
/** The snapshot that a read is answered from. */
const snapshotOf = async (remote: RemoteService) => snapshotIn(await read(remote));

test('reads, writes, retrieval and the state are those of a project on files', async () => {
  // A machine that is busy may need more than the usual 100 ms for a look at the store.
  const remote = await start({ readTimeoutMs: 60_000 });
  expect((await remote.get('/health')).body).toEqual({ status: 'ok' });
  const ready = await remote.get('/ready');
  expect([ready.status, ready.body]).toEqual([200, expect.objectContaining({ status: 'ready' })]);
  expect(outcomeOf(await read(remote))).toEqual([200, [10, null]]);

  const df = { driver_id: [2], event_timestamp: [T2], count: [20] };
  const written = await remote.post('/write-to-online-store', { feature_view_name: 'trips', df });
  expect([written.status, written.body]).toEqual([200, expect.objectContaining({ rows: 1 })]);
  expect(outcomeOf(await read(remote))).toEqual([200, [10, 20]]);
  const there = await remote.other.getOnlineFeatures({ view: 'trips', entities: [{ driver_id: 2 }] });
  expect(there.rowsByName[0]?.['count']?.value).toBe(20n);

  // A commit of another process.
  const id = await write(remote.other, 1, T3, 11);
  const minSnapshot = { 'moraine-min-snapshot': `trips=${id}` };
  expect(outcomeOf(await remote.post('/get-online-features', QUESTION, minSnapshot))).toEqual([200, [11, 20]]);
  const later = await write(remote.other, 1, T3, 12);
  await expect.poll(() => snapshotOf(remote), { timeout: MAX_STALENESS_MS, interval: 50 }).toBe(`trips=${later}`);
  expect(valuesOf(await read(remote))).toEqual([12, 20]);

  const entities = { driver_id: [1], event_timestamp: [T2] };
  const historical = await remote.post('/get-historical-features', { entities, features: ['trips'] });
  expect([historical.status, historical.body]).toEqual([
    200,
    [{ driver_id: 1, event_timestamp: '2026-03-02T00:00:00.000000Z', count: null }],
  ]);
});

test('pushes, definitions, batches, files, pages and a second process are those of a project on files', async () => {
  const remote = await start({ readTimeoutMs: 60_000 });
  const push = (to: string, driver: number, count: number, key?: string): Promise<RemoteAnswer> =>
    remote.post(
      '/push',
      { push_source_name: 'events', df: { driver_id: [driver], event_ts: [T2], count: [count] }, to },
      key === undefined ? {} : { 'idempotency-key': key },
    );
  /** Rows of the source table, as its data files say. */
  const sourceRows = async (): Promise<number> => {
    const { status, body } = await remote.get('/tables/demo/t/files');
    expect([status, body['table'], body['warning']]).toEqual([200, 'demo.t', null]);
    const files = body['files'] as readonly { readonly path: string; readonly rows: number }[];
    expect(files.map(({ path }) => path).filter((path) => !path.startsWith('s3://lake/rest/'))).toEqual([]);
    return files.reduce((sum, { rows }) => sum + rows, 0);
  };
  const TEXT = expect.any(String) as unknown;
  const toTable = [{ table: 'demo.t', snapshot: TEXT }];
  const toView = [{ feature_view_name: 'trips', snapshot: TEXT }];

  // To the online table, the source table, and both.
  expect(outcomeOf(await push('online', 2, 20))).toEqual([200, undefined]);
  expect(valuesOf(await read(remote))).toEqual([10, 20]);
  const offline = await push('offline', 1, 99);
  expect([offline.status, offline.body]).toEqual([
    200,
    { push_source_name: 'events', to: 'offline', rows: 1, tables: toTable, feature_views: [] },
  ]);
  expect([await sourceRows(), valuesOf(await read(remote))]).toEqual([1, [10, 20]]);

  // Under a key a push is done once.
  const both = await push('online_and_offline', 1, 12, 'k');
  expect([both.status, both.body]).toEqual([
    200,
    { push_source_name: 'events', to: 'online_and_offline', rows: 1, tables: toTable, feature_views: toView },
  ]);
  const again = await push('online_and_offline', 1, 12, 'k');
  expect([again.status, again.body]).toEqual([200, both.body]);
  const reused = await push('online_and_offline', 1, 13, 'k');
  expect([reused.status, reused.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  expect([await sourceRows(), await snapshotOf(remote)]).toEqual([
    2,
    `trips=${(both.body['feature_views'] as readonly { readonly snapshot: string }[])[0]?.snapshot}`,
  ]);
  expect(valuesOf(await read(remote))).toEqual([12, 20]);

  // Another process on the same tables has them, and repeats the answer to the key.
  const { url } = await startServiceProcess(remote.folder);
  const ask = async (path: string, body: unknown, headers = {}): Promise<RemoteAnswer> => {
    const answer = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as RemoteAnswer['body'] };
  };
  expect(outcomeOf(await ask('/get-online-features', QUESTION))).toEqual([200, [12, 20]]);
  const df = { driver_id: [1], event_ts: [T2], count: [12] };
  const repeated = { push_source_name: 'events', df, to: 'online_and_offline' };
  expect((await ask('/push', repeated, { 'idempotency-key': 'k' })).body).toEqual(both.body);
  const later = await push('online', 2, 21);
  const minSnapshot = { 'moraine-min-snapshot': later.headers.get('moraine-snapshots') };
  expect(outcomeOf(await ask('/get-online-features', QUESTION, minSnapshot))).toEqual([200, [12, 21]]);

  // A view that is registered over HTTP, and read from the source table.
  const definition = {
    ...{ name: 'rides', entities: ['driver'], features: [{ name: 'count', dtype: 'INT64' }], online: false },
    source: { schema: 'demo', table_name: 't', timestamp_field: 'event_ts' },
  };
  for (const status of [201, 201])
    expect(await remote.post('/feast/features', definition)).toMatchObject({ status, body: { name: 'rides' } });
  const differing = await remote.post('/feast/features', { ...definition, description: 'Others.' });
  expect([differing.status, differing.body['code']]).toEqual([409, 'DEFINITION_ALREADY_EXISTS']);
  expect((await remote.get('/feast/status')).body).toMatchObject({ feature_views: ['rides', 'trips'] });
  const entities = [{ driver_id: 1 }, { driver_id: 3 }];
  const batch = await remote.post('/feast/predictions/batch', { feature_views: ['rides'], entities });
  expect([batch.status, batch.body['results'], batch.body['snapshots']]).toEqual([
    200,
    [
      expect.objectContaining({ features: { count: 12 }, statuses: { count: 'PRESENT' } }),
      expect.objectContaining({ features: { count: null }, statuses: { count: 'NOT_FOUND' } }),
    ],
    { rides: { table: 'demo.t', snapshot: (both.body['tables'] as typeof toTable)[0]?.snapshot } },
  ]);

  // The pages.
  const page = async (path: string, form?: string): Promise<string> => {
    const sent = form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) };
    const answer = await fetch(`${remote.service.url}${path}`, sent);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    return await answer.text();
  };
  expect(await page('/ui/')).toMatch(/trips.*served/s);
  expect(await page('/ui/entity?view=trips', 'key.driver_id=2')).toMatch(/<span class="value">21<\/span>.*PRESENT/s);
  expect(await page('/ui/tables/moraine_online.trips')).toMatch(/Snapshots/);
});

test('runs that clients start are those of a project on files: materializations, a backfill, compactions', async () => {
  const { address, taskQueue, ...settings } = testSettings();
  const config = { server: SERVER, online: { readTimeoutMs: 60_000 }, temporal: { address, taskQueue } };
  const remote = await startRemoteService({ store, rest }, config, define);
  await testWorker({ ...settings, address, taskQueue }, createActivities(remote.other.project));
  const append = async (driver: number, time: string, count: number): Promise<void> => {
    const df = { driver_id: [driver], event_ts: [time], count: [count] };
    const body = { push_source_name: 'events', df, to: 'offline' };
    expect((await remote.post('/push', body)).status).toBe(200);
  };
  type Runs = readonly Readonly<Record<string, unknown>>[];
  const runOf = ({ body }: RemoteAnswer): Runs[number] => (body['workflows'] as Runs)[0] ?? {};
  /** Waits for the end of what was accepted. */
  const ended = async (answer: RemoteAnswer): Promise<unknown> => {
    expect([answer.status, answer.body['status']]).toEqual([202, 'accepted']);
    return (await remote.other.waitForRun(String(runOf(answer)['workflow_id']))).status;
  };
  const files = async (table: string): Promise<readonly number[]> => {
    const { status, body } = await remote.get(`/tables/${table}/files`);
    const listed = body['files'] as readonly { readonly path: string; readonly rows: number }[];
    expect([status, listed.filter(({ path }) => !path.startsWith('s3://lake/rest/'))]).toEqual([200, []]);
    return listed.map(({ rows }) => rows);
  };
  const newestSnapshot = async (): Promise<string> =>
    String((await remote.other.project.loadTable('moraine_online.trips')).metadata.currentSnapshotId);
  /** Reads what the online table has now, whoever wrote it. */
  const readNewest = async (): Promise<unknown> => {
    const headers = { 'moraine-min-snapshot': `trips=${await newestSnapshot()}` };
    return outcomeOf(await remote.post('/get-online-features', QUESTION, headers));
  };

  // Both ends of a window are in it, and its snapshot is there when the answer comes. The first run carries the row that was written over.
  for (const [driver, time, count] of [
    [1, T2, 20],
    [2, T2, 30],
    [2, '2026-03-02T00:00:00.000001Z', 31],
    [2, T3, 40],
  ] as const)
    await append(driver, time, count);
  expect(await readNewest()).toEqual([200, [10, null]]);
  const window = { start_ts: T1, end_ts: T2, feature_views: ['trips'] };
  const materialized = await remote.post('/materialize', window);
  expect([materialized.status, materialized.body]).toMatchObject([
    200,
    { status: 'completed', feature_views: ['trips'], workflows: [{ feature_view: 'trips', rows: 3 }] },
  ]);
  expect(runOf(materialized)['snapshot']).toBe(await newestSnapshot());
  expect(await readNewest()).toEqual([200, [20, 30]]);

  const backfill = { view: 'trips', start: '2026-03-02', end: '2026-03-03', step: '1d' };
  expect(await ended(await remote.post('/backfill', backfill))).toBe('COMPLETED');
  expect(await readNewest()).toEqual([200, [20, 31]]);

  const incremental = await remote.post('/materialize-incremental', { end_ts: T3 });
  expect([incremental.status, incremental.body]).toMatchObject([
    200,
    { status: 'completed', feature_views: ['trips'] },
  ]);
  expect(await readNewest()).toEqual([200, [20, 40]]);

  await append(1, '2026-02-01T00:00:00Z', 1);
  expect(await files('demo/t')).toEqual([1, 1, 1, 1, 1]);
  expect(await ended(await remote.post('/compact', { table: 'demo.t', strategy: 'binpack' }))).toBe('COMPLETED');
  expect(await files('demo/t')).toEqual([5]);
  const latest = { table: 'moraine_online.trips', strategy: 'latest' };
  expect(await ended(await remote.post('/compact', latest))).toBe('COMPLETED');
  // The newest row of each, and the one that was written and is in no source.
  expect((await files('moraine_online/trips')).reduce((sum, rows) => sum + rows, 0)).toBe(3);
  expect(await readNewest()).toEqual([200, [20, 40]]);
});

test.each([
  ['the catalog cuts connections', 'catalog', 'down', 'CATALOG_UNAVAILABLE'],
  ['the catalog does not answer', 'catalog', 'hang', 'CATALOG_UNAVAILABLE'],
  ['the store cuts connections', 'store', 'down', 'STORAGE_UNAVAILABLE'],
  ['the store does not answer', 'store', 'hang', 'CATALOG_UNAVAILABLE'],
] as const)(
  'while %s, reads are answered within maxStalenessMs and then with 503, until it is over',
  async (_, which, how, code) => {
    const remote = await start();
    const first = await snapshotOf(remote);
    remote[which][how]();
    // A commit of another process that the service cannot see whole.
    const later = await write(remote.other, 1, T3, 11);
    const answers: RemoteAnswer[] = [];
    do {
      await sleep(100);
      answers.push(await read(remote));
    } while (answers.at(-1)?.body['code'] !== code);
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBeGreaterThan(1);
    for (const answer of good) {
      expect([valuesOf(answer), snapshotIn(answer)]).toEqual([[10, null], first]);
      expect(Number(answer.headers.get('moraine-staleness-ms'))).toBeLessThanOrEqual(MAX_STALENESS_MS);
    }
    const refused = answers.slice(good.length);
    for (const { status, headers, body } of refused) {
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(body).toEqual({
        error: expect.stringMatching(/^[A-Z].*\.$/s) as string,
        code: body['code'],
        remedy: expect.stringMatching(/try again/) as string,
      });
      expect(body['code']).toMatch(/^(CATALOG|STORAGE)_UNAVAILABLE$/);
    }
    const ready = await remote.get('/ready');
    expect([ready.status, ready.body['status']]).toEqual([503, 'not ready']);
    expect((await remote.get('/health')).status).toBe(200);
    remote[which].up();
    await expect.poll(() => snapshotOf(remote), { timeout: 180_000, interval: 100 }).toBe(`trips=${later}`);
    expect(outcomeOf(await read(remote))).toEqual([200, [11, null]]);
    expect((await remote.get('/ready')).status).toBe(200);
  },
);

test.each(['store', 'catalog'] as const)('while the %s answers late, hot reads do not wait for it', async (which) => {
  // Longer than a read may take, so that one that waited for a single request would fail.
  const [delayMs, readTimeoutMs, maxStalenessMs] = [800, 400, 20_000];
  const remote = await start({ readTimeoutMs }, { maxStalenessMs });
  const first = await read(remote);
  expect(outcomeOf(first)).toEqual([200, [10, null]]);
  remote[which].slow(delayMs);
  const values = new Map([[snapshotIn(first), 10]]);
  const answers: RemoteAnswer[] = [];
  for (const count of [11, 12]) {
    const wanted = `trips=${await write(remote.other, 1, T3, count)}`;
    values.set(wanted, count);
    do {
      answers.push(await read(remote));
      await sleep(20);
    } while (answers.at(-1)?.status === 200 && snapshotIn(answers.at(-1) ?? first) !== wanted);
  }
  for (const answer of answers) {
    expect(outcomeOf(answer)).toEqual([200, [values.get(snapshotIn(answer)), null]]);
    expect(Number(answer.headers.get('moraine-staleness-ms'))).toBeLessThanOrEqual(maxStalenessMs);
  }
  // The commits came later than reads that were answered meanwhile.
  const snapshots = answers.map(snapshotIn);
  expect([...new Set(snapshots)]).toEqual([...values.keys()]);
});

test('while new rows take longer than maxStalenessMs to arrive, reads have the old ones within it, and then 503', async () => {
  const remote = await start();
  expect(outcomeOf(await read(remote))).toEqual([200, [10, null]]);
  remote.store.slow(3 * MAX_STALENESS_MS, /\.parquet/);
  await write(remote.other, 1, T3, 11);
  const answers: RemoteAnswer[] = [];
  do {
    await sleep(50);
    answers.push(await read(remote));
  } while (JSON.stringify(valuesOf(answers.at(-1) as RemoteAnswer)) !== '[11,null]');
  const outcomes = answers.map((answer) => JSON.stringify(outcomeOf(answer)));
  // Each of them for a while, in this order.
  expect(outcomes.filter((outcome, place) => outcome !== outcomes[place - 1])).toEqual([
    '[200,[10,null]]',
    '[503,"STORAGE_UNAVAILABLE"]',
    '[200,[11,null]]',
  ]);
  for (const { status, headers, body } of answers) {
    if (status === 200) expect(Number(headers.get('moraine-staleness-ms'))).toBeLessThanOrEqual(MAX_STALENESS_MS);
    else {
      expect(headers.get('retry-after')).toBe('1');
      expect(body['error']).toMatch(
        /^The decoded rows of feature view 'trips' are \d+ ms old, and may be 2000 ms old \(maxStalenessMs\)\. Newer ones at s3:\/\/lake\/rest\/\S+ are being read and did not come within 100 ms \(readTimeoutMs\)\.$/,
      );
      expect(body['remedy']).toMatch(/^Check how fast the storage answers .* longer maxStalenessMs\.$/);
    }
  }
});
