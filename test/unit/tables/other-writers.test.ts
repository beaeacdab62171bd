/** Tables as other writers leave them: of version 1, and partitioned by a transform that is not known here. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scanSql } from '../../../engine/index.js';
import {
  bindExpression,
  currentSchema,
  type DataFile,
  type PartitionSpec,
  parseExpression,
  parsePartitionSpec,
  parsePartitionSpecJson,
  serializeValue,
} from '../../../iceberg/index.js';
import { openScan } from '../../../scans/index.js';
import { commitAppend, planFiles, selectSnapshot, type Table } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { openTableWorld, schemaOf, type TableWorld, writeRows } from '../../support/table-world.js';
import { fileSize, writeParquet } from '../../worlds/data-file.js';
import { Random } from '../../worlds/random.js';
import { TableWriter } from '../../worlds/table-writer.js';

const SCHEMA = schemaOf({ id: 'long', place: 'string' });
const IDENTIFIER = { namespace: ['demo'], name: 'theirs' };

interface Written {
  readonly world: TableWorld;
  readonly table: Table;
}

/** A table of a file for each place, whose partition value is given; ids have bounds where asked for. */
async function written(
  formatVersion: 1 | 2,
  spec: PartitionSpec,
  places: readonly { readonly place: string; readonly partition: string; readonly ids: readonly bigint[] }[],
  isInline = false,
): Promise<Written> {
  const world = await openTableWorld();
  const location = join(world.warehouse, 'theirs');
  let writer: TableWriter;
  let seed = 0;
  do writer = new TableWriter(new Random(`${seed++}`), location, formatVersion, SCHEMA, spec);
  while (writer.isInline !== isInline);
  await writer.prepare();
  for (const { place, partition, ids } of places) {
    const filePath = writer.path('data', 'f.parquet');
    const rows = ids.map((id) => [id, place]);
    await world.engine.withConnection(({ duckdb }) => writeParquet(duckdb, filePath, SCHEMA.fields, rows));
    const bound = (id: bigint | undefined) => new Map([[1, serializeValue({ kind: 'long' }, id ?? 0n)]]);
    const file: DataFile = {
      content: 'data',
      filePath,
      fileFormat: 'PARQUET',
      specId: 0,
      partition: [partition],
      recordCount: BigInt(ids.length),
      fileSizeInBytes: await fileSize(filePath),
      lowerBounds: bound(ids[0]),
      upperBounds: bound(ids.at(-1)),
    };
    await writer.commit('append', [{ file }], new Set());
  }
  await world.catalog.registerTable(IDENTIFIER, await writer.finish());
  return { world, table: await world.load('theirs') };
}

/** How many files a filter leaves, and the rows of theirs that match. */
async function read({ world, table }: Written, where: string): Promise<{ files: number; rows: unknown[][] }> {
  const schema = currentSchema(table.metadata);
  const filter = bindExpression(parseExpression(where), schema);
  const source = { table, ...selectSnapshot(table.metadata) };
  const plan = await planFiles(table, { ...source, filter });
  return await world.engine.withConnection(async (connection) => {
    const { scan } = await openScan(connection, source, plan, filter);
    const rows = await connection.rows(`SELECT * FROM ${scanSql({ ...scan, schema })} ORDER BY id`);
    return { files: plan.files.length, rows };
  });
}

const PLACES = [
  { place: 'a', ids: [1n, 2n] },
  { place: 'b', ids: [3n, 4n] },
  { place: 'a', ids: [5n] },
];

test.each([
  ['of an unknown transform', { 'source-id': 2, transform: 'zorder[3]' }],
  ['of several columns', { 'source-ids': [1, 2], transform: 'bucket[4]' }],
])('a partition field %s prunes nothing, the columns do, and nothing is written', async (_, source) => {
  const spec = parsePartitionSpecJson({ 'spec-id': 0, fields: [{ 'field-id': 1000, name: 'z', ...source }] });
  // Values that would prune every file, were they those of `place`.
  const table = await written(
    2,
    spec,
    PLACES.map((one) => ({ ...one, partition: 'x' })),
  );
  const a = [1n, 2n, 5n].map((id) => [id, 'a']);
  expect(await read(table, "place = 'a'")).toEqual({ files: 3, rows: a });
  expect(await read(table, "place = 'a' AND id < 3")).toEqual({ files: 1, rows: a.slice(0, 2) });
  const append = writeRows(table.world.engine, table.table, "SELECT 6, 'c'");
  expect(await rejectionCode(append)).toBe('UNSUPPORTED_FEATURE');
});

test.each([
  ['a manifest list', false],
  ['manifests that the snapshot lists', true],
])('version 1 with %s is read and pruned, and not written', async (_name, isInline) => {
  const places = PLACES.map((one) => ({ ...one, partition: one.place }));
  const table = await written(1, parsePartitionSpec('place', SCHEMA), places, isInline);
  expect(table.table.metadata.formatVersion).toBe(1);
  expect(table.table.metadata.snapshots.map(({ manifests }) => manifests !== undefined)).toEqual(
    places.map(() => isInline),
  );
  expect(await read(table, 'id > 0')).toEqual({
    files: 3,
    rows: PLACES.flatMap(({ place, ids }) => ids.map((id) => [id, place])),
  });
  expect(await read(table, "place = 'b'")).toEqual({ files: 1, rows: [3n, 4n].map((id) => [id, 'b']) });
  expect(await rejectionCode(commitAppend(table.table, { files: [] }))).toBe('FORMAT_VERSION_UNSUPPORTED');
});
