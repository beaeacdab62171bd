/**
 * Tables that Apache Spark and Iceberg's Java library wrote, with identity partitions of every type that may be a join key: read by those
 * keys from history and online. The expected values are plain SQL over the rows that the writers were given.
 */
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Vector } from 'apache-arrow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { SPARK_KEY_TABLES, sparkKeyMetadata, unpackSparkKeys } from '../support/spark-tables.js';
import { lastingFolder } from '../support/temp-folder.js';

const TYPES: Readonly<Record<string, string>> = {
  id: 'BIGINT',
  at: 'TIMESTAMPTZ',
  b: 'BOOLEAN',
  i: 'INTEGER',
  l: 'BIGINT',
  d: 'DATE',
  amount: 'DECIMAL(20, 3)',
  ts: 'TIMESTAMPTZ',
  ntz: 'TIMESTAMP',
  bin: 'BLOB',
  s: 'VARCHAR',
  u: 'UUID',
  t: 'TIME',
};
interface KeyCase {
  readonly table: string;
  readonly keys: readonly [string, ...string[]];
  readonly view: string;
}
const KEYS: Readonly<Record<string, KeyCase['keys']>> = {
  keys: ['b', 'i', 'l', 'd', 'amount', 'ts', 'ntz', 'bin', 's'],
  java_keys: ['u', 't'],
};
/** Each key alone, and all of a table together. */
const CASES = Object.entries(KEYS).flatMap(([table, keys]): readonly KeyCase[] => [
  ...keys.map((key): KeyCase => ({ table, keys: [key], view: `by_${key}` })),
  { table, keys, view: `all_${table}` },
]);
/** Before, among and after the event times; the second is that of a row. */
const ASKED = ['2000-12-31', '2001-01-02', '2001-03-20', '2002-01-01'];

type GivenRow = Readonly<Record<string, string | null>>;

const folder = lastingFolder();
let moraine: Moraine;
let instance: DuckDBInstance;
let connection: DuckDBConnection;

beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  for (const [name, { rows }] of Object.entries(SPARK_KEY_TABLES)) await giveRows(name, rows);

  const roots = [join(folder.path, 'warehouse'), unpackSparkKeys()];
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, storage: { roots } };
  moraine = await createMoraine({ config, cwd: folder.path, fileFolders: [folder.path] });
  const catalog = await moraine.project.catalog();
  await catalog.createNamespace(['p']);
  for (const name of Object.keys(SPARK_KEY_TABLES)) {
    await catalog.registerTable({ namespace: ['p'], name }, sparkKeyMetadata(name));
  }
  const definitions = CASES.map(({ table, keys, view }) => {
    const entity = defineEntity({ name: view, joinKeys: keys });
    const source = { table: `p.${table}`, timestampField: 'at' };
    return [entity, defineFeatureView({ name: view, entities: [entity], source, features: ['id'], online: true })];
  });
  await moraine.apply(definitions.flat());
}, 60_000);

afterAll(async () => {
  await moraine.close();
  connection.closeSync();
  instance.closeSync();
  folder.remove();
});

/** A value that a writer was given as text. */
function literal(column: string, text: string | null | undefined): string {
  if (typeof text !== 'string') return `NULL::${TYPES[column]}`;
  return column === 'bin' ? `unhex('${text}')` : `'${text}'::${TYPES[column]}`;
}

/** A table of DuckDB with the rows that a writer was given. */
async function giveRows(name: string, rows: readonly GivenRow[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const values = rows.map((row) => `(${columns.map((column) => literal(column, row[column])).join()})`);
  await connection.run(
    `CREATE TABLE ${name} AS FROM (VALUES ${values.join()}) g(${columns.map((column) => `"${column}"`).join()})`,
  );
}

/** The first column of a query as text. */
async function column(sql: string): Promise<readonly (string | null)[]> {
  return (await connection.runAndReadAll(sql)).getRowsJS().map(([value]) => textOf(value));
}

test.each(CASES)('$view is retrieved as of each time', async ({ table, keys, view }) => {
  const times = ASKED.map((day) => `('${day}'::TIMESTAMPTZ)`).join();
  // Entities with null keys among them.
  const pairs = `(SELECT DISTINCT ${keys.join()} FROM ${table}), (VALUES ${times}) asked(event_timestamp)`;
  await connection.run(`CREATE TABLE ${view} AS SELECT *, row_number() OVER () AS n FROM (FROM ${pairs} ORDER BY ALL)`);
  const file = join(folder.path, `${view}.parquet`);
  await connection.run(`COPY (FROM ${view} ORDER BY n) TO '${file}'`);
  const equal = keys.map((key) => `g.${key} = f.${key}`).join(' AND ');
  const newest = `SELECT arg_max(g.id, g."at") FROM ${table} g WHERE ${equal} AND g."at" <= f.event_timestamp`;
  const expected = await column(`SELECT (${newest}) FROM ${view} f ORDER BY n`);
  expect(new Set(expected).size).toBeGreaterThan(5);

  const { table: answer } = await moraine.getHistoricalFeatures({ features: [`${view}:id`], entities: { file } });
  expect(Array.from(answer.getChild('id') as Vector, textOf)).toEqual(expected);
});

test('every view serves the newest row of each key', { timeout: 60_000 }, async () => {
  const deps = await materializationDeps(moraine.project);
  for (const { table, keys, view } of CASES) {
    await materializeDirect(deps, { view });
    const all = (SPARK_KEY_TABLES[table]?.rows ?? []).map((row) => keys.map((key) => row[key] ?? null));
    const entities = [...new Map(all.map((values) => [values.join('|'), values])).values()];
    const newest = entities.map((values) => {
      const equal = keys.map((key, index) => `${key} = ${literal(key, values[index])}`).join(' AND ');
      return `(SELECT arg_max(id, "at") FROM ${table} WHERE ${equal})`;
    });
    const { rows } = await moraine.getOnlineFeatures({
      features: [`${view}:id`],
      entities: entities.map((values) => Object.fromEntries(keys.map((key, i) => [key, requested(key, values[i])]))),
      readTimeoutMs: 60_000,
    });
    const served = rows.map(([id]) => textOf(id?.value));
    expect.soft(served, view).toEqual(await column(`SELECT unnest([${newest.join()}])`));
  }
});

/** A key as requests have it: its text, but for numbers and booleans. */
function requested(key: string, text: string | null | undefined): unknown {
  if (typeof text !== 'string') return null;
  return key === 'b' ? text === 'true' : key === 'i' || key === 'l' ? BigInt(text) : text;
}

const textOf = (value: unknown): string | null =>
  value === null || value === undefined ? null : (value as bigint).toString();
