import { expect, test } from 'vitest';
import { currentSnapshot, type DataFile } from '../../../iceberg/index.js';
import {
  commitAppend,
  commitOverwrite,
  planFiles,
  readManifestEntries,
  readSnapshotManifests,
  selectSnapshot,
  snapshotChanges,
  type Table,
} from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { dataFile, IDENTIFIER, tableFixture } from '../../support/table-fixture.js';

async function livePaths(table: Table): Promise<string[]> {
  const plan = await planFiles(table, selectSnapshot(table.metadata));
  return plan.files.map(({ file }) => file.filePath).sort();
}

const paths = (...files: DataFile[]) => files.map((file) => file.filePath).sort();
const partition = (...tuples: (string | null)[][]) => ({ specId: 0, tuples });

test('whole partitions are replaced; the others keep their files, ids and numbers', async () => {
  const { table, load, io } = await tableFixture();
  const [x1, x2, y, none] = [dataFile(['x']), dataFile(['x']), dataFile(['y']), dataFile([null])];
  const first = await commitAppend(table, { files: [x1, y, none] });
  await commitAppend(table, { files: [x2] });
  const fresh = dataFile(['x'], { recordCount: 3n, fileSizeInBytes: 30n });
  const { snapshotId } = await commitOverwrite(table, {
    files: [fresh],
    removePartitions: partition(['x'], ['never there']),
  });
  const loaded = await load();
  expect(await livePaths(loaded)).toEqual(paths(fresh, y, none));
  const summary = Object.fromEntries(currentSnapshot(loaded.metadata)?.summary ?? []);
  expect(summary).toEqual({
    'moraine.ancestry': '1-3',
    operation: 'overwrite',
    'added-data-files': '1',
    'added-records': '3',
    'added-files-size': '30',
    'deleted-data-files': '2',
    'deleted-records': '20',
    'removed-files-size': '2000',
    'changed-partition-count': '1',
    'total-records': '23',
    'total-files-size': '2030',
    'total-data-files': '3',
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  });
  const manifests = await readSnapshotManifests(io, currentSnapshot(loaded.metadata));
  const entries = (
    await Promise.all(manifests.map((manifest) => readManifestEntries(io, loaded.metadata, manifest)))
  ).flat();
  const byPath = new Map(entries.map((entry) => [entry.dataFile.filePath, entry]));
  expect(byPath.get(y.filePath)).toMatchObject({
    status: 'existing',
    snapshotId: first.snapshotId,
    sequenceNumber: 1n,
    fileSequenceNumber: 1n,
  });
  expect(byPath.get(x1.filePath)).toMatchObject({ status: 'deleted', snapshotId, sequenceNumber: 1n });
  expect(byPath.get(x2.filePath)).toMatchObject({ status: 'deleted', snapshotId, sequenceNumber: 2n });
  expect(byPath.get(fresh.filePath)).toMatchObject({ status: 'added', snapshotId, sequenceNumber: 3n });
});

test('the null partition is a partition, and is not the text "null"', async () => {
  const { table, load } = await tableFixture();
  const [none, text] = [dataFile([null]), dataFile(['null'])];
  await commitAppend(table, { files: [none, text] });
  await commitOverwrite(table, { removePartitions: partition([null]) });
  expect(await livePaths(await load())).toEqual(paths(text));
  expect(currentSnapshot((await load()).metadata)?.summary.get('operation')).toBe('delete');
});

test('given files are replaced; one that is gone is a conflict', async () => {
  const { table, load } = await tableFixture();
  const [a, b] = [dataFile(['x']), dataFile(['x'])];
  await commitAppend(table, { files: [a, b] });
  const fresh = dataFile(['x']);
  await commitOverwrite(table, { files: [fresh], removeFiles: [a.filePath] });
  expect(await livePaths(await load())).toEqual(paths(b, fresh));
  const again = commitOverwrite(table, { files: [dataFile(['x'])], removeFiles: [a.filePath, b.filePath] });
  expect(await rejectionCode(again)).toBe('COMMIT_CONFLICT');
  expect(await livePaths(await load())).toEqual(paths(b, fresh));
});

test('deleted entries are listed by their own snapshot only', async () => {
  const { table, load, io } = await tableFixture();
  const [x, y] = [dataFile(['x']), dataFile(['y'])];
  await commitAppend(table, { files: [x] });
  await commitAppend(table, { files: [y] });
  await commitOverwrite(table, { removePartitions: partition(['x']) });
  await commitAppend(table, { files: [dataFile(['y'])] });
  const { metadata } = await load();
  const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
  const entries = (await Promise.all(manifests.map((manifest) => readManifestEntries(io, metadata, manifest)))).flat();
  expect(entries.filter(({ status }) => status === 'deleted')).toEqual([]);
  expect(entries).toHaveLength(2);
});

test('an overwrite planned before another writer touched its partitions is refused, others are re-applied', async () => {
  const { table, load } = await tableFixture();
  const [x, y] = [dataFile(['x']), dataFile(['y'])];
  const planned = await commitAppend(table, { files: [x, y] });
  const late = dataFile(['y']);
  await commitAppend(table, { files: [late] });
  const stale = { validateNoNewFilesFrom: planned.snapshotId };
  const conflict = commitOverwrite(table, { files: [dataFile(['y'])], removePartitions: partition(['y']), ...stale });
  expect(await rejectionCode(conflict)).toBe('COMMIT_CONFLICT');
  const fileConflict = commitOverwrite(table, { files: [dataFile(['y'])], removeFiles: [y.filePath], ...stale });
  expect(await rejectionCode(fileConflict)).toBe('COMMIT_CONFLICT');
  const fresh = dataFile(['x']);
  await commitOverwrite(table, { files: [fresh], removePartitions: partition(['x']), ...stale });
  expect(await livePaths(await load())).toEqual(paths(fresh, y, late));
  const removedSince = commitOverwrite(table, {
    files: [dataFile(['x'])],
    removePartitions: partition(['x']),
    ...stale,
  });
  expect(await rejectionCode(removedSince)).toBe('COMMIT_CONFLICT');
});

test('an overwrite planned on an empty, rolled back or expired state is checked too', async () => {
  const { table, catalog, load } = await tableFixture();
  const onEmpty = { files: [dataFile(['x'])], removePartitions: partition(['x']), validateNoNewFilesFrom: null };
  const first = await commitOverwrite(table, onEmpty);
  expect(await rejectionCode(commitOverwrite(table, onEmpty))).toBe('COMMIT_CONFLICT');
  const second = await commitAppend(table, { files: [dataFile(['y'])] });
  const third = await commitAppend(table, { files: [dataFile(['y'])] });
  const rollback = { type: 'branch' as const, snapshotId: first.snapshotId };
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-snapshot-ref', refName: 'main', ref: rollback }],
  });
  const from = (snapshotId: bigint) =>
    commitOverwrite(table, { removePartitions: partition(['x']), validateNoNewFilesFrom: snapshotId });
  expect(await rejectionCode(from(third.snapshotId))).toBe('COMMIT_CONFLICT');
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'remove-snapshots', snapshotIds: [second.snapshotId] }],
  });
  expect(await rejectionCode(from(second.snapshotId))).toBe('COMMIT_CONFLICT');
  expect(await rejectionCode(from(12345n))).toBe('COMMIT_CONFLICT');
  expect((await load()).metadata.currentSnapshotId).toBe(first.snapshotId);
});

test('changes tell appends, overwrites and deletes apart, file by file', async () => {
  const { table, load } = await tableFixture({ properties: new Map([['commit.manifest.min-count-to-merge', '2']]) });
  const [a, b, c] = [dataFile(['x']), dataFile(['y']), dataFile(['x'])];
  const first = await commitAppend(table, { files: [a] });
  await commitAppend(table, { files: [b] });
  await commitOverwrite(table, { files: [c], removePartitions: partition(['x']) });
  const last = await commitOverwrite(table, { removePartitions: partition(['y']) });
  const loaded = await load();
  const changes = await snapshotChanges(loaded, first.snapshotId, last.snapshotId);
  if ('gap' in changes) throw new Error(changes.gap);
  const described = changes.snapshots.map(({ operation, added, removed }) => [
    operation,
    added.map(({ file }) => file.filePath),
    removed.map(({ file }) => file.filePath),
  ]);
  expect(described).toEqual([
    ['append', [b.filePath], []],
    ['overwrite', [c.filePath], [a.filePath]],
    ['delete', [], [b.filePath]],
  ]);
  const all = await snapshotChanges(loaded, null, last.snapshotId);
  expect('gap' in all ? all.gap : all.snapshots.length).toBe(4);
  expect(await snapshotChanges(loaded, last.snapshotId, last.snapshotId)).toEqual({ snapshots: [] });
  expect(await snapshotChanges(loaded, last.snapshotId, first.snapshotId)).toEqual({ gap: 'not-ancestor' });
  expect(await snapshotChanges(loaded, 12345n, last.snapshotId)).toEqual({ gap: 'expired' });
});

test('after an expiry changes can be told from the last snapshot before it on, not from earlier', async () => {
  const { table, catalog, load } = await tableFixture();
  const ids: bigint[] = [];
  for (let i = 0; i < 4; i++) ids.push((await commitAppend(table, { files: [dataFile(['x'])] })).snapshotId);
  const [first = 0n, second = 0n, , last = 0n] = ids;
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'remove-snapshots', snapshotIds: [first, second] }],
  });
  const loaded = await load();
  const changes = await snapshotChanges(loaded, second, last);
  expect('gap' in changes ? changes.gap : changes.snapshots.map(({ snapshot }) => snapshot.snapshotId)).toEqual(
    ids.slice(2),
  );
  expect(await snapshotChanges(loaded, first, last)).toEqual({ gap: 'expired' });
  expect(await snapshotChanges(loaded, null, last)).toEqual({ gap: 'expired' });
});
