/** Whole maintenances where something is wrong: what cannot be known is an error, and nothing goes; two at once do no more than one. */
import { randomUUID } from 'node:crypto';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TableMetadata } from '../../../iceberg/index.js';
import { commitCompaction, planCompaction, rewriteGroup, stageExpiry } from '../../../maintenance/index.js';
import { commitMaterialization, extractShard, planMaterialization } from '../../../materialization/index.js';
import { compactDeps, maintenanceDeps, materializationDeps } from '../../../project/index.js';
import { commitAppend, planFiles, selectSnapshot, type Table } from '../../../tables/index.js';
import { datedProject } from '../../support/dated-files.js';
import { rejectionCode } from '../../support/error-code.js';
import { expireOnce, foretold, maintainOnce } from '../../support/maintain-once.js';
import { DAY_MS, dataFile, MaintenanceLab } from '../../support/maintenance-lab.js';
import { SmallProject } from '../../support/small-project.js';
import { isStored } from '../../support/test-store.js';

const HOUR_MS = 3_600_000;

/** Three snapshots and an old orphan. */
async function openLab() {
  const lab = await MaintenanceLab.open();
  const snapshots = await lab.threeSnapshots('ns.t');
  const table = await lab.load('ns.t');
  const orphan = lab.place(table, 'data/orphan.parquet', 30);
  return { lab, table, orphan, ...snapshots };
}

const load = async (lab: MaintenanceLab): Promise<TableMetadata> => (await lab.load('ns.t')).metadata;
/** The files of a table besides its metadata files. */
const files = (lab: MaintenanceLab, table: Table) =>
  lab.files(table).filter((path) => !path.endsWith('.metadata.json') && !path.includes('moraine-expiry'));

test.each(['s3://bucket/t/x.parquet', 's3a://bucket/t/x.parquet', 'file://host/t/x.parquet', '/outside/x.parquet'])(
  'a table that names %s loses no file, not even an expired one',
  async (location) => {
    const { lab, table, orphan, first } = await openLab();
    await commitAppend(await lab.load('ns.t'), { files: [{ ...dataFile(orphan), filePath: location }] });
    const before = files(lab, table);
    expect(await rejectionCode(foretold(lab.deps, 'ns.t'))).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(maintainOnce(lab.deps, 'ns.t'))).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(maintainOnce(lab.deps, 'ns.t'))).toBe('LOCATION_REFUSED');
    expect([isStored(first.path), isStored(orphan)]).toEqual([true, true]);
    expect(files(lab, table)).toEqual(before);
  },
);

test.each([
  (location: string) => `${location}/`,
  (location: string) => `file:${location}`,
  (location: string) => `file://${location}//`,
])('another spelling of the table location (%s) is the same folder', async (spell) => {
  const { lab, orphan, first, second, third } = await openLab();
  const { location } = await load(lab);
  await lab.update('ns.t', { action: 'set-location', location: spell(location) });
  await maintainOnce(lab.deps, 'ns.t');
  expect([orphan, first.path, second.path, third.path].map((path) => isStored(path))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test('an unreadable manifest of a snapshot that stays keeps every file, those of expired snapshots among them', async () => {
  const { lab, table, orphan, first, third } = await openLab();
  const manifests = lab.files(table).filter((path) => /^metadata\/(?!snap).*\.avro$/.test(path));
  const { manifestList = '' } = (await load(lab)).snapshots.at(-1) ?? {};
  lab.place(table, manifestList.slice(table.metadata.location.length + 1), 30, 'damaged');
  const before = files(lab, table);
  expect(['MANIFEST_CORRUPT', 'DATA_FILE_CORRUPT']).toContain(await rejectionCode(maintainOnce(lab.deps, 'ns.t')));
  expect(files(lab, table)).toEqual(before);
  expect([orphan, first.path, third.path].every((path) => isStored(path))).toBe(true);
  expect(manifests.every((path) => isStored(join(table.metadata.location, path)))).toBe(true);
});

test('faults 45: with a clock hours behind or ahead, nothing goes that is not old by the storage', async () => {
  const { lab, table, orphan, first } = await openLab();
  const young = lab.place(table, 'data/young.parquet', 2.9);
  const settings = { expiry: { olderThanMs: BigInt(20 * DAY_MS + HOUR_MS) } };
  const at = (hours: number) => lab.depsWith({ nowMs: () => BigInt(Date.now() + hours * HOUR_MS) });
  for (const hours of [6, 48]) {
    await maintainOnce(at(hours), 'ns.t', settings);
    expect(
      [young, first.path].map((path) => isStored(path)),
      `${hours}`,
    ).toEqual([true, true]);
  }
  expect(isStored(orphan)).toBe(false);
  const old = lab.place(table, 'data/old.parquet', 3.2);
  await maintainOnce(at(-6), 'ns.t', settings);
  expect(isStored(old)).toBe(true);
  await maintainOnce(at(0), 'ns.t', { expiry: { olderThanMs: BigInt(20 * DAY_MS - HOUR_MS) } });
  expect([old, young, first.path].map((path) => isStored(path))).toEqual([false, true, false]);
});

test('faults 38: two whole maintenances at once, beside writers, do what one does', async () => {
  const { lab, table, orphan, first, second, third } = await openLab();
  const both = await Promise.allSettled([
    maintainOnce(lab.deps, 'ns.t'),
    maintainOnce(lab.deps, 'ns.t'),
    lab.append('ns.t', 0),
    lab.append('ns.t', 0),
  ]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect([orphan, first.path, second.path, third.path].map((path) => isStored(path))).toEqual([
    false,
    false,
    true,
    true,
  ]);
  const { metadata } = await lab.load('ns.t');
  for (const { snapshotId } of metadata.snapshots) {
    const plan = await planFiles(await lab.load('ns.t'), selectSnapshot(metadata, { snapshotId }));
    expect(plan.files.filter(({ file }) => !isStored(file.filePath))).toEqual([]);
  }
  const current = await planFiles(await lab.load('ns.t'), selectSnapshot(metadata));
  expect(current.files).toHaveLength(4);
  expect(lab.files(table).filter((path) => path.includes('moraine-'))).toEqual([]);
});

test('metadata that cannot be read is refused before anything is planned', async () => {
  const { lab, table, orphan } = await openLab();
  const before = lab.files(table);
  const { metadataLocation } = await lab.load('ns.t');
  writeFileSync(metadataLocation, '{"format-version": 2, "table-uuid"');
  lab.io.cache.clear();
  expect(await rejectionCode(stageExpiry(lab.deps, 'ns.t', {}))).toBe('METADATA_CORRUPT');
  expect(await rejectionCode(maintainOnce(lab.deps, 'ns.t'))).toBe('METADATA_CORRUPT');
  expect(await rejectionCode(foretold(lab.deps, 'ns.t'))).toBe('METADATA_CORRUPT');
  expect(lab.files(table)).toEqual(before);
  // Nor is anything removed beside it: the files of the damaged table are not known.
  await lab.create('ns.second');
  expect(await rejectionCode(maintainOnce(lab.deps, 'ns.second'))).toBe('METADATA_CORRUPT');
  expect(isStored(orphan)).toBe(true);
});

const SOURCE = 'demo.readings';
const MONTH_AGO = new Date(Date.now() - 30 * DAY_MS);
/** Everything that may go goes. */
const ALL = { expiry: { olderThanMs: 0n }, orphans: { olderThanMs: 0n, allowYoung: true } };

/** The youngest snapshot has to be in the past, if only by a millisecond. */
const past = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 5));

test('a compaction in flight keeps what it reads and what it has staged, by its lease; it lands', async () => {
  const small = await SmallProject.create();
  for (const second of [0, 100, 200, 300, 400]) await small.append(20, second, 20);
  const deps = await compactDeps(small.project);
  const request = { table: SOURCE, strategy: 'binpack' as const, allowTieChange: true };
  const { planLocation } = await planCompaction(deps, request, { runId: randomUUID() });
  const staged = await rewriteGroup(deps, planLocation ?? '', 0);
  await small.append(20, 500, 20);
  await past();
  const planned = (await small.project.loadTable(SOURCE)).metadata.snapshots.at(-2)?.snapshotId;
  await maintainOnce(maintenanceDeps(small.project), SOURCE, ALL);
  const { metadata } = await small.project.loadTable(SOURCE);
  expect(metadata.snapshots.map(({ snapshotId }) => snapshotId)).toContain(planned);
  const group = { group: 0, manifestLocation: staged.manifestLocation };
  expect(await commitCompaction(deps, planLocation ?? '', [group])).toMatchObject({ committed: [0], conflicts: [] });
  const table = await small.project.loadTable(SOURCE);
  const { files: live } = await planFiles(table, selectSnapshot(table.metadata));
  expect(live.map(({ file }) => [isStored(file.filePath), file.recordCount]).toSorted()).toEqual([
    [true, 100n],
    [true, 20n],
  ]);
});

test('a materialization in flight keeps what it has staged while it is young; it lands', async () => {
  const small = await SmallProject.create();
  const deps = await materializationDeps(small.project);
  await small.append(100);
  const plan = await planMaterialization(deps, { view: small.view, attemptId: randomUUID(), shards: 1 });
  const planLocation = plan.planLocation ?? '';
  const { manifestLocation } = await extractShard(deps, planLocation, 0);
  const name = `moraine_online.${small.view}`;
  const orphan = join((await small.online()).metadata.location, 'data/orphan.parquet');
  await small.project.io.create(orphan, new Uint8Array(1));
  utimesSync(orphan, MONTH_AGO, MONTH_AGO);
  expect(await maintainOnce(maintenanceDeps(datedProject(small.project)), name)).toMatchObject({ orphans: 1 });
  await expireOnce(maintenanceDeps(small.project), SOURCE, { olderThanMs: 0n });
  await commitMaterialization(deps, planLocation, manifestLocation === null ? [] : [manifestLocation]);
  expect(await small.onlineRows()).toEqual(await small.recomputed());
});
