/** Pushes to push sources: what each target gets, what later deletions take, what is refused, and repeats under a key. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createMoraine,
  type Moraine,
  MoraineError,
  type OnlineRow,
  type PushRequest,
  parseSchema,
} from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

const T1 = '2026-01-01T00:00:00Z';
const T2 = '2026-01-02T00:00:00Z';
const T3 = '2026-01-03T00:00:00Z';
const COLUMNS = { k: 'long', region: 'string', ts: 'timestamptz', made: 'timestamptz', n: 'int', s: 'string' };

let moraine: Moraine;
let folder: string;

/** Three views over one table, each test with a table and views of its own: one of a key and a created time, one of two keys and another name, one that is not online. */
async function world(name: string): Promise<void> {
  const table = `shop.${name}`;
  await createTable(table, { ...COLUMNS, extra: 'string' });
  const source = { table, timestampField: 'ts' };
  await moraine.apply({
    entities: [
      { name: 'thing', joinKeys: ['k'] },
      { name: 'place', joinKeys: ['region', 'k'] },
    ],
    featureViews: [
      {
        ...{ name: `${name}_counts`, pushSource: name, online: true, entities: ['thing'] },
        source: { ...source, createdTimestampField: 'made' },
        features: [{ name: 'n', type: 'long' }],
      },
      {
        ...{ name: `${name}_labels`, pushSource: name, online: true, entities: ['place'] },
        source: { ...source, fieldMapping: { s: 'label' } },
        features: ['label'],
      },
      { ...{ name: `${name}_offline`, pushSource: name, online: false, entities: ['thing'] }, source, features: ['s'] },
    ],
  });
}

async function createTable(table: string, columns: Readonly<Record<string, string>>): Promise<void> {
  const fields = Object.entries(columns).map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
  await moraine.createTable(table, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
}

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-push-')));
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

const rows = (...all: readonly (readonly [k: number, ts: string, n: number, s?: string | null])[]): OnlineRow[] =>
  all.map(([k, ts, n, s = `s${n}`]) => ({ k, region: 'north', ts, made: ts, n, s }));
const push = (source: string, of: PushRequest['rows'], more: Omit<PushRequest, 'source' | 'rows'> = {}) =>
  moraine.push({ source, rows: of, ...more });

/** The rows of a table, columns as SQL chooses them. */
async function tableRows(table: string, columns: string): Promise<unknown[][]> {
  const sql = `SELECT ${columns}, TIMESTAMPTZ '2026-01-01' AS read_at FROM t`;
  const reader = await moraine.pullAll({
    ...{ source: { sql, tables: { t: table } }, joinKeys: [], timestampField: 'read_at' },
  });
  try {
    const found = (await reader.toRows()).map((row) =>
      Object.entries(row).flatMap(([name, value]) => (name === 'read_at' ? [] : [value])),
    );
    return found.sort((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]));
  } finally {
    await reader.close();
  }
}
const sourceRows = (name: string) => tableRows(`shop.${name}`, 'k, n, s, extra, epoch_us(made) AS made');
const onlineRows = (view: string, feature: string) => tableRows(`moraine_online.${view}`, `k, ${feature}, _pushed`);
const exists = async (table: string) => !((await failureOf(moraine.project.loadTable(table))) as object | undefined);

async function read(view: string, feature: string, keys: readonly number[]) {
  const answer = await moraine.getOnlineFeatures({
    features: [`${view}:${feature}`],
    entities: keys.map((k) => ({ k, region: 'north' })),
    maxStalenessMs: 0,
    readTimeoutMs: 60_000,
  });
  return answer.rows.map(([value]) => (value?.status === 'NOT_FOUND' ? value.status : value?.value));
}

async function materialize(view: string): Promise<string> {
  return (await materializeDirect(await materializationDeps(moraine.project), { view })).plan.kind;
}

const US = (time: string): number => Date.parse(time) * 1000;

describe('a push', () => {
  it('to online tables writes every online view, as rows of the client, and no source table', async () => {
    await world('a');
    const { tables, views } = await push('a', rows([1, T1, 10], [2, T2, 20]));
    expect(tables).toEqual([]);
    expect(views.map(({ view, outcome, rows: count }) => [view, outcome, count])).toEqual([
      ['a_counts', 'committed', 2n],
      ['a_labels', 'committed', 2n],
    ]);
    expect(await onlineRows('a_counts', 'n')).toEqual([
      [1, 10, true],
      [2, 20, true],
    ]);
    expect(await onlineRows('a_labels', 'label')).toEqual([
      [1, 's10', true],
      [2, 's20', true],
    ]);
    expect(await sourceRows('a')).toEqual([]);
    expect(await exists('moraine_online.a_offline')).toBe(false);
  });

  it('to source tables appends to the table of several views once, and to nothing else', async () => {
    await world('b');
    const { tables, views } = await push('b', rows([1, T1, 10, null]), { to: 'offline' });
    expect(views).toEqual([]);
    expect(tables).toMatchObject([{ table: 'shop.b', outcome: 'committed', rows: 1n, files: 1 }]);
    expect(await sourceRows('b')).toEqual([[1, 10, null, null, US(T1)]]);
    expect(await exists('moraine_online.b_counts')).toBe(false);
    expect(await materialize('b_counts')).toBe('incremental');
    expect(await onlineRows('b_counts', 'n')).toEqual([[1, 10, false]]);
  });

  it('to both writes the same rows, online as those of the source', async () => {
    await world('c');
    const before = US(new Date().toISOString());
    const { tables, views } = await push(
      'c',
      [
        { k: 1, region: 'north', ts: T1, n: 1, s: 'x', extra: 'only in the source' },
        { k: 2, region: 'north', ts: T1, n: 2, s: null, made: T2 },
      ],
      { to: 'online_and_offline' },
    );
    expect([tables.length, views.length]).toEqual([1, 2]);
    const [first, second] = await sourceRows('c');
    expect(first?.slice(0, 4)).toEqual([1, 1, 'x', 'only in the source']);
    expect(second).toEqual([2, 2, null, null, US(T2)]);
    // Created at the time of the push, in both tables.
    const made = first?.[4] as number;
    expect(made >= before && made <= US(new Date().toISOString())).toBe(true);
    expect(await tableRows('moraine_online.c_counts', 'k, n, _pushed, epoch_us(created_timestamp) AS made')).toEqual([
      [1, 1, false, made],
      [2, 2, false, US(T2)],
    ]);
    expect(await read('c_labels', 'label', [1, 2, 3])).toEqual(['x', null, 'NOT_FOUND']);
  });

  it('writes the tables of views over several tables, each once', async () => {
    await createTable('shop.d1', COLUMNS);
    await createTable('shop.d2', { ...COLUMNS, n: 'long', wide: 'double' });
    const view = (name: string, table: string, features: readonly string[]) => ({
      ...{ name, pushSource: 'd', online: true, entities: ['thing'], features },
      source: { table, timestampField: 'ts' },
    });
    await moraine.apply({
      entities: [{ name: 'thing', joinKeys: ['k'] }],
      // The same table by two names.
      featureViews: [view('d_a', 'shop.d1', ['n']), view('d_b', 'local/shop.d1', ['s']), view('d_c', 'shop.d2', ['n'])],
    });
    const pushed = await push('d', rows([1, T1, 7]), { to: 'online_and_offline' });
    expect(pushed.tables.map(({ table }) => table)).toEqual(['shop.d1', 'shop.d2']);
    expect(pushed.views.map(({ view: name }) => name)).toEqual(['d_a', 'd_b', 'd_c']);
    expect(await tableRows('shop.d1', 'k, n, s')).toEqual([[1, 7, 's7']]);
    expect(await tableRows('shop.d2', 'k, n, s, wide')).toEqual([[1, 7, 's7', null]]);
  });

  it('loses its rows to later deletions in the source where it wrote that, too', async () => {
    await world('e');
    await push('e', rows([1, T1, 1], [2, T1, 2], [3, T1, 3]), { to: 'online_and_offline' });
    await push('e', rows([3, T2, 33], [4, T1, 4]));
    expect(await materialize('e_counts')).toBe('full');
    expect(await read('e_counts', 'n', [1, 2, 3, 4])).toEqual([1n, 2n, 33n, 4n]);
    await moraine.deleteRows('shop.e', 'k IN (2, 3, 4)');
    expect(await materialize('e_counts')).toBe('rebuild-buckets');
    expect(await read('e_counts', 'n', [1, 2, 3, 4])).toEqual([1n, 'NOT_FOUND', 33n, 4n]);
  });

  it.each(['one row of a file', 'a whole file'])(
    'loses %s that was pushed and deleted in the source since the last run',
    async (what) => {
      const name = what.replaceAll(' ', '_');
      await world(name);
      await push(name, rows([1, T1, 1]), { to: 'online_and_offline' });
      await materialize(`${name}_counts`);
      await push(name, rows([2, T1, 2], [3, T1, 3]), { to: 'online_and_offline' });
      await moraine.deleteRows(`shop.${name}`, what === 'a whole file' ? 'k > 1' : 'k = 2');
      await materialize(`${name}_counts`);
      const left = what === 'a whole file' ? 'NOT_FOUND' : 3n;
      expect(await read(`${name}_counts`, 'n', [1, 2, 3])).toEqual([1n, 'NOT_FOUND', left]);
    },
  );

  it('takes files, tables and SQL', async () => {
    await world('f');
    const file = join(folder, 'rows.csv');
    writeFileSync(file, `k,region,ts,n,s\n1,north,${T1},5,five\n`);
    await push('f', { file }, { to: 'offline' });
    await push(
      'f',
      { sql: 'SELECT k, region, ts + INTERVAL 1 DAY AS ts, n + 1 AS n, s FROM shop.f' },
      { to: 'online_and_offline' },
    );
    expect(await tableRows('shop.f', 'k, n, s, epoch_us(ts) AS ts')).toEqual([
      [1, 5, 'five', US(T1)],
      [1, 6, 'five', US(T2)],
    ]);
    expect(await read('f_counts', 'n', [1])).toEqual([6n]);
    expect(await push('f', [])).toMatchObject({ views: [{ outcome: 'nothing' }, { outcome: 'nothing' }] });
  });
});

describe('a push that is refused writes nothing', () => {
  const whole = { k: 1, region: 'north', ts: T1, n: 1, s: 'x' };

  it.each<[name: string, OnlineRow[], PushRequest['to'], string, string]>([
    [
      'a column that is missing',
      [{ k: 1, region: 'north', ts: T1, n: 1 }],
      'online_and_offline',
      'COLUMN_NOT_FOUND',
      "no column 's'",
    ],
    ['a column that no table has', [{ ...whole, ss: 1 }], 'online', 'COLUMN_NOT_FOUND', "Did you mean 's'"],
    [
      'a value that does not fit the second view',
      [{ ...whole, region: null }],
      'online',
      'TYPE_MISMATCH',
      '"region": 1 nulls',
    ],
    [
      'a value that fits online and not the source',
      [{ ...whole, n: 3_000_000_000 }],
      'online_and_offline',
      'TYPE_MISMATCH',
      '3000000000',
    ],
    ['a row without a time', [{ ...whole, ts: null }], 'offline', 'TYPE_MISMATCH', '"ts": 1 nulls'],
  ])('for %s', async (title, given, to, code, part) => {
    const name = title.replaceAll(' ', '_');
    await world(name);
    const failure = await failureOf(push(name, given, to === undefined ? {} : { to }));
    expect(failure).toMatchObject({ code });
    expect((failure as Error).message).toContain(part);
    expect(await sourceRows(name)).toEqual([]);
    expect(await exists(`moraine_online.${name}_counts`)).toBe(false);
  });

  it('to an unknown source, with the nearest name', async () => {
    await world('clicks');
    expect(await failureOf(push('click', []))).toMatchObject({
      code: 'PUSH_SOURCE_NOT_FOUND',
      message: "No feature view names the push source 'click'. Did you mean 'clicks'?",
    });
  });

  it('to online tables where no view is online', async () => {
    await createTable('shop.g', COLUMNS);
    const view = { name: 'g', pushSource: 'g', source: { table: 'shop.g', timestampField: 'ts' }, features: ['n'] };
    await moraine.apply({ featureViews: [view] });
    expect(await failureOf(push('g', [{ ts: T1, n: 1 }]))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await push('g', [{ ts: T1, n: 1 }], { to: 'offline' })).toMatchObject({ tables: [{ rows: 1n }] });
  });

  it('to a view that has to be materialized first', async () => {
    await world('h');
    await push('h', rows([1, T1, 1]), { to: 'offline' });
    await materialize('h_labels');
    const source = { table: 'shop.h', timestampField: 'ts', fieldMapping: { extra: 'label' } };
    const changed = {
      name: 'h_labels',
      pushSource: 'h',
      online: true,
      entities: ['place'],
      source,
      features: ['label'],
    };
    await moraine.apply({ featureViews: [changed] });
    const given = [{ ...whole, extra: 'y' }];
    expect(await failureOf(push('h', given))).toMatchObject({ code: 'MATERIALIZATION_REQUIRED' });
    expect(await exists('moraine_online.h_counts')).toBe(false);
  });
});

describe('a key', () => {
  /** The catalog fails before the commits of a table, until it is told otherwise. */
  async function failing(name: string): Promise<() => void> {
    const catalog = await moraine.project.catalog();
    const real = catalog.commitTable.bind(catalog);
    catalog.commitTable = (identifier, request) =>
      identifier.name === name
        ? Promise.reject(new MoraineError('CATALOG_UNAVAILABLE', 'The catalog is gone.'))
        : real(identifier, request);
    return () => {
      catalog.commitTable = real;
    };
  }

  it('lets a repeat finish what a failure left, and doubles nothing', async () => {
    await world('k');
    const given = [{ k: 1, region: 'north', ts: T1, n: 1, s: 'x' }];
    const options = { to: 'online_and_offline', key: 'one' } as const;
    await push('k', rows([9, T1, 9]));
    const heal = await failing('k_labels');
    const failure = await failureOf(push('k', given, options));
    heal();
    expect((failure as Error).message).toMatch(
      /committed in part: to table shop\.k \(snapshot \d+\), feature view 'k_counts' \(snapshot \d+\)/,
    );
    expect(await read('k_labels', 'label', [1])).toEqual(['NOT_FOUND']);
    const counts = 'k, n, _pushed, epoch_us(created_timestamp) AS made';
    const [source, online] = [await sourceRows('k'), await tableRows('moraine_online.k_counts', counts)];
    const repeated = await push('k', given, options);
    expect(repeated).toMatchObject({
      tables: [{ outcome: 'already-committed' }],
      views: [
        { view: 'k_counts', outcome: 'already-committed' },
        { view: 'k_labels', outcome: 'committed', rows: 1n },
      ],
    });
    expect(await sourceRows('k')).toEqual(source);
    expect(source).toHaveLength(1);
    expect(await tableRows('moraine_online.k_counts', counts)).toEqual(online);
    expect(await onlineRows('k_labels', 'label')).toEqual([
      [1, 'x', false],
      [9, 's9', true],
    ]);
    // Once more: everything is there, and the rows are not even looked at.
    const again = await push('k', { file: join(folder, 'gone.csv') }, options);
    expect(again.tables[0]?.snapshotId).toBe(repeated.tables[0]?.snapshotId);
    expect(again.views.map(({ outcome }) => outcome)).toEqual(['already-committed', 'already-committed']);
  });

  it('gives the rows of a repeat the created time that the source table has', async () => {
    await world('m');
    const given = [{ k: 1, region: 'north', ts: T1, n: 1, s: 'x' }];
    const options = { to: 'online_and_offline', key: 'one' } as const;
    await push('m', rows([9, T1, 9]));
    const heal = await failing('m_counts');
    expect(await failureOf(push('m', given, options))).toBeDefined();
    heal();
    // A row of the same entity and time, which is created before the repeat.
    await push('m', [{ ...given[0], n: 2 }]);
    await push('m', given, options);
    expect(await read('m_counts', 'n', [1])).toEqual([2n]);
    const [[, , , , made] = []] = await sourceRows('m');
    const online = await tableRows('moraine_online.m_counts', 'n, epoch_us(created_timestamp) AS made');
    expect(online).toContainEqual([1, made]);
  });

  it('is refused for another source or target before anything is written', async () => {
    await world('n');
    await push('n', rows([1, T1, 1]), { key: 'n' });
    const failure = await failureOf(push('n', rows([2, T1, 2]), { key: 'n', to: 'online_and_offline' }));
    expect(failure).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await sourceRows('n')).toEqual([]);
    await push('n', rows([2, T3, 2]), { key: 'other', to: 'offline' });
    expect(await sourceRows('n')).toHaveLength(1);
  });

  it('lets one of several pushes at the same time write each table', async () => {
    await world('o');
    const options = { to: 'online_and_offline', key: 'same' } as const;
    await Promise.all(Array.from({ length: 4 }, () => push('o', rows([1, T1, 1]), options)));
    expect(await sourceRows('o')).toHaveLength(1);
    expect(await onlineRows('o_counts', 'n')).toEqual([[1, 1, false]]);
  });
});
