/** Entity rows from tables and from SQL, and what SQL must not reach. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
let firstOrders: bigint;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.delays', { origin: 'string', at: 'timestamptz', delay: 'double' });
  await lab.append(
    'demo.delays',
    `SELECT * FROM (VALUES ('A', TIMESTAMPTZ '2001-01-01 10:00:00Z', 1.0), ('B', TIMESTAMPTZ '2001-01-01 10:00:00Z', 2.0))`,
  );
  await lab.createTable('demo.orders', {
    id: 'long',
    origin: 'string',
    event_timestamp: 'timestamptz',
    paid: 'boolean',
  });
  firstOrders = await lab.append(
    'demo.orders',
    `SELECT * FROM (VALUES (1, 'A', TIMESTAMPTZ '2001-01-01 11:00:00Z', true), (2, 'B', TIMESTAMPTZ '2001-01-01 09:00:00Z', true))`,
  );
  await lab.append('demo.orders', `SELECT 3, 'B', TIMESTAMPTZ '2001-01-01 12:00:00Z', false`);
  lab.define({
    entities: [{ name: 'airport', joinKeys: ['origin'] }],
    featureViews: [{ name: 'delays', entities: ['airport'], source: { table: 'demo.delays', timestampField: 'at' } }],
  });
});
afterAll(() => lab.close());

const features = ['delays:delay'];
const sql = (text: string, tables: Record<string, string> = {}) =>
  lab.historical({ features, entities: { query: { sql: text, tables: new Map(Object.entries(tables)) } } });
const refusal = async (text: string, tables: Record<string, string> = {}) => {
  const error = await failureOf(sql(text, tables));
  return `${error.code}: ${error.message}`;
};

test('an Iceberg table as entity rows: as it is now, or at a snapshot, which the answer names', async () => {
  const now = await lab.historical({ features, entities: { table: 'demo.orders' } });
  expect(now.rows.map((row) => [row.id, row.delay, row.paid]).sort()).toEqual([
    [1, 1, true],
    [2, null, true],
    [3, 2, false],
  ]);
  const then = await lab.historical({
    features,
    entities: { table: 'demo.orders', asOf: { snapshotId: firstOrders } },
  });
  expect(then.rows.map((row) => [row.id, row.delay])).toEqual([
    [1, 1],
    [2, null],
  ]);
  expect([...then.entitySources].map(([name, state]) => [name, state.snapshotId])).toEqual([
    ['demo.orders', firstOrders],
  ]);
  expect([...then.snapshots.keys()]).toEqual(['demo.delays']);
});

test('SQL over tables: named in the SQL or by an alias, in its own order', async () => {
  const text = `SELECT o.id, origin, event_timestamp FROM demo.orders AS o JOIN paid USING (id) ORDER BY id DESC -- the end`;
  const answer = await sql(text.replace('paid USING', '(SELECT id FROM p WHERE paid) USING'), { p: 'demo.orders' });
  expect(answer.rows).toEqual([
    { id: 2, origin: 'B', event_timestamp: '2001-01-01T09:00:00.000000Z', delay: null },
    { id: 1, origin: 'A', event_timestamp: '2001-01-01T11:00:00.000000Z', delay: 1 },
  ]);
  expect([...answer.entitySources.keys()]).toEqual(['demo.orders']);
});

test('WITH, set operations, windows and functions in FROM that read nothing', async () => {
  const text = `WITH hours AS (SELECT unnest(range(9, 12)) AS h), o AS (SELECT DISTINCT origin FROM orders)
    SELECT origin, TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_hours(h) AS event_timestamp,
      row_number() OVER (ORDER BY origin, h) AS n FROM o, hours ORDER BY n;`;
  const answer = await sql(text, { orders: 'demo.orders' });
  expect(answer.rows.map((row) => [row.origin, row.n, row.delay])).toEqual([
    ['A', 1, null],
    ['A', 2, 1],
    ['A', 3, 1],
    ['B', 4, null],
    ['B', 5, 2],
    ['B', 6, 2],
  ]);
  expect(answer.columns).toEqual(['origin string', 'event_timestamp timestamptz', 'n long', 'delay double']);
});

test('SQL reads no other file, setting, variable, catalog or database, and is one SELECT', async () => {
  const secret = join(lab.folder, 'secret.csv');
  writeFileSync(secret, 'origin,event_timestamp\nA,2001-01-01\n');
  const other = (await lab.table('demo.delays')).metadata.location.replace('file://', '');
  const reads = [
    `SELECT * FROM '${secret}'`,
    `SELECT * FROM read_csv('${secret}')`,
    `SELECT * FROM orders, (SELECT 1 FROM read_text('/etc/passwd'))`,
    `SELECT *, (SELECT content FROM read_blob('${secret}')) FROM orders`,
    `SELECT * FROM glob('${other}/data/*')`,
    `SELECT * FROM parquet_scan('${other}/data/*.parquet')`,
    `WITH x AS (FROM read_parquet('${other}/data/*')) SELECT * FROM x`,
    'SELECT * FROM duckdb_settings()',
    "SELECT * FROM query_table(['orders'])",
    `SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))`,
    'SHOW TABLES',
    'FROM (DESCRIBE orders)',
    `SELECT current_setting('temp_directory') AS origin FROM orders`,
    `SELECT "current_setting"('temp_directory') AS origin FROM orders`,
    `SELECT getvariable('x') AS origin FROM orders`,
    `SELECT getenv('HOME') AS origin FROM orders`,
    `SELECT count(*) FILTER (WHERE current_setting('threads') > 0) FROM orders`,
    `ATTACH '${secret}' AS other`,
    `COPY orders TO '${secret}'`,
    'SET threads = 1',
    'INSTALL httpfs',
    'SELECT 1; SELECT 2',
    'DROP VIEW orders',
    'SELECT * FROM other.main.orders',
    'SELECT 1 AS x FROM orders WHERE $1',
  ];
  for (const text of reads) {
    expect([text, await refusal(text, { orders: 'demo.orders' })]).toEqual([
      text,
      expect.stringMatching(
        /^INVALID_ARGUMENT: The entity SQL cannot be run: |^TABLE_NOT_FOUND: The entity SQL reads /,
      ),
    ]);
  }
  // Names with a dot are tables of a catalog and nothing else.
  expect(await refusal('SELECT * FROM information_schema.tables')).toMatch(/^(TABLE|NAMESPACE)_NOT_FOUND/);
  expect(await refusal('SELECT * FROM duckdb_settings')).toMatch(/^TABLE_NOT_FOUND/);
  expect(await refusal('SELECT * FROM delays', { orders: 'demo.orders' })).toBe(
    "TABLE_NOT_FOUND: The entity SQL reads 'delays', and no table is called so. There are 'orders'. Write NAMESPACE.TABLE, or give the name a table (--table NAME=NAMESPACE.TABLE).",
  );
});

test('what is wrong with SQL is said in the words of the engine', async () => {
  expect(await refusal('SELECT * FROM demo.orders WHERE ORDER')).toBe(
    'INVALID_ARGUMENT: The entity SQL cannot be run: syntax error at or near "ORDER" at character 33.',
  );
  expect(await refusal('SELECT nope FROM demo.orders')).toMatch(/^INVALID_ARGUMENT: .*"nope" not found/);
  expect(await refusal(`SELECT 'x'::INT AS origin, event_timestamp FROM demo.orders`)).toMatch(
    /^INVALID_ARGUMENT: The entity SQL cannot be run: .*Could not convert string 'x' to INT32/,
  );
  expect(await refusal('SELECT origin, INTERVAL 1 DAY AS event_timestamp FROM demo.orders')).toBe(
    "TYPE_MISMATCH: The column 'event_timestamp' of the entity SQL has the type INTERVAL, which no table can have. Cast it to another.",
  );
});
