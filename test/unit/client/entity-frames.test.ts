/** Entity frames without rows or without times, and with every form of time, from every kind of file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import {
  Field,
  FixedSizeBinary,
  makeData,
  Schema,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Vector,
} from 'apache-arrow';
import { beforeAll, describe, expect, test } from 'vitest';
import { defineEntity, defineFeatureView, type Entities } from '../../../index.js';
import { filesProject } from '../../support/files-project.js';
import { projectRoot } from '../../support/paths.js';

const project = filesProject();
const { file } = project;
beforeAll(async () => {
  await project.moraine.appendFile(
    'a.f',
    file('f.csv', 'k,at,v\n1,2001-01-01T00:00:00Z,10\n1,2001-01-01T00:00:00.000001Z,11\n2,2001-01-02T00:00:00Z,20\n'),
    { create: true },
  );
  await project.moraine.appendFile('a.s', file('s.csv', 's,at,w\nx,2001-01-01T00:00:00Z,7\n'), { create: true });
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const text = defineEntity({ name: 'text', joinKeys: ['s'] });
  await project.moraine.apply([
    thing,
    text,
    defineFeatureView({ name: 'values', entities: [thing], source: { table: 'a.f', timestampField: 'at' } }),
    defineFeatureView({ name: 'aged', entities: [thing], source: { table: 'a.f', timestampField: 'at' }, ttl: '1ms' }),
    defineFeatureView({ name: 'texts', entities: [text], source: { table: 'a.s', timestampField: 'at' } }),
  ]);
});
/** A Parquet file that DuckDB writes from SQL. */
async function parquet(name: string, sql: string): Promise<string> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const path = join(project.folder, name);
  await connection.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return path;
}

async function ask(entities: Entities, features = ['values']): Promise<Table> {
  return (await project.moraine.getHistoricalFeatures({ features, entities })).table;
}

const PYARROW_NULLS = join(projectRoot, 'test/fixtures/pyarrow/nulls.parquet');
const columnsOf = (table: Table): string[] => table.schema.fields.map(({ name, type }) => `${name} ${String(type)}`);
const columnOf = (table: Table, name: string): string[] => [...(table.getChild(name) as Vector)].map(String);

/** Counts of the unit since 2001-01-01. */
function timesOf(table: Table, name = 'event_timestamp'): (bigint | null)[] {
  const times = table.getChild(name) as Vector;
  const unit = String(times.type).includes('NANOSECOND') ? 1_000_000n : 1_000n;
  return times.data.flatMap((data) =>
    Array.from({ length: data.length }, (_, row) =>
      data.getValid(row) ? ((data.values as BigInt64Array)[row] as bigint) - 978_307_200_000n * unit : null,
    ),
  );
}

const ZONED = 'Timestamp<MICROSECOND, UTC>';

describe('a frame without rows', () => {
  test.each([
    ['header.csv', 'k,event_timestamp\n', [`k Int64`, `event_timestamp ${ZONED}`]],
    ['no-line-end.csv', 'k,event_timestamp,label', [`k Int64`, `event_timestamp ${ZONED}`, 'label Utf8']],
    ['other-name.tsv', 'at\tk\n', [`at ${ZONED}`, `k Int64`]],
    ['array.json', '[]', [`k Int64`, `event_timestamp ${ZONED}`]],
    ['spaces.json', ' [ ]\n', [`k Int64`, `event_timestamp ${ZONED}`]],
    ['nothing.jsonl', '', [`k Int64`, `event_timestamp ${ZONED}`]],
    ['lines.jsonl', '\n\n', [`k Int64`, `event_timestamp ${ZONED}`]],
  ])('%s gives an empty answer with all columns', async (name, content, columns) => {
    const table = await ask({ file: file(name, content) });
    expect([table.numRows, columnsOf(table)]).toEqual([0, [...columns, 'v Int64']]);
  });

  test('objects and Parquet keep what types they have', async () => {
    const empty = await parquet('empty.parquet', "SELECT 1::BIGINT AS k, TIMESTAMP_NS '2001-01-01' AS at LIMIT 0");
    expect(columnsOf(await ask({ file: empty }))).toEqual(['k Int64', 'at Timestamp<NANOSECOND>', 'v Int64']);
    expect(columnsOf(await ask([]))).toEqual(['k Int64', `event_timestamp ${ZONED}`, 'v Int64']);
  });

  test('several views give it the keys of all', async () => {
    const table = await ask({ file: file('both.json', '[]') }, ['values', 'texts']);
    const columns = ['k Int64', 's Utf8', `event_timestamp ${ZONED}`, 'v Int64', 'w Int64'];
    expect([table.numRows, columnsOf(table)]).toEqual([0, columns]);
  });

  test('of two columns neither is taken for the time by a guess', async () => {
    await expect(ask({ file: file('guess.csv', 'k,a,b\n') })).rejects.toMatchObject({ code: 'COLUMN_NOT_FOUND' });
  });
});

describe('a column of times that are all null', () => {
  test.each([
    ['null.csv', 'k,event_timestamp\n1,\n2,\n'],
    ['null.jsonl', '{"k":1,"event_timestamp":null}\n{"k":2}\n'],
    ['null.json', '[{"k":1,"event_timestamp":null},{"k":2,"event_timestamp":null}]'],
  ])('%s matches nothing', async (name, content) => {
    const table = await ask({ file: file(name, content) });
    expect(columnsOf(table)).toEqual(['k Int64', `event_timestamp ${ZONED}`, 'v Int64']);
    expect([columnOf(table, 'k'), timesOf(table), columnOf(table, 'v')]).toEqual([
      ['1', '2'],
      [null, null],
      ['null', 'null'],
    ]);
  });

  test.each<[string, () => Promise<Entities> | Entities]>([
    ['objects', () => [{ k: 1, event_timestamp: null }, { k: 2 }]],
    [
      'Parquet',
      async () => ({ file: await parquet('n.parquet', 'SELECT unnest([1, 2]) AS k, NULL::TIMESTAMP AS at') }),
    ],
  ])('%s match nothing', async (_name, entities) => {
    const table = await ask(await entities());
    expect([columnOf(table, 'k'), columnOf(table, 'v')]).toEqual([
      ['1', '2'],
      ['null', 'null'],
    ]);
  });

  test.each<[string, () => Entities]>([
    ["PyArrow's nulls", () => ({ file: file('nulls.parquet', readFileSync(PYARROW_NULLS)) })],
    [
      'SQL',
      () => ({
        sql: 'SELECT unnest([1, 2])::BIGINT AS k, NULL AS s, NULL AS event_timestamp, NULL AS label, [NULL::VARCHAR] AS list',
      }),
    ],
  ])('%s have the types of the views, and else are texts', async (_name, entities) => {
    const table = await ask(entities(), ['values', 'texts']);
    expect(columnsOf(table)).toEqual([
      'k Int64',
      's Utf8',
      `event_timestamp ${ZONED}`,
      'label Utf8',
      'list List<Utf8>',
      'v Int64',
      'w Int64',
    ]);
    expect([columnOf(table, 'k'), columnOf(table, 's'), timesOf(table), columnOf(table, 'v')]).toEqual([
      ['1', '2'],
      ['null', 'null'],
      [null, null],
      ['null', 'null'],
    ]);
  });

  test('a key that is null in every row has the type of the view', async () => {
    const table = await ask({ file: file('keys.csv', 's,event_timestamp,label\n,2001-01-02,\n') }, ['texts']);
    expect(columnsOf(table)).toEqual(['s Utf8', 'event_timestamp Date32<DAY>', 'label Utf8', 'w Int64']);
    expect(columnOf(table, 'w')).toEqual(['null']);
  });

  test('a frame with rows and no column of times is refused', async () => {
    const asked = ask({ file: file('timeless.csv', 'k,label\n1,\n') });
    await expect(asked).rejects.toMatchObject({ code: 'COLUMN_NOT_FOUND' });
  });
});

/** A text of each form, what it is in nanoseconds since 2001-01-01T00:00:00Z, and the value at that time of the rows at 0 and at 1 µs. */
const MIXED = [
  ['2001-01-01T00:00:00', 0, '10'],
  ['2001-01-01T00:00:00Z', 0, '10'],
  ['2001-01-01T01:00:00+02:00', -3_600_000_000_000, 'null'],
  ['2000-12-31 19:00:00.000001-05:00', 1_000, '11'],
  ['2001-01-01', 0, '10'],
  ['2000-12-31T23:59:59.999999Z', -1_000, 'null'],
  ['2001-01-01T00:00Z', 0, '10'],
  ['2001-01-01T00:00 Z', 0, '10'],
] as const;
const NANOSECONDS = [
  ['2001-01-01T00:00:00.000000999', 999, '10'],
  ['2001-01-01T00:00:00.000001', 1_000, '11'],
  ['2000-12-31T23:59:59.999999999', -1, 'null'],
  ['2001-01-01 00:00:00', 0, '10'],
] as const;
const ZONED_NANOSECONDS = [
  ...NANOSECONDS,
  ['2001-01-01T05:30:00.000000999+05:30', 999, '10'],
  ['2001-01-01T00:00:00.0000010Z', 1_000, '11'],
  ['2000-12-31T23:00:00.000000000-01:00', 0, '10'],
  ['2000-12-31T23:59Z', -60_000_000_000, 'null'],
] as const;

type Times = readonly (readonly [string, number, string])[];

describe.each<[string, Times, string]>([
  ['zoned and zone-less times', MIXED, ZONED],
  ['nanoseconds without a zone', NANOSECONDS, 'Timestamp<NANOSECOND>'],
  ['nanoseconds with zones, without, and microseconds', ZONED_NANOSECONDS, 'Timestamp<NANOSECOND, UTC>'],
])('%s', (_title, times, type) => {
  const texts = times.map(([text]) => text);
  const lines = texts.map((at) => JSON.stringify({ k: 1, event_timestamp: at, label: at }));
  const other = texts.map((at) => JSON.stringify({ k: 1, moment: at }));
  test.each([
    ['CSV', 'event_timestamp', 't.csv', `k,event_timestamp,label\n${texts.map((at) => `1,${at},${at}\n`).join('')}`],
    ['JSON Lines', 'event_timestamp', 't.jsonl', lines.join('\n')],
    ['a JSON array', 'event_timestamp', 't.json', `[${lines.join(',')}]`],
    ['CSV, under another name', 'moment', 'o.csv', `k,moment\n${texts.map((at) => `1,${at}\n`).join('')}`],
    ['JSON Lines, under another name', 'moment', 'o.jsonl', other.join('\n')],
  ])('from %s', async (_form, column, name, content) => {
    const table = await ask({ file: file(name, content) });
    const unit = type.includes('NANO') ? 1 : 1_000;
    expect(String(table.getChild(column)?.type)).toBe(type);
    expect(timesOf(table, column)).toEqual(times.map(([, ns]) => BigInt(ns / unit)));
    expect(columnOf(table, 'v')).toEqual(times.map(([, , value]) => value));
    // Other columns stay as they are written.
    if (column !== 'moment') expect(columnOf(table, 'label')).toEqual(texts);
  });

  test('from objects', async () => {
    const points = times.filter(([text]) => text.length > 10);
    const table = await ask(points.map(([at]) => ({ k: 1, at })));
    expect(timesOf(table, 'at')).toEqual(points.map(([, ns]) => BigInt(type.includes('NANO') ? ns : ns / 1_000)));
    expect(columnOf(table, 'v')).toEqual(points.map(([, , value]) => value));
  });
});

test.each([
  ['TIMESTAMP_NS', 'Timestamp<NANOSECOND>'],
  ['TIMESTAMP', 'Timestamp<MICROSECOND>'],
])('times of type %s of a Parquet file are compared and given back in their unit', async (type, arrow) => {
  const sql = `SELECT 1 AS k, unnest(['2001-01-01 00:00:00.000000999', '2001-01-01 00:00:00.000001'])::${type} AS event_timestamp`;
  const table = await ask({ file: await parquet(`${type}.parquet`, sql) });
  expect(String(table.getChild('event_timestamp')?.type)).toBe(arrow);
  expect([timesOf(table), columnOf(table, 'v')]).toEqual([
    type === 'TIMESTAMP' ? [0n, 1n] : [999n, 1_000n],
    ['10', '11'],
  ]);
});

test('a ttl ends to the nanosecond', async () => {
  // The rows are at 0 and at 1 µs, and the ttl is 1 ms.
  const texts = ['2001-01-01 00:00:00.001001', '2001-01-01 00:00:00.001001001'];
  const sql = `SELECT 1 AS k, unnest(['${texts.join("', '")}'])::TIMESTAMP_NS AS event_timestamp`;
  const csv = file('ttl.csv', `k,event_timestamp\n${texts.map((at) => `1,${at}\n`).join('')}`);
  for (const path of [await parquet('ttl.parquet', sql), csv])
    expect(columnOf(await ask({ file: path }, ['aged']), 'v')).toEqual(['11', 'null']);
});

test.each([
  ['a word', 'soon'],
  ['a time that 64 bits of nanoseconds do not hold', '9999-12-31T00:00:00.000000001Z'],
  ['digits beyond nanoseconds', '2001-01-01T00:00:00.0000000001'],
])('%s among the times is refused', async (_what, text) => {
  const asked = ask({ file: file('bad.csv', `k,event_timestamp\n1,2001-01-01T00:00:00Z\n1,${text}\n`) });
  await expect(asked).rejects.toMatchObject({ code: 'TYPE_MISMATCH' });
});

test('nanoseconds that are whole microseconds are saved in a table, and replayed; others are refused', async () => {
  const times = ['2001-01-01 00:00:00', '2001-01-01 00:00:00.000001'];
  const sql = `SELECT 1 AS k, unnest(${JSON.stringify(times).replaceAll('"', "'")})::TIMESTAMP_NS AS event_timestamp`;
  const whole = { features: ['values'], entities: { file: await parquet('whole.parquet', sql) } };
  const saved = await project.moraine.saveDataset({ ...whole, saveAs: { name: 'whole', to: { table: 'a.whole' } } });
  expect(saved.schema.fields.map(({ name, type }) => `${name} ${type.kind}`)).toEqual([
    'k int',
    'event_timestamp timestamp',
    'v long',
  ]);
  expect(await project.moraine.replayDataset('whole')).toMatchObject({ matches: true, rows: 2n });
  const table = await ask({ sql: 'SELECT k, event_timestamp, v AS saved FROM a.whole ORDER BY event_timestamp' });
  expect([timesOf(table), columnOf(table, 'saved')]).toEqual([
    [0n, 1n],
    ['10', '11'],
  ]);
  const cut = [{ k: 1, event_timestamp: '2001-01-01T00:00:00.000000001Z' }];
  const asked = project.moraine.saveDataset({
    features: ['values'],
    entities: cut,
    saveAs: { name: 'cut', to: { table: 'a.cut' } },
  });
  await expect(asked).rejects.toMatchObject({ code: 'SCHEMA_INVALID' });
});

const KEYS = ['00112233-4455-6677-8899-aabbccddeeff', 'ffeeddcc-bbaa-9988-7766-554433221100'];

describe('Arrow', () => {
  beforeAll(async () => {
    // As DuckDB writes them: the first key has values, the second nulls, empty lists and nulls inside.
    const nested = await parquet(
      'nested.parquet',
      `SELECT * FROM (VALUES
        ('${KEYS[0]}'::UUID, TIMESTAMPTZ '2001-01-01 00:00:00Z', [1, 2, NULL], {'a': 1.25::DECIMAL(9,2), 'b': ['x', NULL]},
          MAP {'k': TIMESTAMP '2001-01-01 00:00:00.000001'}, '${KEYS[1]}'::UUID),
        ('${KEYS[1]}'::UUID, TIMESTAMPTZ '2001-01-01 00:00:00Z', [], NULL, NULL, NULL)) AS t(u, moment, l, s, m, other)`,
    );
    await project.moraine.appendFile('a.u', nested, { create: true });
    const item = defineEntity({ name: 'item', joinKeys: ['u'] });
    const source = { table: 'a.u', timestampField: 'moment' };
    await project.moraine.apply([item, defineFeatureView({ name: 'items', entities: [item], source })]);
  });

  /** Both keys, once more the first, and one that the view does not have. */
  function uuidFrame(extension: boolean): Table {
    const texts = [...KEYS, KEYS[0], '00000000-0000-0000-0000-000000000000'];
    const bytes = Uint8Array.from(Buffer.from(texts.join('').replaceAll('-', ''), 'hex'));
    const metadata = extension ? [['ARROW:extension:name', 'arrow.uuid'] as const] : [];
    const fields = [
      new Field('u', new FixedSizeBinary(16), true, new Map(metadata)),
      new Field('event_timestamp', new TimestampMicrosecond('UTC'), true),
    ];
    const times = BigInt64Array.from(texts, () => 978_307_200_000_000n);
    return new Table(new Schema(fields), {
      u: new Vector([makeData({ type: new FixedSizeBinary(16), length: 4, data: bytes })]),
      event_timestamp: new Vector([makeData({ type: new TimestampMicrosecond('UTC'), length: 4, data: times })]),
    });
  }

  const json = (table: Table): unknown =>
    JSON.parse(
      JSON.stringify(table.toArray(), (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
    );

  test.each([
    ['of the uuid type', true],
    ['of sixteen bytes', false],
  ])('keys %s find the rows of a uuid', async (_title, extension) => {
    const table = await ask({ file: file('uuid.arrow', tableToIPC(uuidFrame(extension), 'file')) }, ['items:l']);
    expect(columnOf(table, 'l')).toEqual(['[1,2,]', '[]', '[1,2,]', 'null']);
    expect(table.schema.fields[0]?.metadata.get('ARROW:extension:name')).toBe(extension ? 'arrow.uuid' : undefined);
  });

  test('our own answer, nested columns included, is given back as it is with more features', async () => {
    const answer = await ask(uuidFrame(true), ['items']);
    for (const entities of [
      answer,
      tableToIPC(answer, 'stream'),
      { file: file('own.arrow', tableToIPC(answer, 'file')) },
    ]) {
      const reader = await project.moraine.getHistoricalFeatures({
        features: ['items'],
        entities,
        fullFeatureNames: true,
      });
      const own = reader.table.select(answer.schema.fields.map(({ name }) => name));
      expect(columnsOf(own)).toEqual(columnsOf(answer));
      expect(json(own)).toEqual(json(answer));
      expect(columnOf(reader.table, 'items__l')).toEqual(columnOf(answer, 'l'));
    }
    expect(columnOf(answer, 's')).toEqual([
      '{"a": 125, "b": ["x",null]}',
      'null',
      '{"a": 125, "b": ["x",null]}',
      'null',
    ]);
  });

  test('our own answer without rows is taken', async () => {
    const answer = await ask([], ['items']);
    const { table } = await project.moraine.getHistoricalFeatures({
      features: ['items'],
      entities: tableToIPC(answer, 'stream'),
      fullFeatureNames: true,
    });
    expect([table.numRows, table.numCols]).toEqual([0, 2 * answer.numCols - 2]);
  });
});
