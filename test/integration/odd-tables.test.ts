/** Tables at the edges of what a table may be: a data file without rows, two thousand columns. */
import { expect, test } from 'vitest';
import { parseWhere } from '../../cli/options/where-option.js';
import { prepareScan } from '../../cli/scan-table.js';
import { quoteLiteral, writeRows } from '../../engine/index.js';
import type { DataFile } from '../../iceberg/index.js';
import { commitAppend, selectSnapshot } from '../../tables/index.js';
import { putFile } from '../support/put-file.js';
import { openTableWorld, schemaOf, type TableWorld } from '../support/table-world.js';

/** The output of `table scan`. */
async function scan(world: TableWorld, where?: string, format: 'jsonl' | 'csv' = 'jsonl'): Promise<string[]> {
  const table = await world.load('t');
  const { snapshot, schema } = selectSnapshot(table.metadata);
  const chunks: Uint8Array[] = [];
  await world.engine.withConnection(async (connection) => {
    const request = { snapshot, schema, selected: schema, filter: parseWhere(where, schema) };
    const { statement } = await prepareScan(connection, table, request);
    const write = async (bytes: Uint8Array): Promise<void> => void chunks.push(Uint8Array.from(bytes));
    await writeRows(connection, statement, schema, format, { write });
  });
  return Buffer.concat(chunks).toString().split('\n').slice(0, -1);
}

test('a data file without rows adds none, alone and beside others', async () => {
  const world = await openTableWorld();
  const table = await world.create('t', schemaOf({ id: 'long' }));
  const path = `${table.metadata.location}/data/none.parquet`;
  const fileSizeInBytes = await putFile(table.io, path, (to) =>
    world.engine.withConnection((connection) =>
      connection.rows(`COPY (SELECT 1::BIGINT AS id WHERE false) TO ${quoteLiteral(to)} (FIELD_IDS {id: 1})`),
    ),
  );
  const none: DataFile = {
    content: 'data',
    filePath: path,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: 0n,
    fileSizeInBytes,
  };
  await commitAppend(table, { files: [none] });
  expect(await scan(world)).toEqual([]);
  await world.append('t', 'SELECT 7::BIGINT');
  expect(await scan(world)).toEqual(['{"id":7}']);
  expect(await scan(world, 'id IS NULL')).toEqual([]);
});

test('two thousand columns are written, filtered and read', { timeout: 180_000 }, async () => {
  const world = await openTableWorld();
  const names = Array.from({ length: 2000 }, (_, column) => `c${column}`);
  await world.create('t', schemaOf(Object.fromEntries(names.map((name) => [name, 'long']))));
  for (const row of [1, 2]) {
    await world.append('t', `SELECT ${names.map((_, column) => `${row * 10_000 + column}::BIGINT`).join()}`);
  }
  const line = `{${names.map((name, column) => `"${name}":${20_000 + column}`).join()}}`;
  expect(await scan(world, 'c1999 = 21999')).toEqual([line]);
  const values = names.map((_, column) => 20_000 + column).join();
  expect(await scan(world, 'c0 = 20000', 'csv')).toEqual([names.join(), values]);
  expect(await scan(world)).toHaveLength(2);
});
