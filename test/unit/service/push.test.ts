/** Pushes over HTTP: what is written and answered, what is refused, and repeats under a key. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMoraine, type Moraine } from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { createApiKey, type Service, startService } from '../../../service/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

const T1 = '2026-03-01T00:00:00';
const view = (name: string, source: string, features: readonly string[], more: object = {}) => ({
  ...{ name, entities: ['driver'], features, online: true, pushSource: source },
  source: { table: `demo.${source}`, timestampField: 'event_ts', createdTimestampField: 'made' },
  ...more,
});
const SOURCES = ['trips', 'keyed', 'grouped', 'together', 'limited', 'refused', 'mixed'];
const DEFINITIONS = {
  entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
  featureViews: SOURCES.flatMap((source) => [
    view(`${source}_n`, source, ['n']),
    view(`${source}_s`, source, ['label'], {
      source: { table: `demo.${source}`, timestampField: 'event_ts', fieldMapping: { s: 'label' } },
    }),
  ]),
};

let lab: FeatureLab;
let moraine: Moraine;
let service: Service;
let keys: Readonly<Record<'read' | 'write', string>>;
beforeAll(async () => {
  lab = await FeatureLab.open();
  const { folder } = lab;
  const columns = { driver_id: 'long', event_ts: 'timestamptz', made: 'timestamptz', n: 'long', s: 'string' };
  for (const source of SOURCES) await lab.createTable(`demo.${source}`, columns);
  const keyFile = join(folder, 'keys.json');
  keys = {
    read: await createApiKey(keyFile, 'read', ['read']),
    write: await createApiKey(keyFile, 'write', ['write']),
  };
  moraine = await open({ keys: keyFile });
  await moraine.apply(DEFINITIONS);
  service = await startService({ project: moraine.project, version: '1', log: { write: () => undefined } });
});
afterAll(async () => {
  await service.close();
  await moraine.close();
  await lab.close();
});

/** The project, with these settings of the service. */
async function open(server: object): Promise<Moraine> {
  const { folder } = lab;
  const config = {
    catalogs: { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } },
    engine: { threads: 2 },
    online: { readTimeoutMs: 60_000 },
    server: { queueTimeoutMs: 60_000, port: 0, groupCommitMs: 100, ...server },
  };
  return await createMoraine({ config, cwd: folder, fileFolders: [folder] });
}

async function post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}, { url } = service) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys.write}`, ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
}
interface Answer {
  readonly feature_views?: readonly { readonly feature_view_name: string; readonly snapshot: string }[];
  readonly tables?: readonly { readonly table: string; readonly snapshot: string }[];
  readonly error?: string;
}

const df = (driver_id: number, n: unknown, s: string | null = `s${driver_id}`) => ({
  ...{ driver_id: [driver_id], n: [n], s: [s], event_ts: [T1] },
});
const push = (source: string, frame: object, more: object = {}, headers?: Readonly<Record<string, string>>) =>
  post('/push', { push_source_name: source, df: frame, ...more }, headers);

async function read(feature: string, driver_id: readonly number[], more: object = {}): Promise<unknown> {
  const question = { entities: { driver_id }, features: [feature] };
  const response = await fetch(`${service.url}/get-online-features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys.read}`, ...more },
    body: JSON.stringify(question),
  });
  return ((await response.json()) as { results: { values: unknown[] }[] }).results[1]?.values;
}

const summaries = async (table: string, key: string): Promise<(string | undefined)[]> =>
  (await moraine.project.loadTable(table)).metadata.snapshots.map(({ summary }) => summary.get(key));
const appended = (table: string) => summaries(table, 'added-records');

describe('POST /push', () => {
  it('writes online tables, source tables or both, and answers after the commits', async () => {
    const online = await push('trips', df(1, 10), { allow_registry_cache: true, transform_on_write: true });
    expect(online).toMatchObject({
      status: 200,
      body: { push_source_name: 'trips', to: 'online', rows: 1, tables: [] },
    });
    const [first, second] = online.body.feature_views ?? [];
    const named = online.headers.get('moraine-snapshots')?.split(', ') ?? [];
    expect(named.map((text) => text.split(';')[0])).toEqual([
      `trips_n=${first?.snapshot}`,
      `trips_s=${second?.snapshot}`,
    ]);
    expect(await read('trips_n:n', [1], { 'Moraine-Min-Snapshot': named[0] ?? '' })).toEqual([10]);
    expect(await read('trips_n:n', [1, 2])).toEqual([10, null]);
    expect(await read('trips_s:label', [1])).toEqual(['s1']);
    expect(await appended('demo.trips')).toEqual([]);

    const offline = await push('trips', df(2, 20), { to: 'offline' });
    expect(offline).toMatchObject({ status: 200, body: { tables: [{ table: 'demo.trips' }], feature_views: [] } });
    expect(await read('trips_n:n', [1, 2])).toEqual([10, null]);
    expect(await appended('demo.trips')).toEqual(['1']);

    const both = await push('trips', df(3, 30, null), { to: 'online_and_offline' });
    expect(both.body.tables?.[0]?.snapshot).toMatch(/^\d+$/);
    expect(await read('trips_n:n', [3])).toEqual([30]);
    expect(await appended('demo.trips')).toEqual(['1', '1']);
    const { table } = await moraine.getHistoricalFeatures({
      features: ['trips_n:n', 'trips_s:label'],
      entities: [1, 2, 3].map((driver_id) => ({ driver_id, event_timestamp: new Date(`${T1}Z`) })),
    });
    expect(table.toArray().map((row: { n: unknown; label: unknown } | null) => [row?.n, row?.label])).toEqual([
      [null, null],
      [20n, 's2'],
      [30n, null],
    ]);
  });

  it('commits the online rows of several pushes together', async () => {
    await push('grouped', df(0, 0));
    const answers = await Promise.all([1, 2, 3, 4].map((id) => push('grouped', df(id, id))));
    const snapshots = new Set(answers.map(({ body }) => body.feature_views?.[0]?.snapshot));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(snapshots.size).toBeLessThan(4);
    expect(await read('grouped_n:n', [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
    // Each commit is one file, whatever buckets its rows are of.
    for (const name of ['grouped_n', 'grouped_s']) {
      const counts = await appended(`moraine_online.${name}`);
      expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(5);
      expect(await summaries(`moraine_online.${name}`, 'added-data-files')).toEqual(counts.map(() => '1'));
    }
  });

  it('marks its rows as those of the source or not, beside rows of the other kind that arrive meanwhile', async () => {
    // Online rows of a push to both wait for its commit to the source: others keep arriving until then.
    const both = [1, 2].map((id) => push('mixed', df(id, id), { to: 'online_and_offline' }));
    let isDone = false;
    const allOfBoth = Promise.all(both).finally(() => (isDone = true));
    const others: ReturnType<typeof post>[] = [];
    const marked: number[] = [];
    for (let id = 10; !isDone; id += 2) {
      const frame = { driver_id: [id + 1], n: [id + 1], event_timestamp: [T1] };
      others.push(push('mixed', df(id, id)));
      others.push(post('/write-to-online-store', { feature_view_name: 'mixed_n', df: frame }));
      marked.push(id, id + 1);
      await sleep(50);
    }
    const answers = [...(await allOfBoth), ...(await Promise.all(others))];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const sql = "SELECT driver_id, n, _pushed, TIMESTAMPTZ '2026-01-01' AS read_at FROM t ORDER BY driver_id";
    const reader = await moraine.pullAll({
      ...{ source: { sql, tables: { t: 'moraine_online.mixed_n' } }, joinKeys: [], timestampField: 'read_at' },
    });
    const rows = await reader.toRows();
    await reader.close();
    const kept = (id: number, isMarked: boolean) => [id, id, isMarked];
    expect(rows.map(({ driver_id, n, _pushed }) => [driver_id, n, _pushed])).toEqual([
      kept(1, false),
      kept(2, false),
      ...marked.map((id) => kept(id, true)),
    ]);

    const rebuild = async () =>
      (await materializeDirect(await materializationDeps(moraine.project), { view: 'mixed_n' })).plan.kind;
    expect(await rebuild()).toBe('full');
    await moraine.deleteRows('demo.mixed', 'driver_id = 2');
    expect(await rebuild()).toBe('rebuild-buckets');
    await expect.poll(() => read('mixed_n:n', [1, 2, ...marked]), { timeout: 30_000 }).toEqual([1, null, ...marked]);
  });

  it('commits the rows of several pushes to a source table together', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map((id) => push('together', df(id, id), { to: 'offline' })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const snapshots = new Set(answers.map(({ body }) => body.tables?.[0]?.snapshot));
    expect(snapshots.size).toBeLessThan(4);
    const counts = await appended('demo.together');
    expect(counts).toHaveLength(snapshots.size);
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(4);
  });

  it('has room until its last commit, or is refused before its first', async () => {
    const limited = await open({ maxQueuedWrites: 2 });
    const other = await startService({ project: limited.project, version: '1', log: { write: () => undefined } });
    try {
      const bodies = [1, 2, 3, 4].map((id) => ({
        push_source_name: 'limited',
        df: df(id, id),
        to: 'online_and_offline',
      }));
      const answers = await Promise.all(bodies.map((body) => post('/push', body, {}, other)));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 429, 429]);
      const rows = (counts: readonly (string | undefined)[]) => counts.reduce((sum, count) => sum + Number(count), 0);
      expect(rows(await appended('demo.limited'))).toBe(2);
      expect(rows(await appended('moraine_online.limited_n'))).toBe(2);
    } finally {
      await other.close();
      await limited.close();
    }
  });

  it('is done once under a key, and answered alike', async () => {
    const key = { 'idempotency-key': 'one' };
    const first = await push('keyed', df(1, 1), { to: 'online_and_offline' }, key);
    const again = await push('keyed', df(1, 1), { to: 'online_and_offline' }, key);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect(await appended('demo.keyed')).toEqual(['1']);
    expect(await appended('moraine_online.keyed_n')).toEqual(['1']);
    expect(await push('keyed', df(2, 2), { to: 'online_and_offline' }, key)).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
    expect(await appended('demo.keyed')).toEqual(['1']);
  });

  it('has keys of its own: the same key of a write to an online table is another one', async () => {
    const key = { 'idempotency-key': 'shared' };
    const pushed = await push('keyed', df(7, 70), {}, key);
    const frame = { driver_id: [8], n: [80], event_timestamp: [T1] };
    const body = { feature_view_name: 'keyed_n', df: frame };
    const written = [0, 1].map(() => post('/write-to-online-store', body, key));
    const answers = [pushed, ...(await Promise.all(written)), await push('keyed', df(7, 70), {}, key)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await read('keyed_n:n', [7, 8])).toEqual([70, 80]);
    expect(answers[3]?.body).toEqual(pushed.body);
    expect((await appended('moraine_online.keyed_n')).slice(-2)).toEqual(['1', '1']);
  });

  it.each<[string, object, object, number, string]>([
    ['an unknown source', { push_source_name: 'trip' }, {}, 404, "Did you mean 'trips'?"],
    ['a missing column', {}, { s: undefined }, 400, "The body's df has no column 's', which"],
    ['an unknown column', {}, { ss: ['x'] }, 400, "The body's df has a column 'ss', which no source table"],
    ['a value of another type', {}, { n: ['x'] }, 400, 'The body\'s df.n[0] is "x", which is not of type long.'],
    ['a key that is null', {}, { driver_id: [null] }, 400, "The body's df.driver_id[0] is null"],
    ['columns of different lengths', {}, { n: [1, 2] }, 400, 'different lengths'],
    ['another target', { to: 'both' }, {}, 400, 'to'],
    ['no source', { push_source_name: undefined }, {}, 400, 'push_source_name'],
    ['an unknown field', { too: 'online' }, {}, 400, 'too'],
  ])('refuses %s, and writes nothing', async (_, body, frame, status, part) => {
    const answer = await push('refused', { ...df(1, 1), ...frame }, { to: 'online_and_offline', ...body });
    expect(answer.status).toBe(status);
    expect(answer.body.error).toContain(part);
    expect(await appended('demo.refused')).toEqual([]);
  });

  it('needs the write scope', async () => {
    const headers = { authorization: `Bearer ${keys.read}` };
    expect(await push('refused', df(1, 1), {}, headers)).toMatchObject({
      status: 403,
      body: { code: 'PERMISSION_DENIED' },
    });
  });
});
