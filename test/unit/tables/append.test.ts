import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { currentSnapshot, type Snapshot } from '../../../iceberg/index.js';
import {
  commitAppend,
  loadTableAt,
  planFiles,
  RECENT_RUNS,
  readManifestEntries,
  readSnapshotManifests,
  readStagedManifest,
  selectSnapshot,
  stageManifest,
  type Table,
} from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { dataFile, IDENTIFIER, tableFixture } from '../../support/table-fixture.js';

async function plannedPaths(table: Table): Promise<string[]> {
  const plan = await planFiles(table, selectSnapshot(table.metadata));
  return plan.files.map(({ file }) => file.filePath).sort();
}

function current(table: Table): Snapshot {
  const snapshot = currentSnapshot(table.metadata);
  if (snapshot === null) throw new Error('the table has no snapshot');
  return snapshot;
}

test('an empty table plans no file', async () => {
  const { table } = await tableFixture();
  const plan = await planFiles(table, selectSnapshot(table.metadata));
  expect(plan.snapshot).toBeNull();
  expect(plan.files).toEqual([]);
});

test('appended files are planned with their sequence numbers; earlier snapshots stay as they were', async () => {
  const { table, load } = await tableFixture();
  const [a, b, c] = [dataFile(['x']), dataFile(['y']), dataFile([null])];
  const first = await commitAppend(table, { files: [a, b] });
  const second = await commitAppend(table, { files: [c] }); // from the same, now stale, table
  expect([first.outcome, first.attempts, second.attempts]).toEqual(['committed', 1, 1]);
  const loaded = await load();
  const plan = await planFiles(loaded, selectSnapshot(loaded.metadata));
  expect(new Map(plan.files.map((planned) => [planned.file.filePath, planned.sequenceNumber]))).toEqual(
    new Map([
      [a.filePath, 1n],
      [b.filePath, 1n],
      [c.filePath, 2n],
    ]),
  );
  expect(plan.files.find(({ file }) => file.filePath === c.filePath)?.file.partition).toEqual([null]);
  const before = await planFiles(loaded, selectSnapshot(loaded.metadata, { snapshotId: first.snapshotId }));
  expect(before.files).toHaveLength(2);
});

test('entries inherit the snapshot id and sequence number of the commit', async () => {
  const { table, load, io } = await tableFixture();
  const { snapshotId } = await commitAppend(table, { files: [dataFile(['x'])] });
  const fresh = await loadTableAt(io, (await load()).metadataLocation);
  const [manifest] = await readSnapshotManifests(io, current(fresh));
  expect(manifest).toMatchObject({
    addedSnapshotId: snapshotId,
    sequenceNumber: 1n,
    minSequenceNumber: 1n,
    addedFilesCount: 1,
    addedRowsCount: 10n,
    existingFilesCount: 0,
    deletedFilesCount: 0,
  });
  if (manifest === undefined) throw new Error('no manifest');
  const [entry] = await readManifestEntries(io, fresh.metadata, manifest);
  expect(entry).toMatchObject({ status: 'added', snapshotId, sequenceNumber: 1n, fileSequenceNumber: 1n });
});

test('the summary counts what the specification and PyIceberg count', async () => {
  const { table, load } = await tableFixture();
  await commitAppend(table, { files: [dataFile(['x']), dataFile(['y'], { recordCount: 5n, fileSizeInBytes: 70n })] });
  expect(current(await load()).summary).toEqual(
    new Map([
      ['moraine.ancestry', '1-1'],
      ['operation', 'append'],
      ['added-data-files', '2'],
      ['added-records', '15'],
      ['added-files-size', '1070'],
      ['changed-partition-count', '2'],
      ['total-records', '15'],
      ['total-files-size', '1070'],
      ['total-data-files', '2'],
      ['total-delete-files', '0'],
      ['total-position-deletes', '0'],
      ['total-equality-deletes', '0'],
    ]),
  );
  await commitAppend(table, { files: [dataFile(['x'])], summary: new Map([['note', 'late']]) });
  const { summary, parentSnapshotId, sequenceNumber, schemaId } = current(await load());
  expect([summary.get('total-records'), summary.get('total-data-files'), summary.get('total-files-size')]).toEqual([
    '25',
    '3',
    '2070',
  ]);
  expect(summary.get('note')).toBe('late');
  expect([parentSnapshotId !== undefined, sequenceNumber, schemaId]).toEqual([true, 2n, 0]);
});

test('staged manifests are invisible until committed, have unique names, and are found again by location', async () => {
  const { table, load } = await tableFixture();
  const file = dataFile(['x']);
  const staged = await stageManifest(table, [file], 'run/1 ../attempt');
  const again = await stageManifest(table, [dataFile(['x'])], 'run/1 ../attempt');
  expect(again.manifestPath).not.toBe(staged.manifestPath);
  expect(staged.manifestPath.startsWith(`${table.metadata.location}/metadata/`)).toBe(true);
  expect(await plannedPaths(await load())).toEqual([]);
  const found = await readStagedManifest(table, staged.manifestPath);
  expect(found).toEqual(staged);
  await commitAppend(table, { manifests: [found] });
  expect(await plannedPaths(await load())).toEqual([file.filePath]);
});

test('one manifest takes files of one spec only', async () => {
  const { table } = await tableFixture();
  const files = [dataFile(['x']), dataFile(['x'], { specId: 1 })];
  expect(await rejectionCode(stageManifest(table, files, 'a'))).toBe('INVALID_ARGUMENT');
});

test('the same run key commits once and reports the first snapshot', async () => {
  const { table, load } = await tableFixture();
  const run = { key: 'run-1' };
  const first = await commitAppend(table, { files: [dataFile(['x'])], run });
  await commitAppend(table, { files: [dataFile(['y'])], run: { key: 'other' } });
  const second = await commitAppend(table, { files: [dataFile(['x'])], run });
  expect(second).toMatchObject({ outcome: 'already-committed', snapshotId: first.snapshotId, attempts: 0 });
  const { metadata } = await load();
  expect(metadata.snapshots).toHaveLength(2);
  expect(metadata.snapshots[0]?.summary.get('moraine.run-key')).toBe('run-1');
  expect(JSON.parse(metadata.properties.get(RECENT_RUNS) ?? '')).toMatchObject([
    { key: 'run-1', 'snapshot-id': `${first.snapshotId}` },
    { key: 'other' },
  ]);
});

test('a run key outlives the expiry of its snapshot, and does not outlive a rollback', async () => {
  const { table, catalog, load } = await tableFixture();
  const zero = await commitAppend(table, { files: [dataFile(['x'])] });
  const first = await commitAppend(table, { files: [dataFile(['x'])], run: { key: 'one' } });
  const second = await commitAppend(table, { files: [dataFile(['x'])], run: { key: 'two' } });
  // Rolled back: the snapshots of both runs still exist, but are not ancestors of the current one.
  const ref = { type: 'branch' as const, snapshotId: zero.snapshotId };
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-snapshot-ref', refName: 'main', ref }],
  });
  const again = await commitAppend(table, { files: [dataFile(['x'])], run: { key: 'one' } });
  expect(again.outcome).toBe('committed');
  expect(again.snapshotId).not.toBe(first.snapshotId);
  // Expired: only the table property knows the run.
  await commitAppend(table, { files: [dataFile(['x'])] });
  const expired = [again.snapshotId];
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'remove-snapshots', snapshotIds: expired }],
  });
  const known = await commitAppend(table, { files: [dataFile(['x'])], run: { key: 'one' } });
  expect(known).toMatchObject({ outcome: 'already-committed', snapshotId: again.snapshotId });
  expect((await load()).metadata.snapshots.map(({ snapshotId }) => snapshotId)).toContain(second.snapshotId);
});

test('the list of recent runs is bounded, and a damaged one does not stop commits', async () => {
  const damaged = new Map([[RECENT_RUNS, '{not json']]);
  const { table, catalog, load } = await tableFixture({ properties: damaged });
  await commitAppend(table, { run: { key: 'first' } });
  const many = Array.from({ length: 150 }, (_, i) => ({ key: `k${i}`, 'snapshot-id': '1' }));
  const updates = [{ action: 'set-properties' as const, updates: new Map([[RECENT_RUNS, JSON.stringify(many)]]) }];
  await catalog.commitTable(IDENTIFIER, { requirements: [], updates });
  await commitAppend(table, { run: { key: 'last' } });
  const kept = JSON.parse((await load()).metadata.properties.get(RECENT_RUNS) ?? '') as { key: string }[];
  expect([kept.length, kept[0]?.key, kept.at(-1)?.key]).toEqual([100, 'k51', 'last']);
});

test('properties are set in the same commit, computed from the base', async () => {
  const { table, load } = await tableFixture({ properties: new Map([['counter', '4']]) });
  const { snapshotId } = await commitAppend(table, {
    files: [dataFile(['x'])],
    properties: (base, id) =>
      new Map([
        ['counter', `${Number(base.properties.get('counter')) + 1}`],
        ['at', `${id}`],
      ]),
  });
  const { properties } = (await load()).metadata;
  expect([properties.get('counter'), properties.get('at')]).toEqual(['5', `${snapshotId}`]);
});

test('what validate throws ends the commit, and nothing is committed', async () => {
  const { table, load } = await tableFixture();
  const validate = () => {
    throw new Error('no longer valid');
  };
  await expect(commitAppend(table, { files: [dataFile(['x'])], validate })).rejects.toThrow('no longer valid');
  expect((await load()).metadata.snapshots).toEqual([]);
});

test('writing to a version 1 table is refused, naming the remedy', async () => {
  const { table, folder } = await tableFixture({ formatVersion: 1 });
  const refusal = await failureOf(commitAppend(table, { manifests: [] }));
  expect(refusal.code).toBe('FORMAT_VERSION_UNSUPPORTED');
  expect(refusal.message).toContain('moraine table upgrade');
  expect(readdirSync(`${folder}/warehouse/ns/t/metadata`)).toHaveLength(1);
});

test('a table opened by location cannot be written', async () => {
  const { table, io } = await tableFixture();
  const opened = await loadTableAt(io, table.metadataLocation);
  expect(await rejectionCode(commitAppend(opened, {}))).toBe('INVALID_ARGUMENT');
});
