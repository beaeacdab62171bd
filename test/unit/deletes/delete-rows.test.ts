/** Deleting rows by a condition: deletion vectors in version 3, position-delete files in version 2. */
import { expect, test } from 'vitest';
import { deleteRows, writeDeletionVectors, writePositionDeletes } from '../../../deletes/index.js';
import {
  ALWAYS_TRUE,
  bindExpression,
  currentSchema,
  currentSnapshot,
  type DataFile,
  parseExpression,
  parsePuffinFooter,
} from '../../../iceberg/index.js';
import {
  commitRowDelta,
  commitUpdates,
  planFiles,
  readManifestEntries,
  readSnapshotManifests,
} from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { RowTable } from '../../support/row-table.js';

async function deleteFiles(table: RowTable): Promise<readonly DataFile[]> {
  const { io, metadata } = await table.load();
  const manifests = (await readSnapshotManifests(io, currentSnapshot(metadata))).filter(
    ({ content }) => content === 'deletes',
  );
  const read = await Promise.all(manifests.map((manifest) => readManifestEntries(io, metadata, manifest)));
  return read.flat().flatMap(({ status, dataFile }) => (status === 'deleted' ? [] : [dataFile]));
}

const summaryOf = async (table: RowTable) =>
  Object.fromEntries(currentSnapshot((await table.load()).metadata)?.summary ?? []);
const ids = async (table: RowTable) => (await table.rows()).map(({ id }) => Number(id)).sort((a, b) => a - b);
const upgrade = async (table: RowTable) =>
  commitUpdates(await table.load(), ({ formatVersion }) =>
    formatVersion === 3 ? null : [{ action: 'upgrade-format-version', formatVersion: 3 }],
  );

test.each([2, 3] as const)('version %i: rows go, also in several deletes of one file; nulls stay', async (version) => {
  const table = await RowTable.create(version);
  await table.append([1, 2, 3, 4, 5].map((id) => [id, 'a', id === 3 ? null : id * 10]));
  const [dataPath] = await table.dataPaths();
  expect(await table.deleteWhere('x = 20')).toMatchObject({ rows: 1n, files: 1, filesRemoved: 0 });
  expect(await table.deleteWhere('x >= 40 AND x < 50')).toMatchObject({ rows: 1n, files: 1 });
  expect(await ids(table)).toEqual([1, 3, 5]);
  expect(await table.deleteWhere('x = 20')).toEqual({ rows: 0n, files: 0, filesRemoved: 0, snapshotId: null });
  const deletes = await deleteFiles(table);
  // Version 3 has one vector for each data file: the second holds the first.
  expect(deletes.map(({ fileFormat, recordCount }) => [fileFormat, recordCount])).toEqual(
    version === 3
      ? [['PUFFIN', 2n]]
      : [
          ['PARQUET', 1n],
          ['PARQUET', 1n],
        ],
  );
  expect(deletes.every(({ referencedDataFile }) => referencedDataFile === dataPath)).toBe(true);
  expect(await summaryOf(table)).toMatchObject({
    operation: 'delete',
    'total-records': '5',
    'total-data-files': '1',
    'total-delete-files': version === 3 ? '1' : '2',
    'total-position-deletes': '2',
    'total-equality-deletes': '0',
    ...(version === 3
      ? { 'added-dvs': '1', 'removed-dvs': '1', 'added-position-deletes': '2', 'removed-position-deletes': '1' }
      : { 'added-position-delete-files': '1', 'added-position-deletes': '1' }),
  });
});

test.each([2, 3] as const)(
  'version %i: a file that loses its last row leaves the table, its deletes too',
  async (version) => {
    const table = await RowTable.create(version, 'part');
    await table.append([
      [1, 'a', 1],
      [2, 'a', 2],
      [3, 'b', 3],
    ]);
    await table.deleteWhere('id = 1');
    expect(await table.deleteWhere('id < 3')).toMatchObject({ rows: 1n, files: 1, filesRemoved: 1 });
    expect(await ids(table)).toEqual([3]);
    expect(await table.dataPaths()).toHaveLength(1);
    expect((await deleteFiles(table)).filter(({ fileFormat }) => fileFormat === 'PUFFIN')).toEqual([]);
  },
);

test.each([2, 3] as const)(
  'version %i: positions beyond the last row are no deleted rows: a file with a live row stays',
  async (version) => {
    const table = await RowTable.create(version);
    await table.append([1, 2, 3, 4].map((id) => [id, 'a', id]));
    const loaded = await table.load();
    const { files } = await planFiles(loaded, {
      snapshot: currentSnapshot(loaded.metadata),
      schema: currentSchema(loaded.metadata),
    });
    const [dataFile = expect.unreachable()] = files.map(({ file }) => file);
    const write = version === 3 ? writeDeletionVectors : writePositionDeletes;
    const beyond = await table.world.engine.withConnection((connection) =>
      write(loaded, connection, [{ dataFile, positions: [1_000_000n] }], 'beyond'),
    );
    await commitRowDelta(loaded, { deleteFiles: beyond.files });
    expect(await ids(table)).toEqual([1, 2, 3, 4]);
    expect(await table.deleteWhere('id <= 3')).toMatchObject({ rows: 3n, files: 1, filesRemoved: 0 });
    expect(await ids(table)).toEqual([4]);
    expect(await table.deleteWhere('id = 4')).toMatchObject({ rows: 1n, files: 1, filesRemoved: 1 });
    expect(await ids(table)).toEqual([]);
  },
);

test('the first vector of a table that was upgraded holds the positions of its position-delete files', async () => {
  const table = await RowTable.create(2);
  await table.append([1, 2, 3, 4].map((id) => [id, 'a', id]));
  await table.deleteWhere('id = 1');
  await upgrade(table);
  expect(await ids(table)).toEqual([2, 3, 4]);
  await table.deleteWhere('id = 3');
  expect(await ids(table)).toEqual([2, 4]);
  const deletes = await deleteFiles(table);
  expect(deletes.map(({ fileFormat, recordCount }) => [fileFormat, recordCount])).toEqual([['PUFFIN', 2n]]);
});

test('a Puffin file of several vectors describes each as the specification wants it', async () => {
  const table = await RowTable.create(3);
  for (const part of ['a', 'b']) await table.append([1, 2, 3].map((id) => [id, part, id]));
  await table.deleteWhere("id = 1 OR (id = 2 AND part = 'b')");
  const deletes = await deleteFiles(table);
  expect(new Set(deletes.map(({ filePath }) => filePath)).size).toBe(1);
  const bytes = await table.world.io.read(deletes[0]?.filePath ?? '');
  const start = Buffer.from(bytes).lastIndexOf('PFA1', bytes.length - 5);
  const { blobs } = parsePuffinFooter(bytes.subarray(start));
  expect(
    blobs.map(({ type, snapshotId, sequenceNumber, compressionCodec }) => [
      type,
      snapshotId,
      sequenceNumber,
      compressionCodec,
    ]),
  ).toEqual([1, 2].map(() => ['deletion-vector-v1', -1n, -1n, undefined]));
  const described = blobs.map(({ properties, offset, length }) => [
    properties.get('referenced-data-file'),
    properties.get('cardinality'),
    offset,
    length,
  ]);
  const listed = deletes.map((file) => [
    file.referencedDataFile,
    `${file.recordCount}`,
    file.contentOffset,
    file.contentSizeInBytes,
  ]);
  expect(listed.sort()).toEqual(described.sort());
  expect(deletes.map(({ recordCount }) => recordCount).sort()).toEqual([1n, 2n]);
});

test('a dry run counts and changes nothing', async () => {
  const table = await RowTable.create(3);
  await table.append([[1, 'a', 1]]);
  const before = (await table.load()).metadataLocation;
  const { world } = table;
  const loaded = await table.load();
  const result = await world.engine.withConnection((connection) =>
    deleteRows(loaded, connection, { filter: ALWAYS_TRUE, dryRun: true }),
  );
  expect(result).toEqual({ rows: 1n, files: 1, filesRemoved: 1, snapshotId: null });
  expect((await table.load()).metadataLocation).toBe(before);
});

test('deletes that race on one file all hold', async () => {
  for (const version of [2, 3] as const) {
    const table = await RowTable.create(version);
    await table.append(Array.from({ length: 12 }, (_, id) => [id, 'a', id] as const));
    await Promise.all([0, 3, 6, 9].map((id) => table.deleteWhere(`id = ${id}`)));
    expect(await ids(table)).toEqual([1, 2, 4, 5, 7, 8, 10, 11]);
    if (version === 3) expect(await deleteFiles(table)).toHaveLength(1);
  }
});

test('a delete outlasts many rewrites of its file in a row', async () => {
  const table = await RowTable.create(2);
  const rows = [1, 2, 3].map((id) => [id, 'a', id * 10] as const);
  await table.append(rows);
  const loaded = await table.load();
  const { catalog } = loaded;
  if (catalog === undefined) throw new Error('no catalog');
  // Each plan loads the table twice: to plan, and before it commits. Between the two its file is replaced.
  let loads = 0;
  const loadTable: typeof catalog.loadTable = async (identifier) => {
    loads += 1;
    if (loads % 2 === 0 && loads <= 40) await table.overwrite(1, rows);
    return catalog.loadTable(identifier);
  };
  const busy = new Proxy(catalog, {
    get: (target, name) => {
      if (name === 'loadTable') return loadTable;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const filter = bindExpression(parseExpression('id = 2'), currentSchema(loaded.metadata));
  const deleted = await table.world.engine.withConnection((connection) =>
    deleteRows({ ...loaded, catalog: busy }, connection, { filter }),
  );
  expect(deleted).toMatchObject({ rows: 1n, files: 1 });
  expect(await ids(table)).toEqual([1, 3]);
  expect(loads).toBeGreaterThan(40);
});

test('the other kind of delete file is refused, and deletes of a file that is gone', async () => {
  for (const version of [2, 3] as const) {
    const table = await RowTable.create(version);
    await table.append([[1, 'a', 1]]);
    const loaded = await table.load();
    const dataFile = (await table.plan(loaded))[0]?.file;
    if (dataFile === undefined) throw new Error('no file');
    const write = async (writer: typeof writePositionDeletes) =>
      (
        await table.world.engine.withConnection((connection) =>
          writer(loaded, connection, [{ dataFile, positions: [0n] }], 'attempt'),
        )
      ).files;
    const [wrong, right] =
      version === 3 ? [writePositionDeletes, writeDeletionVectors] : [writeDeletionVectors, writePositionDeletes];
    const refused = commitRowDelta(loaded, { deleteFiles: await write(wrong) });
    expect(await rejectionCode(refused)).toBe('INVALID_ARGUMENT');
    const deletes = await write(right);
    await table.deleteWhere('id = 1');
    expect(await rejectionCode(commitRowDelta(loaded, { deleteFiles: deletes }))).toBe('COMMIT_CONFLICT');
  }
});
