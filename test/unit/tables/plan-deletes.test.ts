import { expect, test } from 'vitest';
import { bindExpression, type DataFile, parseExpression, parsePartitionSpec } from '../../../iceberg/index.js';
import { planFiles, type ScanPlan, selectSnapshot, type Table } from '../../../tables/index.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { rejectionCode } from '../../support/error-code.js';
import { openTableWorld, schemaOf } from '../../support/table-world.js';

const SCHEMA = schemaOf({ id: 'long', part: 'string' });

async function lab(partitioning?: string) {
  const world = await openTableWorld();
  await world.create('t', SCHEMA, partitioning);
  const writer = new DeleteWriter(world, { namespace: ['demo'], name: 't' });
  const append = (rows: string) => world.append('t', `SELECT * FROM (VALUES ${rows}) AS v(id, part)`);
  return { world, writer, append, load: () => world.load('t') };
}

function plan(table: Table, where?: string): Promise<ScanPlan> {
  const selected = selectSnapshot(table.metadata);
  const filter = where === undefined ? {} : { filter: bindExpression(parseExpression(where), selected.schema) };
  return planFiles(table, { ...selected, ...filter, appliesDeletes: true });
}

const paths = (files: readonly { readonly file: DataFile }[] | undefined) => files?.map(({ file }) => file.filePath);

test('each file carries the deletes that apply to it; a caller that applies none is refused', async () => {
  const { writer, append, load } = await lab();
  await append("(1, 'a'), (2, 'b')");
  await append("(3, 'a')");
  const [second, first] = (await plan(await load())).files;
  if (first === undefined || second === undefined) throw new Error('two files were appended');
  const ofFirst = await writer.positions([{ path: first.file.filePath, position: 0 }], {
    referencedDataFile: `file://${first.file.filePath}`,
  });
  const ofBoth = await writer.equality({ id: 1 }, 'SELECT 3::BIGINT AS id');
  await writer.commit([ofFirst, ofBoth]);
  await append("(3, 'c')");
  const { files, stats } = await plan(await load());
  expect(
    files.map(({ file, deletes }) => [file.recordCount, paths(deletes?.positions), paths(deletes?.equality)]),
  ).toEqual([
    [1n, undefined, undefined],
    [1n, [], [ofBoth.filePath]],
    [2n, [ofFirst.filePath], [ofBoth.filePath]],
  ]);
  expect(stats.deletes).toEqual({
    manifestsRead: 1,
    positionDeleteFiles: 1,
    deletionVectors: 0,
    equalityDeleteFiles: 1,
    bytes: ofFirst.fileSizeInBytes + ofBoth.fileSizeInBytes,
    skipped: 0,
  });
  const table = await load();
  expect(await rejectionCode(planFiles(table, selectSnapshot(table.metadata)))).toBe('DELETE_FILES_UNSUPPORTED');
});

test('delete manifests and delete files outside the filter are not read', async () => {
  const { writer, append, load } = await lab('part');
  await append("(1, 'a'), (2, 'b')");
  const of = (part: string, id: number, fields: Partial<DataFile> = {}) =>
    writer.equality({ id: 1 }, `SELECT ${id}::BIGINT AS id`, { partition: [part], ...fields });
  await writer.commit([await of('a', 1)]);
  const bounds = (id: number) => ({
    valueCounts: new Map([[1, 1n]]),
    nullValueCounts: new Map([[1, 0n]]),
    lowerBounds: new Map([[1, Buffer.from([id, 0, 0, 0, 0, 0, 0, 0])]]),
    upperBounds: new Map([[1, Buffer.from([id, 0, 0, 0, 0, 0, 0, 0])]]),
  });
  await writer.commit([await of('b', 2, bounds(2)), await of('b', 9, bounds(9))]);
  const table = await load();
  const a = await plan(table, "part = 'a'");
  expect(a.stats.deletes).toMatchObject({ manifestsRead: 1, equalityDeleteFiles: 1, skipped: 0 });
  // The statistics of the second delete file exclude every row of the file.
  const b = await plan(table, "part = 'b'");
  expect(b.stats.deletes).toMatchObject({ manifestsRead: 1, equalityDeleteFiles: 1, skipped: 1 });
  const outside = await plan(table, "part = 'b' AND id = 1");
  expect([outside.files, outside.stats.deletes?.manifestsRead]).toEqual([[], 0]);
});

test('a filter on the delete columns leaves out delete files that take none of its rows', async () => {
  const { writer, append, load } = await lab();
  await append("(1, 'a'), (5, 'a')");
  const bytes = (id: number) => Buffer.from([id, 0, 0, 0, 0, 0, 0, 0]);
  const one = await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id', {
    lowerBounds: new Map([[1, bytes(1)]]),
    upperBounds: new Map([[1, bytes(1)]]),
  });
  // Of the column `part`, which is not a delete column, it holds the value of some older row.
  const five = await writer.equality({ id: 1 }, 'SELECT 5::BIGINT AS id', {
    lowerBounds: new Map([
      [1, bytes(5)],
      [2, Buffer.from('z')],
    ]),
    upperBounds: new Map([
      [1, bytes(5)],
      [2, Buffer.from('z')],
    ]),
  });
  await writer.commit([one, five]);
  const { files, stats } = await plan(await load(), "id = 5 AND part = 'a'");
  expect(files.map(({ deletes }) => paths(deletes?.equality))).toEqual([[five.filePath]]);
  expect(stats.deletes?.skipped).toBe(1);
});

test('version 3: vectors are found by their data file, and files inherit their first row ids', async () => {
  const { writer, append, load } = await lab();
  await append("(1, 'a'), (2, 'b')");
  await append("(3, 'a')");
  const before = (await plan(await load())).files;
  expect(before.map(({ file }) => file.firstRowId)).toEqual([undefined, undefined]);
  await writer.upgradeToV3();
  const vectors = await writer.vectors([{ path: before[1]?.file.filePath ?? '', positions: [1] }]);
  await writer.commit(vectors);
  const { files, stats } = await plan(await load());
  expect(files.map(({ file, deletes }) => [file.firstRowId, deletes?.vector?.file.contentOffset])).toEqual([
    [0n, undefined],
    [1n, 4n],
  ]);
  expect(stats.deletes).toMatchObject({ deletionVectors: 1, bytes: vectors[0]?.contentSizeInBytes });
});

test('a partition spec that is gone from the current one still scopes its deletes', async () => {
  const { world, writer, append, load } = await lab('part');
  await append("(1, 'a')");
  const { metadata } = await load();
  const spec = { ...parsePartitionSpec('bucket[4](id)', SCHEMA), specId: 1 };
  await world.catalog.commitTable(
    { namespace: ['demo'], name: 't' },
    {
      requirements: [],
      updates: [
        { action: 'add-spec', spec: { ...spec, fields: spec.fields.map((field) => ({ ...field, fieldId: 1001 })) } },
        { action: 'set-default-spec', specId: 1 },
      ],
    },
  );
  expect(metadata.defaultSpecId).toBe(0);
  await append("(1, 'a')");
  const old = await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id', { specId: 0, partition: ['a'] });
  await writer.commit([old]);
  const { files } = await plan(await load());
  expect(files.map(({ spec: { specId }, deletes }) => [specId, paths(deletes?.equality)])).toEqual([
    [1, undefined],
    [0, [old.filePath]],
  ]);
});
