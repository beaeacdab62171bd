/** Columns that rows leave out get the write default of format version 3. Source: Apache Iceberg specification, "Default values". */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine, type Moraine, parseSchema } from '../../../index.js';
import { rejectionCode } from '../../support/error-code.js';

let folder: string;
let moraine: Moraine;
let duckdb: DuckDBConnection;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-defaults-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  duckdb = await (await DuckDBInstance.create()).connect();
});
afterAll(async () => {
  duckdb.closeSync();
  await moraine.close();
  rmSync(folder, { recursive: true });
});

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    // The two defaults differ: rows of before have one, rows that are written now the other.
    { id: 2, name: 'place', required: false, type: 'string', 'initial-default': 'old', 'write-default': "it's" },
    { id: 3, name: 'price', required: true, type: 'decimal(9, 2)', 'write-default': '14.20' },
    { id: 4, name: 'none', required: false, type: 'int', 'initial-default': 1 },
  ],
});

let tables = 0;
/** The rows of a new table as DuckDB reads its files. */
async function rowsAfter(write: (table: string) => Promise<unknown>): Promise<unknown[][]> {
  tables += 1;
  const table = `a.t${tables}`;
  await moraine.createTable(table, { schema: SCHEMA, formatVersion: 3 });
  await write(table);
  const { metadata } = await moraine.project.loadTable(table);
  const columns = 'id::INTEGER, place, price::VARCHAR, "none"';
  const sql = `SELECT ${columns} FROM read_parquet('${metadata.location}/data/*.parquet') ORDER BY id`;
  return (await duckdb.runAndReadAll(sql)).getRows();
}

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

test('a file that lacks columns is appended with them; a null that it has stays null', async () => {
  const appended = (name: string, content: string) =>
    rowsAfter((table) => moraine.appendFile(table, file(name, content)));
  expect(await appended('a.csv', 'id\n1\n')).toEqual([[1, "it's", '14.20', null]]);
  expect(await appended('b.csv', 'id,place,price\n1,,2.00\n2,x,3.00\n')).toEqual([
    [1, null, '2.00', null],
    [2, 'x', '3.00', null],
  ]);
  // No value of the column tells its type, and it is there.
  expect(await appended('c.jsonl', '{"id":1,"place":null}\n')).toEqual([[1, null, '14.20', null]]);
  expect(await appended('d.jsonl', '{"id":1}\n')).toEqual([[1, "it's", '14.20', null]]);
});

test('a required column without a write default is still missed, and one that is null is refused', async () => {
  const refused = (name: string, content: string) =>
    rejectionCode(rowsAfter((table) => moraine.appendFile(table, file(name, content))));
  expect(await refused('e.csv', 'place\nx\n')).toBe('TYPE_MISMATCH');
  expect(await refused('f.csv', 'id,price\n1,\n')).toBe('TYPE_MISMATCH');
});

test('each record of a sink that lacks a column has its write default, whatever its neighbours have', async () => {
  const lines = [
    '{"id":1}',
    '{"id":2,"place":null,"price":1}',
    '{"id":3,"place":"x","price":2.5,"none":4}',
    '{"id":4,"none":null}',
    '{"id":5,"place":null}',
  ];
  const records = file('g.jsonl', lines.map((line) => `${line}\n`).join(''));
  expect(await rowsAfter((table) => moraine.sinkFiles(table, [records]))).toEqual([
    [1, "it's", '14.20', null],
    [2, null, '1.00', null],
    [3, 'x', '2.50', 4],
    [4, "it's", '14.20', null],
    [5, null, '14.20', null],
  ]);
});
