/** Compaction of a table of several partitions: each for itself, so that one that fails holds up no other. */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSqlCatalog } from '../../../catalogs/index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { LocalFileIO } from '../../../storage/index.js';
import { leasesOf } from '../../../tables/index.js';
import { compactDeps } from '../../support/compaction-lab.js';
import { failureOf } from '../../support/error-code.js';
import { RowTable } from '../../support/row-table.js';

const TABLE = 'demo.t';
const PARTS = ['a', 'b', 'c'];
const REQUEST = { table: TABLE, strategy: 'binpack' } as const;

/** Five commits of a row for each partition, a file each; the row of partition p in commit c has the id 10 c + p. */
async function fifteenFiles(): Promise<RowTable> {
  const table = await RowTable.create(2, 'part');
  for (let commit = 0; commit < 5; commit++) {
    await table.append(PARTS.map((part, index) => [10 * commit + index, part, commit]));
  }
  return table;
}

const idsOf = async (table: RowTable) => (await table.rows()).map(({ id, part }) => `${part}${id}`).sort();
const IDS = PARTS.flatMap((part, index) => [0, 1, 2, 3, 4].map((commit) => `${part}${10 * commit + index}`)).sort();

/** How many files of how many rows each partition has. */
async function filesByPart(table: RowTable): Promise<Record<string, readonly number[]>> {
  const files: Record<string, number[]> = {};
  for (const { file } of await table.plan(await table.load())) {
    (files[String(file.partition[0])] ??= []).push(Number(file.recordCount));
  }
  return files;
}

const FIVE = [1, 1, 1, 1, 1];

test('partitions never mix, and small ones are committed together', async () => {
  const table = await fifteenFiles();
  const result = await compactDirect(compactDeps(table.world), REQUEST);
  expect(result).toMatchObject({ groups: 3, filesRemoved: 15, filesAdded: 3, rows: 15n, passes: 1, skipped: [] });
  expect(await filesByPart(table)).toEqual({ a: [5], b: [5], c: [5] });
  expect(await idsOf(table)).toEqual(IDS);
  expect((await table.load()).metadata.snapshots).toHaveLength(6);
});

test('a condition chooses partitions, and a budget as many as fit', async () => {
  const table = await fifteenFiles();
  const deps = compactDeps(table.world);
  expect(await compactDirect(deps, { ...REQUEST, where: "part = 'b'" })).toMatchObject({ groups: 1, filesRemoved: 5 });
  expect(await filesByPart(table)).toEqual({ a: FIVE, b: [5], c: FIVE });
  const sizes = (await table.plan(await table.load())).filter(({ file }) => file.partition[0] === 'a');
  const bytes = sizes.reduce((sum, { file }) => sum + Number(file.fileSizeInBytes), 0);
  const result = await compactDirect(deps, { ...REQUEST, maxBytes: bytes });
  expect(result).toMatchObject({ groups: 1, skipped: [{ reason: 'beyond the byte budget', files: 5 }] });
  expect(await idsOf(table)).toEqual(IDS);
});

test('a group with a file that has gone is reported, and the others are there', async () => {
  const table = await fifteenFiles();
  const [gone] = (await table.plan(await table.load())).filter(({ file }) => file.partition[0] === 'b');
  const path = gone?.file.filePath ?? '';
  const bytes = readFileSync(path);
  rmSync(path);
  const failure = await failureOf(compactDirect(compactDeps(table.world), REQUEST));
  expect(failure).toMatchObject({ code: 'FILE_NOT_FOUND', message: expect.stringContaining(path) as string });
  expect(await filesByPart(table)).toEqual({ a: [5], b: FIVE, c: [5] });
  expect(leasesOf((await table.load()).metadata)).toEqual([]);
  // Once it is back, nothing is missing, and the rest is done.
  writeFileSync(path, bytes);
  expect(await idsOf(table)).toEqual(IDS);
  expect(await compactDirect(compactDeps(table.world), REQUEST)).toMatchObject({ groups: 1, filesRemoved: 5 });
  expect(await idsOf(table)).toEqual(IDS);
});

test('a table whose metadata is damaged is refused by its name, and nothing is written', async () => {
  const table = await RowTable.create(2);
  await table.append([[1, 'a', 1]]);
  const { metadataLocation } = await table.load();
  writeFileSync(metadataLocation, readFileSync(metadataLocation).subarray(0, -20));
  const { folder, warehouse, engine } = table.world;
  const io = new LocalFileIO({ roots: [warehouse] });
  const catalog = await openSqlCatalog({ name: 'local', uri: `sqlite:///${folder}/catalog.db`, warehouse, io });
  const before = readdirSync(warehouse, { recursive: true });
  const failure = await failureOf(compactDirect(compactDeps({ io, engine, catalog }), REQUEST));
  expect(failure).toMatchObject({
    code: 'METADATA_CORRUPT',
    message: expect.stringContaining(metadataLocation) as string,
  });
  expect(readdirSync(warehouse, { recursive: true })).toEqual(before);
  await catalog.close();
});

/** A table whose metadata has lost the source columns of partition fields of a transform. */
function withoutSources(table: RowTable, kind: string) {
  return async () => {
    const loaded = await table.load();
    const partitionSpecs = loaded.metadata.partitionSpecs.map((spec) => ({
      ...spec,
      fields: spec.fields.map((field) => (field.transform.kind === kind ? { ...field, sourceId: 99 } : field)),
    }));
    return { ...loaded, metadata: { ...loaded.metadata, partitionSpecs } };
  };
}

test('files are compacted though a void partition field has outlived its column, but not if values have no type', async () => {
  // As format version 1 leaves the fields that a spec drops: specification, "Partition Evolution".
  const table = await RowTable.create(2, 'part, void(x)');
  for (let commit = 0; commit < 5; commit++) await table.append([[commit, 'a', commit]]);
  const deps = compactDeps(table.world);
  const untold = await compactDirect({ ...deps, loadTable: withoutSources(table, 'identity') }, REQUEST);
  const reason = 'neither Parquet nor Avro, encrypted, or of partitions that metadata does not tell the types of';
  expect(untold).toMatchObject({ groups: 0, skipped: [{ files: 5, reason }] });
  const result = await compactDirect({ ...deps, loadTable: withoutSources(table, 'void') }, REQUEST);
  expect(result).toMatchObject({ groups: 1, filesRemoved: 5, filesAdded: 1, rows: 5n, skipped: [] });
  expect(await filesByPart(table)).toEqual({ a: [5] });
  expect(await idsOf(table)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
});
