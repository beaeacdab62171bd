/** Rewrites: the same rows in other files, whatever other writers do meanwhile. */
import { expect, test } from 'vitest';
import { currentSnapshot, type ManifestEntry } from '../../../iceberg/index.js';
import {
  commitAppend,
  commitOverwrite,
  commitRewrite,
  commitRewriteManifests,
  commitRowDelta,
  readManifestEntries,
  readSnapshotManifests,
  snapshotChanges,
  type Table,
} from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { RowTable } from '../../support/row-table.js';
import { dataFile, IDENTIFIER, tableFixture } from '../../support/table-fixture.js';

async function entriesOf({ io, metadata }: Table): Promise<readonly ManifestEntry[]> {
  const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
  return (await Promise.all(manifests.map((manifest) => readManifestEntries(io, metadata, manifest)))).flat();
}

async function operationsSince(table: Table, since: bigint) {
  const changes = await snapshotChanges(table, since, table.metadata.currentSnapshotId ?? 0n);
  return 'snapshots' in changes ? changes.snapshots.map(({ operation }) => operation) : changes.gap;
}

const ids = async (table: RowTable) => (await table.rows()).map(({ id }) => Number(id)).sort((a, b) => a - b);

test('new files get the sequence number of the planning snapshot, appended files stay', async () => {
  const { table, load } = await tableFixture();
  const [a, b, late] = [dataFile(['x']), dataFile(['x']), dataFile(['x'])];
  await commitAppend(table, { files: [a] });
  const { snapshotId: plannedOn } = await commitAppend(table, { files: [b] });
  const planned = await load();
  await commitAppend(table, { files: [late] });
  const merged = dataFile(['x'], { recordCount: 20n, fileSizeInBytes: 1500n });
  const removeFiles = [a.filePath, b.filePath];
  const { snapshotId } = await commitRewrite(planned, { plannedOn, removeFiles, files: [merged], run: { key: 'r' } });
  const loaded = await load();
  const byPath = new Map((await entriesOf(loaded)).map((entry) => [entry.dataFile.filePath, entry]));
  expect(byPath.get(merged.filePath)).toMatchObject({
    status: 'added',
    snapshotId,
    sequenceNumber: 2n,
    fileSequenceNumber: 4n,
  });
  expect(byPath.get(late.filePath)).toMatchObject({ sequenceNumber: 3n });
  expect(byPath.get(a.filePath)).toMatchObject({ status: 'deleted', snapshotId });
  expect(Object.fromEntries(currentSnapshot(loaded.metadata)?.summary ?? [])).toMatchObject({
    operation: 'replace',
    'moraine.run-key': 'r',
    'added-data-files': '1',
    'deleted-data-files': '2',
    'total-data-files': '2',
    'total-records': '30',
    'total-files-size': '2500',
  });
  const again = await commitRewrite(planned, { plannedOn, removeFiles, files: [merged], run: { key: 'r' } });
  expect(again).toMatchObject({ snapshotId, outcome: 'already-committed' });
  expect(await operationsSince(loaded, plannedOn)).toEqual(['append', 'replace']);
});

test('the number is kept when the new manifest is merged with others, and once it is an existing entry', async () => {
  const { table, load } = await tableFixture({ properties: new Map([['commit.manifest.min-count-to-merge', '2']]) });
  const files = [1, 2, 3].map(() => dataFile(['x']));
  for (const file of files) await commitAppend(table, { files: [file] });
  const planned = await load();
  const plannedOn = planned.metadata.currentSnapshotId ?? 0n;
  await commitAppend(table, { files: [dataFile(['x'])] });
  const merged = dataFile(['x']);
  const removeFiles = files.map(({ filePath }) => filePath);
  await commitRewrite(planned, { plannedOn, removeFiles, files: [merged] });
  const numberOf = async () =>
    (await entriesOf(await load())).find(({ dataFile: { filePath } }) => filePath === merged.filePath)?.sequenceNumber;
  expect(await numberOf()).toBe(3n);
  await commitAppend(table, { files: [dataFile(['x'])] });
  await commitRewriteManifests(await load(), { targetSizeBytes: 1 << 20 });
  expect(await numberOf()).toBe(3n);
});

test('what has to be planned again: a file that another rewrite took, a rollback, a planning snapshot that is not there', async () => {
  const { table, catalog, load } = await tableFixture();
  const [a, b] = [dataFile(['x']), dataFile(['x'])];
  const first = await commitAppend(table, { files: [a] });
  const second = await commitAppend(table, { files: [b] });
  const planned = await load();
  const request = { plannedOn: second.snapshotId, removeFiles: [a.filePath, b.filePath], files: [dataFile(['x'])] };
  await commitRewrite(planned, { ...request, removeFiles: [b.filePath], files: [dataFile(['x'])] });
  const rebaseDeletes = () => Promise.reject(new Error('nothing to carry'));
  const taken = await failureOf(commitRewrite(planned, { ...request, rebaseDeletes }));
  expect(taken).toMatchObject({ code: 'COMMIT_CONFLICT' });
  expect(taken.message).toContain('has been rewritten since');
  const unknown = commitRewrite(planned, { ...request, plannedOn: 12345n });
  expect(await rejectionCode(unknown)).toBe('COMMIT_CONFLICT');
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: first.snapshotId } }],
  });
  const rolledBack = commitRewrite(planned, { ...request, removeFiles: [a.filePath] });
  expect((await failureOf(rolledBack)).message).toContain('rolled back');
});

test.each([2, 3] as const)(
  'version %i: rows deleted meanwhile stay deleted, or the rewrite is planned again',
  async (version) => {
    const table = await RowTable.create(version);
    await table.append([1, 2, 3].map((id) => [id, 'a', id]));
    await table.append([4, 5, 6].map((id) => [id, 'a', id]));
    await table.deleteWhere('id = 1');
    const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
    await table.deleteWhere('id IN (2, 6)');
    const { plannedOn, removeFiles, files = [] } = request;
    const blind = commitRewrite(planned, { plannedOn, removeFiles, files });
    expect((await failureOf(blind)).message).toContain('have been deleted since');
    await commitRewrite(planned, request);
    expect(await ids(table)).toEqual([3, 4, 5]);
    expect(await table.dataPaths()).toHaveLength(1);
    const summary = currentSnapshot((await table.load()).metadata)?.summary;
    // The deletes of the old files left with them.
    expect(summary?.get('total-delete-files')).toBe('1');
    expect(summary?.get('total-position-deletes')).toBe('2');
  },
);

test.each([2, 3] as const)(
  'version %i: rows of files that left meanwhile stay away, and those that an overwrite kept are there once',
  async (version) => {
    const table = await RowTable.create(version);
    await table.append([1, 2, 3].map((id) => [id, 'a', id]));
    await table.append([4, 5].map((id) => [id, 'a', id]));
    await table.append([[6, 'a', 6]]);
    const lineage = (await table.rows()).find(({ id }) => id === 6n);
    const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
    await table.deleteWhere('id IN (4, 5)');
    await table.overwrite(1, [
      [1, 'a', 1],
      [3, 'a', 30],
    ]);
    expect(await operationsSince(await table.load(), request.plannedOn)).toEqual(['delete', 'overwrite']);
    const { plannedOn, removeFiles, files = [] } = request;
    expect((await failureOf(commitRewrite(planned, { plannedOn, removeFiles, files }))).message).toContain(
      'have been deleted since',
    );
    await commitRewrite(planned, request);
    const rows = await table.rows();
    expect(rows.map(({ id, x }) => [Number(id), Number(x)])).toEqual([
      [1, 1],
      [3, 30],
      [6, 6],
    ]);
    expect(rows.find(({ id }) => id === 6n)).toMatchObject({
      rowId: lineage?.rowId ?? null,
      ...(version === 3 ? { sequenceNumber: 3n } : {}),
    });
    const summary = Object.fromEntries(currentSnapshot((await table.load()).metadata)?.summary ?? []);
    expect(summary).toMatchObject({ operation: 'replace', 'deleted-data-files': '1', 'added-position-deletes': '5' });
  },
);

test.each([2, 3] as const)(
  'version %i: a new file none of whose rows is left stays out of the table',
  async (version) => {
    const table = await RowTable.create(version, 'part');
    await table.append([
      [1, 'a', 1],
      [2, 'b', 2],
    ]);
    await table.append([
      [3, 'a', 3],
      [4, 'b', 4],
    ]);
    const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
    await table.deleteWhere("part = 'a'");
    await commitRewrite(planned, request);
    expect(await ids(table)).toEqual([2, 4]);
    const all = await table.stageRewrite(await table.dataPaths());
    await table.deleteWhere('id > 0');
    await commitRewrite(all.table, { ...all.request, run: { key: 'r' } });
    expect(await ids(table)).toEqual([]);
    const { metadata } = await table.load();
    expect(Object.fromEntries(currentSnapshot(metadata)?.summary ?? [])).toMatchObject({
      'moraine.run-key': 'r',
      'total-data-files': '0',
      'total-delete-files': '0',
    });
  },
);

test('a file that left and came back is planned again: deletes in between did not reach it', async () => {
  const { table, load } = await tableFixture();
  const [a, b] = [dataFile(['x']), dataFile(['x'])];
  const { snapshotId: plannedOn } = await commitAppend(table, { files: [a, b] });
  const planned = await load();
  await commitOverwrite(planned, { removeFiles: [a.filePath], files: [] });
  await commitAppend(planned, { files: [a] });
  const rebaseDeletes = () => Promise.resolve({ deletes: [], emptied: [] });
  const removeFiles = [a.filePath, b.filePath];
  const late = commitRewrite(planned, { plannedOn, removeFiles, files: [dataFile(['x'])], rebaseDeletes });
  expect((await failureOf(late)).message).toContain('added again');
});

test.each([2, 3] as const)(
  'version %i: an upsert meanwhile wins over the rewritten row, an append stays',
  async (version) => {
    const table = await RowTable.create(version);
    await table.append([1, 2, 3].map((id) => [id, 'a', id]));
    await table.append([[4, 'a', 4]]);
    const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
    await table.upsert([[2, 'a', 20]]);
    await table.append([[9, 'a', 9]]);
    await commitRewrite(planned, request);
    expect((await table.rows()).map(({ id, x }) => [Number(id), Number(x)])).toEqual([
      [1, 1],
      [2, 20],
      [3, 3],
      [4, 4],
      [9, 9],
    ]);
  },
);

test('deletes that were taken back meanwhile: planned again, since the new files lack the rows', async () => {
  const table = await RowTable.create(2);
  await table.append([1, 2].map((id) => [id, 'a', id]));
  await table.deleteWhere('id = 1');
  const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
  const deletes = (await entriesOf(planned))
    .map(({ dataFile: file }) => file)
    .filter(({ content }) => content !== 'data');
  await commitRowDelta(planned, { removeDeleteFiles: deletes });
  expect(await ids(table)).toEqual([1, 2]);
  expect((await failureOf(commitRewrite(planned, request))).message).toContain('taken back');
});

test('a file that was to lose its last row stays when its other deletes were taken back meanwhile', async () => {
  const table = await RowTable.create(2);
  await table.append([1, 2].map((id) => [id, 'a', id]));
  await table.deleteWhere('id = 1');
  const planned = await table.load();
  const deletes = (await entriesOf(planned))
    .map(({ dataFile: file }) => file)
    .filter(({ content }) => content !== 'data');
  await commitRowDelta(planned, { removeDeleteFiles: deletes });
  const removeFiles = await table.dataPaths();
  const late = commitRowDelta(planned, { removeFiles, plannedOn: planned.metadata.currentSnapshotId });
  expect((await failureOf(late)).message).toContain('taken back');
  expect(await ids(table)).toEqual([1, 2]);
});

test('dangling deletes leave by the rules of the specification, deletes that still reach a file stay', async () => {
  const table = await RowTable.create(2);
  await table.append([1, 2, 3].map((id) => [id, 'a', id]));
  await table.append([[4, 'a', 4]]);
  await table.upsert([[4, 'a', 40]]);
  await table.deleteWhere('id = 1');
  const [first] = (await table.plan(await table.load())).toSorted((a, b) =>
    Number(a.sequenceNumber - b.sequenceNumber),
  );
  const deletes = async () =>
    (await entriesOf(await table.load()))
      .filter(({ status, dataFile: { content } }) => status !== 'deleted' && content !== 'data')
      .map(({ dataFile: { content } }) => content);
  // The file of row 4 is still there, older than the equality delete of row 4.
  await table.rewrite([first?.file.filePath ?? '']);
  expect(await deletes()).toEqual(['equality-deletes']);
  await table.rewrite(await table.dataPaths());
  expect(await deletes()).toEqual([]);
  expect((await table.rows()).map(({ id, x }) => [Number(id), Number(x)])).toEqual([
    [2, 2],
    [3, 3],
    [4, 40],
  ]);
});

test('manifests are repacked by content and spec; entries keep ids and numbers; nothing to gain: no commit', async () => {
  const table = await RowTable.create(3);
  for (const id of [1, 2, 3])
    await table.append([
      [id, 'a', id],
      [id + 10, 'a', 0],
    ]);
  for (const id of [1, 2]) await table.deleteWhere(`id = ${id}`);
  const before = await table.load();
  const rows = await table.rows();
  const result = await commitRewriteManifests(before, {});
  expect(result?.outcome).toBe('committed');
  const after = await table.load();
  const manifests = await readSnapshotManifests(after.io, currentSnapshot(after.metadata));
  expect(manifests.map(({ content, existingFilesCount }) => [content, existingFilesCount])).toEqual([
    ['data', 3],
    ['deletes', 2],
  ]);
  const kept = async (of: Table) =>
    (await entriesOf(of))
      .filter(({ status }) => status !== 'deleted')
      .map(({ snapshotId, sequenceNumber, fileSequenceNumber, dataFile: { filePath, contentOffset, firstRowId } }) =>
        [filePath, contentOffset, snapshotId, sequenceNumber, fileSequenceNumber, firstRowId].join('|'),
      )
      .sort();
  expect(await kept(after)).toEqual(await kept(before));
  expect(await table.rows()).toEqual(rows);
  expect(currentSnapshot(after.metadata)?.summary.get('operation')).toBe('replace');
  expect(await commitRewriteManifests(after, {})).toBe(null);
});
