import { expect, test } from 'vitest';
import { currentSnapshot, type ManifestEntry, type ManifestFile } from '../../../iceberg/index.js';
import { LocalFileIO } from '../../../storage/index.js';
import {
  commitAppend,
  loadTableAt,
  planFiles,
  readManifestEntries,
  readSnapshotManifests,
  selectSnapshot,
} from '../../../tables/index.js';
import { mergeBin, packManifests } from '../../../tables/manifest-merge.js';
import { dataFile, tableFixture } from '../../support/table-fixture.js';

const ofSize = (size: number) => ({ manifestLength: BigInt(size) }) as ManifestFile;
const sizes = (bins: readonly ManifestFile[][]) =>
  bins.map((bin) => bin.map((manifest) => Number(manifest.manifestLength)));

test('neighbours are packed from the oldest on; only the newest bin is open', () => {
  expect(sizes(packManifests([1, 2, 3, 4, 5].map(ofSize), 9n))).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  expect(sizes(packManifests([20, 1, 20].map(ofSize), 9n))).toEqual([[20], [1], [20]]);
  expect(packManifests([], 9n)).toEqual([]);
});

test('merging keeps every live file with its own snapshot id and sequence number', async () => {
  const properties = new Map([['commit.manifest.min-count-to-merge', '4']]);
  const { table, load, io } = await tableFixture({ properties });
  const expected: unknown[] = [];
  for (let i = 1; i <= 9; i++) {
    const file = dataFile([`p${i % 2}`]);
    const { snapshotId } = await commitAppend(table, { files: [file] });
    expected.push([file.filePath, snapshotId, BigInt(i), BigInt(i)]);
  }
  const { metadataLocation } = await load();
  const { metadata } = await loadTableAt(io, metadataLocation);
  const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
  // Merged at the 4th and 7th commit: the merged manifest counts as one of the four.
  expect(manifests.map((manifest) => [manifest.addedFilesCount, manifest.existingFilesCount])).toEqual([
    [1, 0],
    [1, 0],
    [1, 6],
  ]);
  expect(manifests[2]).toMatchObject({ sequenceNumber: 7n, minSequenceNumber: 1n, existingRowsCount: 60n });
  const entries = (await Promise.all(manifests.map((manifest) => readManifestEntries(io, metadata, manifest)))).flat();
  const found = entries.map((entry) => [
    entry.dataFile.filePath,
    entry.snapshotId,
    entry.sequenceNumber,
    entry.fileSequenceNumber,
  ]);
  expect(found.sort()).toEqual(expected.sort());
  expect(entries.filter(({ status }) => status === 'added')).toHaveLength(3);
});

test.each([
  ['gone from every schema', { schemas: [{ schemaId: 0, identifierFieldIds: [], fields: [] }] }],
  ['partitioned by a transform that is not known', {}],
])('merging keeps the partition values of a column that is %s', async (_, changed) => {
  const { table, load, io } = await tableFixture();
  for (const category of ['é', null, '']) await commitAppend(table, { files: [dataFile([category])] });
  const loaded = await load();
  const manifests = await readSnapshotManifests(io, currentSnapshot(loaded.metadata));
  const valuesOf = (entries: readonly ManifestEntry[]) => entries.map(({ dataFile: file }) => file.partition);
  // Kept parsed with the types of before.
  const expected = (await Promise.all(manifests.map((each) => readManifestEntries(io, loaded.metadata, each)))).flat();
  const unknown = { kind: 'unknown', text: 'odd' } as const;
  const partitionSpecs = loaded.metadata.partitionSpecs.map((spec) => {
    return {
      ...spec,
      fields: spec.fields.map((field) => ('schemas' in changed ? field : { ...field, transform: unknown })),
    };
  });
  const base = { ...loaded, metadata: { ...loaded.metadata, partitionSpecs, ...changed } };
  const merged = await mergeBin(base, manifests, { snapshotId: 77n, sequenceNumber: 9n });
  const { metadata: restored } = await loadTableAt(new LocalFileIO({ roots: ['/'] }), loaded.metadataLocation);
  const entries = await readManifestEntries(new LocalFileIO({ roots: ['/'] }), restored, merged);
  expect(valuesOf(entries)).toEqual(valuesOf(expected));
  expect(valuesOf(entries).sort()).toEqual([[''], ['é'], [null]].sort());
});

test('the number of manifests and of files that planning reads stays flat as commits grow', async () => {
  const properties = new Map([['commit.manifest.min-count-to-merge', '10']]);
  const { table, load } = await tableFixture({ properties });
  let most = 0;
  for (let i = 0; i < 60; i++) {
    const { metadata } = await commitAppend(table, { files: [dataFile(['x'])] });
    most = Math.max(most, (await readSnapshotManifests(table.io, currentSnapshot(metadata))).length);
  }
  expect(most).toBe(9);
  const loaded = await load();
  expect((await planFiles(loaded, selectSnapshot(loaded.metadata))).files).toHaveLength(60);
});
