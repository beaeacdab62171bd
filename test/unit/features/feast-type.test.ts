/** Every Iceberg type: its name in definitions and back, its place in Arrow and DuckDB through a real table, and Feast's type for it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrowTable, sqlType } from '../../../engine/index.js';
import {
  feastValueType,
  featureTypeToString,
  isJoinKeyType,
  parseFeatureType,
  pullAll,
} from '../../../features/index.js';
import { parseType, type SimplePrimitiveKind } from '../../../iceberg/index.js';
import { FeatureLab } from '../../support/feature-lab.js';
import { projectRoot } from '../../support/paths.js';

/** Iceberg and feature type, DuckDB, Arrow, Feast, whether it may be a join key; a value in SQL. */
const TYPES: readonly (readonly [string, string, string, string, boolean, string])[] = [
  ['boolean', 'BOOLEAN', 'Bool', 'BOOL', true, 'true'],
  ['int', 'INTEGER', 'Int32', 'INT32', true, '2147483647'],
  ['long', 'BIGINT', 'Int64', 'INT64', true, '9223372036854775807'],
  ['float', 'FLOAT', 'Float32', 'FLOAT', false, '1.5'],
  ['double', 'DOUBLE', 'Float64', 'DOUBLE', false, '1.5'],
  ['decimal(9, 2)', 'DECIMAL(9,2)', 'Decimal[9e+2]', 'DOUBLE', true, '1234567.89'],
  ['date', 'DATE', 'Date32<DAY>', 'INT32', true, `DATE '2001-01-01'`],
  ['time', 'TIME', 'Time64<MICROSECOND>', 'UNKNOWN', true, `TIME '12:00:00.000001'`],
  ['timestamp', 'TIMESTAMP', 'Timestamp<MICROSECOND>', 'INT64', true, `TIMESTAMP '2001-01-01 00:00:00.000001'`],
  [
    'timestamptz',
    'TIMESTAMP WITH TIME ZONE',
    'Timestamp<MICROSECOND, UTC>',
    'INT64',
    true,
    `TIMESTAMPTZ '2001-01-01 00:00:00Z'`,
  ],
  [
    'timestamp_ns',
    'TIMESTAMP_NS',
    'Timestamp<NANOSECOND>',
    'INT64',
    true,
    `TIMESTAMP_NS '2001-01-01 00:00:00.000000001'`,
  ],
  ['string', 'VARCHAR', 'Utf8', 'STRING', true, `'x'`],
  ['uuid', 'UUID', 'FixedSizeBinary[16]', 'STRING', true, `'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::UUID`],
  ['binary', 'BLOB', 'Binary', 'BYTES', true, `'\\x01'::BLOB`],
  ['list<int>', 'INTEGER[]', 'List<Int32>', 'INT32_LIST', false, '[1, NULL]'],
  ['map<string, long>', 'MAP(VARCHAR, BIGINT)', 'Map<{key:Utf8, value:Int64}>', 'UNKNOWN', false, `MAP {'a': 1}`],
  [
    'struct<a: int, b: string>',
    'STRUCT("a" INTEGER, "b" VARCHAR)',
    'Struct<{a:Int32, b:Utf8}>',
    'UNKNOWN',
    false,
    `{a: 1, b: 'x'}`,
  ],
];
/** Types that are read from tables of other engines, and not written. */
const READ_ONLY: readonly (readonly [string, string, string])[] = [
  ['timestamptz_ns', 'TIMESTAMP_NS', 'INT64'],
  ['fixed[4]', 'BLOB', 'BYTES'],
];

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
});
afterAll(() => lab.close());

const parsed = (text: string) => parseFeatureType(text) ?? expect.fail(text);

test.each(TYPES)('%s', async (text, duckdb, arrow, feast, isKey, value) => {
  const type = parsed(text);
  expect(featureTypeToString(type)).toBe(text);
  expect([sqlType(type), feastValueType(type), isJoinKeyType(type)]).toEqual([duckdb, feast, isKey]);
  // The type of SQL's own value, inferred, and as Arrow has it.
  const sql = `SELECT ${value}::${duckdb} AS x, "at" FROM demo.t`;
  if (text === 'boolean') {
    await lab.createTable('demo.t', { at: 'timestamp' });
    await lab.append('demo.t', `SELECT TIMESTAMP '2001-01-01'`);
  }
  const request = { source: { query: { sql } }, joinKeys: [], features: ['x'], timestampField: 'at' };
  await pullAll(lab.deps, request, async ({ connection, select, schema }) => {
    expect(featureTypeToString(schema.fields[0]?.type ?? expect.fail('no column'))).toBe(text);
    const table = await arrowTable(connection, `(${select})`, schema);
    expect(String(table.schema.fields[0]?.type)).toBe(arrow);
    expect([table.numRows, table.getChildAt(0)?.nullCount]).toEqual([1, 0]);
  });
});

test.each(READ_ONLY)('%s', (text, duckdb, feast) => {
  const type = parsed(text);
  expect([featureTypeToString(type), sqlType(type), feastValueType(type)]).toEqual([text, duckdb, feast]);
});

test('the table covers every primitive type but `unknown`, and the page has the same table', () => {
  const kinds = new Set(
    [...TYPES.map(([text]) => text), ...READ_ONLY.map(([text]) => text)].map((text) => parsed(text).kind),
  );
  const simple: readonly SimplePrimitiveKind[] = [
    'boolean',
    'int',
    'long',
    'float',
    'double',
    'date',
    'time',
    'timestamp',
    'timestamptz',
  ];
  const more = [
    'timestamp_ns',
    'timestamptz_ns',
    'string',
    'uuid',
    'binary',
    'fixed',
    'decimal',
    'list',
    'map',
    'struct',
  ];
  expect([...kinds].sort()).toEqual([...simple, ...more].sort());
  expect(parseType('unknown').kind).toBe('unknown');
  const page = readFileSync(join(projectRoot, 'docs/feature-types.md'), 'utf8');
  for (const [text, duckdb, arrow, feast, isKey] of TYPES) {
    expect(page).toContain(`| \`${text}\` | \`${duckdb}\` | \`${arrow}\` | \`${feast}\` | ${isKey ? 'yes' : 'no'} |`);
  }
  for (const [text, duckdb, feast] of READ_ONLY) {
    expect(page).toMatch(
      new RegExp(
        `\\| \`${text.replace(/[[\]]/g, '\\$&')}\` \\| \`${duckdb}\` \\| \`[^|]+\` \\| \`${feast}\` \\| yes \\|`,
      ),
    );
  }
});
