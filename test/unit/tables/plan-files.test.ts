import { expect, test } from 'vitest';
import { bindExpression, currentSchema, parseExpression } from '../../../iceberg/index.js';
import {
  commitAppend,
  planFiles,
  type ScanPlan,
  selectSnapshot,
  stageManifest,
  type Table,
} from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { boundsOf, dataFile, tableFixture } from '../../support/table-fixture.js';

function plan(table: Table, where: string): Promise<ScanPlan> {
  const schema = currentSchema(table.metadata);
  const filter = bindExpression(parseExpression(where), schema);
  return planFiles(table, { ...selectSnapshot(table.metadata), filter });
}

const LONG = { kind: 'long' } as const;

test('files are kept by partition, then by bounds; a file without bounds is always kept', async () => {
  const { table, load } = await tableFixture();
  const low = dataFile(['x'], boundsOf(1, LONG, 0n, 9n));
  const high = dataFile(['x'], boundsOf(1, LONG, 10n, 19n));
  const unknown = dataFile(['x']);
  const other = dataFile(['y'], boundsOf(1, LONG, 0n, 99n));
  const none = dataFile([null], boundsOf(1, LONG, 0n, 99n));
  await commitAppend(table, { files: [low, high, unknown, other, none] });
  const loaded = await load();
  const kept = async (where: string) => (await plan(loaded, where)).files.map(({ file }) => file);
  expect(await kept("category = 'x' AND id < 10")).toEqual([low, unknown]);
  expect(await kept('id >= 10 AND id <= 19')).toEqual([high, unknown, other, none]);
  expect(await kept('category IS NULL')).toEqual([none]);
  expect(await kept("category = 'x' OR id = 50")).toEqual([low, high, unknown, other, none]);
  expect(await kept("category = 'z'")).toEqual([]);
});

test('10,000 files in 100 manifests: one partition reads the one manifest that has it', async () => {
  const { table, load } = await tableFixture({ properties: new Map([['commit.manifest-merge.enabled', 'false']]) });
  const manifests = [];
  for (let i = 0; i < 100; i++) {
    const files = Array.from({ length: 100 }, (_, j) =>
      dataFile([`day-${String(i * 10 + (j % 10)).padStart(4, '0')}`]),
    );
    manifests.push(await stageManifest(table, files, `batch-${i}`));
  }
  await commitAppend(table, { manifests });
  const loaded = await load();
  const { stats, files } = await plan(loaded, "category = 'day-0437'");
  expect(stats).toEqual({
    manifestsTotal: 100,
    manifestsRead: 1,
    filesTotal: 10_000,
    filesSkipped: 9990,
    bytes: 10_000n,
  });
  expect(files.map(({ file }) => file.partition)).toEqual(Array.from({ length: 10 }, () => ['day-0437']));
  expect((await plan(loaded, "category = 'week-1'")).stats.manifestsRead).toBe(0);
  expect((await plan(loaded, 'id = 5')).files).toHaveLength(10_000);
});

test('a snapshot with delete files is refused, never read wrong', async () => {
  const { table, load, io } = await tableFixture();
  await commitAppend(table, { files: [dataFile(['x'])] });
  const { snapshot, schema } = selectSnapshot((await load()).metadata);
  const { readSnapshotManifests } = await import('../../../tables/index.js');
  const { writeManifestList } = await import('../../../iceberg/index.js');
  if (snapshot === null) throw new Error('no snapshot');
  const manifests = (await readSnapshotManifests(io, snapshot)).map((manifest) => ({
    ...manifest,
    content: 'deletes' as const,
  }));
  const manifestList = `${table.metadata.location}/metadata/with-deletes.avro`;
  const ids = { snapshotId: snapshot.snapshotId, parentSnapshotId: null, sequenceNumber: 1n };
  await io.create(manifestList, writeManifestList({ formatVersion: 2, ...ids, manifests }));
  const planned = planFiles(await load(), { snapshot: { ...snapshot, manifestList }, schema });
  expect(await rejectionCode(planned)).toBe('DELETE_FILES_UNSUPPORTED');
});
