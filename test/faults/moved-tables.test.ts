/** Tables that are renamed, get other columns or are known from a while ago, while somebody is about to commit to them. */
import { expect, test } from 'vitest';
import { currentSchema, evolveSchema } from '../../iceberg/index.js';
import {
  commitAppend,
  commitOverwrite,
  loadTable,
  planFiles,
  selectSnapshot,
  stageManifest,
} from '../../tables/index.js';
import { rejectionCode } from '../support/error-code.js';
import { dataFile, IDENTIFIER, openCatalog, type TableFixture, tableFixture } from '../support/table-fixture.js';

const RENAMED = { namespace: ['ns'], name: 'renamed' };

async function livePaths({ catalog, io }: TableFixture, identifier = IDENTIFIER): Promise<string[]> {
  const table = await loadTable(catalog, io, identifier);
  const { files } = await planFiles(table, selectSnapshot(table.metadata));
  return files.map(({ file }) => file.filePath).sort();
}

test('faults 27: a table renamed in mid run is not found under its old name, and takes the staged files under its new one', async () => {
  const fixture = await tableFixture();
  const file = dataFile(['x']);
  const staged = await stageManifest(fixture.table, [file], 'a');
  await fixture.catalog.renameTable(IDENTIFIER, RENAMED);
  const run = { key: 'run-1' };
  expect(await rejectionCode(commitAppend(fixture.table, { manifests: [staged], run }))).toBe('TABLE_NOT_FOUND');
  expect(await livePaths(fixture, RENAMED)).toEqual([]);
  const renamed = await loadTable(fixture.catalog, fixture.io, RENAMED);
  await commitAppend(renamed, { manifests: [staged], run });
  expect(await livePaths(fixture, RENAMED)).toEqual([file.filePath]);
});

test('faults 26 and 27: another table that took the old name is not written', async () => {
  const fixture = await tableFixture();
  await fixture.catalog.renameTable(IDENTIFIER, RENAMED);
  await fixture.catalog.createTable(IDENTIFIER, { schema: currentSchema(fixture.table.metadata) });
  expect(await rejectionCode(commitAppend(fixture.table, { files: [dataFile(['x'])] }))).toBe('TABLE_REPLACED');
  expect(await livePaths(fixture)).toEqual([]);
});

test('faults 37: files staged on an older schema are committed on the newer one, which stays the current one', async () => {
  const fixture = await tableFixture();
  const file = dataFile(['x']);
  const staged = await stageManifest(fixture.table, [file], 'a');
  const { metadata } = fixture.table;
  const added = { change: 'add', name: 'note', type: { kind: 'string' } } as const;
  const schema = evolveSchema(currentSchema(metadata), [added], metadata);
  await fixture.catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [
      { action: 'add-schema', schema },
      { action: 'set-current-schema', schemaId: -1 },
    ],
  });
  await commitAppend(fixture.table, { manifests: [staged] });
  const { metadata: after } = await fixture.load();
  expect(currentSchema(after).fields.map(({ name }) => name)).toEqual(['id', 'category', 'amount', 'note']);
  expect(after.snapshots.map(({ schemaId }) => schemaId)).toEqual([after.currentSchemaId]);
  expect(await livePaths(fixture)).toEqual([file.filePath]);
});

test('faults 39: who knows the table from a while ago reads that state, and commits to the newest', async () => {
  const fixture = await tableFixture();
  const stale = fixture.table;
  const other = await openCatalog(fixture.folder);
  const [mine, theirs] = [dataFile(['x']), dataFile(['y'])];
  await commitAppend(await loadTable(other, fixture.io, IDENTIFIER), { files: [theirs] });
  expect((await planFiles(stale, selectSnapshot(stale.metadata))).files).toEqual([]);
  const result = await commitAppend(stale, { files: [mine] });
  expect(result.attempts).toBe(1);
  expect(await livePaths(fixture)).toEqual([mine.filePath, theirs.filePath].sort());
});

test('faults 30: an overwrite without a planning snapshot replaces what is there when it lands', async () => {
  const fixture = await tableFixture();
  const [late, replacing] = [dataFile(['x']), dataFile(['x'])];
  await commitAppend(fixture.table, { files: [late] });
  const removePartitions = { specId: 0, tuples: [['x']] };
  await commitOverwrite(fixture.table, { files: [replacing], removePartitions });
  expect(await livePaths(fixture)).toEqual([replacing.filePath]);
});
