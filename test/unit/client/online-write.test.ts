/** Rows that applications write into online tables: their values, who wins, and what is refused. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Table as ArrowTable, Int64, TimestampMicrosecond, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createMoraine,
  defineEntity,
  defineFeatureView,
  type Moraine,
  type OnlineRow,
  parseSchema,
} from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

const TYPES = {
  k: 'long',
  region: 'string',
  ts: 'timestamptz',
  made: 'timestamptz',
  n: 'long',
  f: 'float',
  d: 'double',
  dec: 'decimal(20, 2)',
  s: 'string',
  b: 'boolean',
  day: 'date',
  at: 'timestamp',
  u: 'uuid',
  bin: 'binary',
  list: { type: 'list', 'element-id': 100, element: 'int', 'element-required': false },
  struct: {
    type: 'struct',
    fields: [{ id: 101, name: 'x', required: false, type: 'double' }],
  },
  map: { type: 'map', 'key-id': 102, key: 'string', 'value-id': 103, value: 'long', 'value-required': false },
} as const;

const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
const place = defineEntity({ name: 'place', joinKeys: ['region', 'k'] });
const all = defineFeatureView({
  name: 'all_types',
  online: true,
  entities: [thing],
  source: { table: 'shop.a', timestampField: 'ts' },
  features: Object.keys(TYPES)
    .slice(4)
    .map((name) => ({ name })),
});
const few = (name: string, created = true, features: readonly string[] = ['n']) =>
  defineFeatureView({
    name,
    online: true,
    entities: [thing],
    source: { table: 'shop.a', timestampField: 'ts', ...(created ? { createdTimestampField: 'made' } : {}) },
    features: features.map((feature) => ({ name: feature })),
  });
const pairs = defineFeatureView({
  name: 'pairs',
  online: true,
  entities: [place],
  source: { table: 'shop.a', timestampField: 'ts' },
  features: [{ name: 'n' }],
});
const offline = defineFeatureView({
  name: 'offline_only',
  online: false,
  entities: [thing],
  source: { table: 'shop.a', timestampField: 'ts' },
  features: [{ name: 'n' }],
});

const T1 = '2026-01-01T00:00:00Z';
const T2 = '2026-01-02T00:00:00Z';
const T3 = '2026-01-03T00:00:00Z';

let moraine: Moraine;
let folder: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-write-')));
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
  const fields = Object.entries(TYPES).map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
  await moraine.createTable('shop.a', { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
  const names = [
    'by_order',
    'by_time',
    'defaults',
    'rebuilt',
    'keyed',
    'refused',
    'inputs',
    'many',
    'redefined',
    'empty',
  ];
  await moraine.apply([thing, place, all, pairs, offline, ...names.map((name) => few(name, name !== 'by_time'))]);
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (view: string, rows: readonly OnlineRow[], more: { pushed?: boolean; key?: string } = {}) =>
  moraine.onlineWriteBatch({ view, rows, ...more });

async function read(view: string, keys: readonly number[] = [1], feature = 'n') {
  const { rows } = await moraine.getOnlineFeatures({
    features: [`${view}:${feature}`],
    entities: keys.map((k) => ({ k, region: 'north' })),
    readTimeoutMs: 60_000,
  });
  return rows.map(([value]) => (value?.status === 'NOT_FOUND' ? value.status : value?.value));
}

async function materialize(view: string): Promise<string> {
  return (await materializeDirect(await materializationDeps(moraine.project), { view })).plan.kind;
}

async function append(rows: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  writeFileSync(join(folder, 'source.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await moraine.appendFile('shop.a', join(folder, 'source.jsonl'));
}

describe('rows of an application', () => {
  it('are read as they were written, in a view that was never materialized', async () => {
    const id = '0b8a3c5e-5bb4-4a0e-8f5e-9d3f6f1c2a10';
    const row: OnlineRow = {
      k: 9_007_199_254_740_993n,
      event_timestamp: new Date('2026-01-01T12:00:00.123Z'),
      n: -9_223_372_036_854_775_808n,
      f: 0.5,
      d: Number.NaN,
      dec: '-123456789012345678.25',
      s: 'text "quoted" é😀\n',
      b: false,
      day: '2026-02-28',
      at: '2026-02-28T01:02:03.000004',
      u: id,
      bin: new Uint8Array([0, 255]),
      list: [1, null, 3],
      struct: { x: -0 },
      map: new Map([['a', 2n ** 53n + 1n]]),
    };
    const nothing = Object.fromEntries(Object.keys(row).map((name) => [name, null]));
    const result = await write('all_types', [row, { ...nothing, k: 2, event_timestamp: T1 }]);
    expect(result).toMatchObject({ view: 'all_types', outcome: 'committed', rows: 2n });
    const answer = await moraine.getOnlineFeatures({
      view: 'all_types',
      entities: [{ k: 9_007_199_254_740_993n }, { k: 2 }, { k: 3 }],
      minSnapshots: new Map([['all_types', result.snapshotId as bigint]]),
      readTimeoutMs: 60_000,
    });
    const [first, second, third] = answer.rowsByName;
    const values = Object.fromEntries(Object.entries(first ?? {}).map(([name, { value }]) => [name, value]));
    expect(values).toEqual({
      n: -9_223_372_036_854_775_808n,
      f: 0.5,
      d: Number.NaN,
      dec: -12_345_678_901_234_567_825n,
      s: 'text "quoted" é😀\n',
      b: false,
      day: 20_512,
      at: 1_772_240_523_000_004n,
      u: id,
      bin: Buffer.from([0, 255]),
      list: [1, null, 3],
      struct: new Map([['x', -0]]),
      map: [['a', 9_007_199_254_740_993n]],
    });
    expect(first?.['n']?.eventTimestampUs).toBe(1_767_268_800_123_000n);
    expect(new Set(Object.values(second ?? {}).map(({ status }) => status))).toEqual(new Set(['NULL_VALUE']));
    expect(new Set(Object.values(third ?? {}).map(({ status }) => status))).toEqual(new Set(['NOT_FOUND']));
  });

  it('win by event time whatever is written first; a correction with an equal time arrives', async () => {
    await write('by_time', [{ k: 1, n: 2, ts: T2 }]);
    await write('by_time', [{ k: 1, n: 1, ts: T1 }]);
    expect(await read('by_time')).toEqual([2n]);
    await write('by_time', [{ k: 1, n: 22, ts: T2 }]);
    expect(await read('by_time')).toEqual([22n]);
    await write('by_time', [{ k: 1, n: 3, event_timestamp: '2999-01-01T00:00:00Z' }]);
    expect(await read('by_time')).toEqual([22n]);
  });

  it('win by their time of creation among those of one event time', async () => {
    await write('by_order', [{ k: 1, n: 5, event_timestamp: T1, created: T3 }]);
    await write('by_order', [{ k: 1, n: 4, event_timestamp: T1, made: T2 }]);
    expect(await read('by_order')).toEqual([5n]);
    await write('by_order', [{ k: 1, n: 6, event_timestamp: T1, created_timestamp: T3 }]);
    expect(await read('by_order')).toEqual([6n]);
  });

  it('are created at the time of the write unless they say otherwise, if the view has such times', async () => {
    await write('defaults', [{ k: 1, n: 1, ts: T1, made: '2026-06-01T00:00:00Z' }]);
    await write('defaults', [{ k: 1, n: 2, ts: T1 }]);
    await write('defaults', [{ k: 1, n: 3, ts: T1, made: '2026-06-02T00:00:00Z' }]);
    expect(await read('defaults')).toEqual([2n]);
  });

  it('have keys of several columns and types', async () => {
    await write('pairs', [
      { region: 'north', k: 1, n: 10, ts: T1 },
      { region: 'south', k: 1, n: 20, ts: T1 },
      { region: 'north', k: 11, n: 30, ts: T1 },
    ]);
    expect(await read('pairs', [1, 11, 12])).toEqual([10n, 30n, 'NOT_FOUND']);
  });

  it('that are pushed stay when the view is rebuilt from its source; those of the source go with it', async () => {
    const source = [1, 2, 3].map((k) => ({ k, ts: T1, made: T1, n: k }));
    await append(source);
    expect(await materialize('rebuilt')).toBe('incremental');
    await write('rebuilt', [{ k: 1, n: 100, ts: T2, made: T2 }]);
    await write('rebuilt', [{ k: 2, n: 200, ts: T2, made: T2 }], { pushed: false });
    expect(await read('rebuilt', [1, 2, 3])).toEqual([100n, 200n, 3n]);
    await append([{ k: 4, ts: T1, made: T1, n: 4 }]);
    expect(await materialize('rebuilt')).toBe('incremental');
    expect(await read('rebuilt', [1, 2, 3, 4])).toEqual([100n, 200n, 3n, 4n]);
    await moraine.deleteRows('shop.a', 'k < 4');
    expect(await materialize('rebuilt')).toBe('rebuild-buckets');
    expect(await read('rebuilt', [1, 2, 3, 4])).toEqual([100n, 'NOT_FOUND', 'NOT_FOUND', 4n]);
  });

  it('are committed once under a key, and again under another', async () => {
    const rows = [{ k: 1, n: 1, ts: T1 }];
    const first = await write('keyed', rows, { key: 'batch 1' });
    expect(await write('keyed', rows, { key: 'batch 1' })).toMatchObject({
      outcome: 'already-committed',
      snapshotId: first.snapshotId,
      files: 0,
    });
    const second = await write('keyed', rows, { key: 'batch 2' });
    expect(second.outcome).toBe('committed');
    expect(second.snapshotId).not.toBe(first.snapshotId);
    const { metadata } = await moraine.project.loadTable('moraine_online.keyed');
    expect(metadata.snapshots.map(({ summary }) => summary?.get('added-records'))).toEqual(['1', '1']);
  });

  it('come from many writers at once', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, k) => write('many', [{ k, n: k, ts: T1 }])));
    expect(await read('many', [0, 1, 2, 3, 4, 5, 6, 7])).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  });

  it('come as Arrow, files, tables and SQL', async () => {
    const arrow = new ArrowTable({
      k: vectorFromArray([1n], new Int64()),
      n: vectorFromArray([10n], new Int64()),
      event_timestamp: vectorFromArray([Date.parse(T1)], new TimestampMicrosecond()),
      created: vectorFromArray([null], new TimestampMicrosecond()),
    });
    await moraine.onlineWriteBatch({ view: 'inputs', rows: arrow });
    writeFileSync(join(folder, 'rows.csv'), 'k,n,ts\n2,20,2026-01-01\n');
    await moraine.onlineWriteBatch({ view: 'inputs', rows: { file: join(folder, 'rows.csv') } });
    writeFileSync(join(folder, 'made.csv'), 'k,n,ts\n3,30,2026-01-01T00:00:00Z\n');
    await moraine.appendFile('shop.rows', join(folder, 'made.csv'), { create: true });
    await moraine.onlineWriteBatch({ view: 'inputs', rows: { table: 'shop.rows' } });
    const sql = 'SELECT k + 1 AS k, n + 10 AS n, ts FROM shop.rows';
    await moraine.onlineWriteBatch({ view: 'inputs', rows: { sql } });
    expect(await read('inputs', [1, 2, 3, 4, 5])).toEqual([10n, 20n, 30n, 40n, 'NOT_FOUND']);
  });

  it('that are none change nothing', async () => {
    expect(await write('empty', [])).toEqual({
      view: 'empty',
      snapshotId: null,
      minSnapshot: { snapshotId: null },
      outcome: 'nothing',
      rows: 0n,
      files: 0,
      bytes: 0n,
    });
    writeFileSync(join(folder, 'none.jsonl'), '');
    const none = await moraine.onlineWriteBatch({ view: 'empty', rows: { file: join(folder, 'none.jsonl') } });
    expect(none.outcome).toBe('nothing');
  });
});

describe('refused are', () => {
  const good = { k: 1, n: 1, ts: T1 };
  it.each<[string, string, OnlineRow, string, RegExp]>([
    ['an unknown view', 'refuse', good, 'FEATURE_VIEW_NOT_FOUND', /'refuse'.*refused/],
    ['a view that is not online', 'offline_only', good, 'INVALID_ARGUMENT', /not online/],
    ['an unknown column', 'refused', { ...good, m: 1 }, 'COLUMN_NOT_FOUND', /no column "m" of the rows/],
    ['a feature that is missing', 'refused', { k: 1, ts: T1 }, 'COLUMN_NOT_FOUND', /lack the feature n of .*'refused'/],
    ['a join key that is missing', 'refused', { n: 1, ts: T1 }, 'TYPE_MISMATCH', /lacks the column "k"/],
    ['a join key that is null', 'refused', { ...good, k: null }, 'TYPE_MISMATCH', /"k"/],
    ['an event time that is missing', 'refused', { k: 1, n: 1 }, 'TYPE_MISMATCH', /"event_timestamp"/],
    ['an event time that is null', 'refused', { ...good, ts: null }, 'TYPE_MISMATCH', /"event_timestamp"/],
    ['two event times', 'refused', { ...good, event_timestamp: T1 }, 'INVALID_ARGUMENT', /ts and event_timestamp/],
    [
      'a number that is no integer',
      'refused',
      { ...good, n: 1.5 },
      'TYPE_MISMATCH',
      /"n", row 1: "1.5" does not fit long/,
    ],
    ['an integer of more than 64 bits', 'refused', { ...good, n: 2n ** 63n }, 'TYPE_MISMATCH', /"n"/],
    ['a text for a number', 'refused', { ...good, n: 'many' }, 'TYPE_MISMATCH', /"many" does not fit long/],
    ['a Date that is none', 'refused', { ...good, ts: new Date(Number.NaN) }, 'TYPE_MISMATCH', /no point in time/],
    [
      'a column called __proto__',
      'refused',
      new Map([...Object.entries(good), ['__proto__', 1]]),
      'COLUMN_NOT_FOUND',
      /"__proto__"/,
    ],
  ])('%s', async (_, view, row, code, message) => {
    expect(await failureOf(write(view, [row]))).toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    expect(await failureOf(read('refused'))).toMatchObject({ code: 'TABLE_NOT_FOUND' });
  });

  it('rows of a view that was redefined since it was materialized', async () => {
    await materialize('redefined');
    const rows = [{ k: 1, n: 1, ts: T1 }];
    await write('redefined', rows);
    await moraine.apply([thing, few('redefined', true, ['n', 'd'])]);
    const refusal = {
      code: 'MATERIALIZATION_REQUIRED',
      message: expect.stringMatching(/feature 'd' was added/) as unknown,
    };
    expect(await failureOf(write('redefined', [{ k: 1, n: 1, ts: T1, d: 1 }]))).toMatchObject(refusal);
    await materialize('redefined');
    expect((await write('redefined', [{ k: 1, n: 2, d: 0.5, ts: T2 }])).outcome).toBe('committed');
    expect(await read('redefined', [1], 'd')).toEqual([0.5]);
  });

  it('no rows that lack a feature which the view has no longer, though its table has the column yet', async () => {
    await moraine.apply([thing, few('lessened', true, ['n', 'd'])]);
    await write('lessened', [{ k: 1, n: 1, d: 0.5, ts: T1 }]);
    expect(await failureOf(write('lessened', [{ k: 1, n: 2, ts: T2 }]))).toMatchObject({ code: 'COLUMN_NOT_FOUND' });
    await moraine.apply([thing, few('lessened')]);
    await write('lessened', [{ k: 1, n: 2, ts: T2 }]);
    // A client that does not know of it yet.
    await write('lessened', [{ k: 2, n: 3, d: 0.25, ts: T2 }]);
    expect(await read('lessened', [1, 2])).toEqual([2n, 3n]);
  });
});
