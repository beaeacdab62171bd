/** Maintenance shortens the metadata log of tables that keep a long one; the files that leave it are orphans like any other. */
import { expect, test } from 'vitest';
import type { Catalog, LoadedTable } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import {
  dryRunMaintenance,
  type MaintenanceDeps,
  type MaintenanceSettings,
  stageExpiry,
  sweepOrphans,
} from '../../../maintenance/index.js';
import { expireOnce } from '../../support/maintain-once.js';
import { MaintenanceLab } from '../../support/maintenance-lab.js';
import { isStored } from '../../support/test-store.js';

const LENGTH = 'write.metadata.previous-versions-max';
const KEEP_TWO: MaintenanceSettings = { expiry: { metadataVersions: 2 }, orphans: {} };

/** A table of one young snapshot whose log names six files, all of them `ageDays` old. */
async function longLog(ageDays: number) {
  const lab = await MaintenanceLab.open();
  lab.daysAgo = 0;
  const table = await lab.create('ns.t');
  const locations = [table.metadataLocation];
  for (let commit = 0; commit < 6; commit++) {
    const updates = new Map([['commit', String(commit)]]);
    await lab.update('ns.t', { action: 'set-properties', updates });
    locations.push((await lab.load('ns.t')).metadataLocation);
  }
  lab.age(table.metadata.location, ageDays);
  return { lab, locations };
}

const there = (locations: readonly string[]): readonly boolean[] => locations.map((path) => isStored(path));
const logOf = async (lab: MaintenanceLab) =>
  (await lab.load('ns.t')).metadata.metadataLog.map(({ metadataFile }) => metadataFile);

async function wouldGo(lab: MaintenanceLab): Promise<readonly string[]> {
  const { files } = await dryRunMaintenance(lab.deps, 'ns.t', KEEP_TWO);
  const paths: string[] = [];
  for await (const { path, action } of files) if (action === 'delete') paths.push(path);
  return paths.sort();
}

test('a dry run shows the old files that leave the log, and maintenance deletes exactly those', async () => {
  const { lab, locations } = await longLog(30);
  expect(await wouldGo(lab)).toEqual(locations.slice(0, 5));
  expect(await logOf(lab)).toEqual(locations.slice(0, 6));
  await expireOnce(lab.deps, 'ns.t', KEEP_TWO.expiry);
  expect(await logOf(lab)).toEqual(locations.slice(5));
  expect(there(locations)).toEqual(locations.map(() => true));
  await sweepOrphans(lab.deps, 'ns.t', {});
  expect(there(locations)).toEqual([false, false, false, false, false, true, true]);
  expect(there([(await lab.load('ns.t')).metadataLocation])).toEqual([true]);
  // The log is as long as it may be: nothing more to do, and no further commit.
  const { metadataLocation } = await lab.load('ns.t');
  await expireOnce(lab.deps, 'ns.t', KEEP_TWO.expiry);
  expect((await lab.load('ns.t')).metadataLocation).toBe(metadataLocation);
});

test('files that leave the log stay while they are young', async () => {
  const { lab, locations } = await longLog(2);
  expect(await wouldGo(lab)).toEqual([]);
  await expireOnce(lab.deps, 'ns.t', KEEP_TWO.expiry);
  await sweepOrphans(lab.deps, 'ns.t', {});
  expect(await logOf(lab)).toEqual(locations.slice(5));
  expect(there(locations)).toEqual(locations.map(() => true));
});

test('a log is left as it is without the setting, and never made longer by it', async () => {
  const { lab, locations } = await longLog(30);
  await expireOnce(lab.deps, 'ns.t', {});
  expect(await logOf(lab)).toEqual(locations.slice(0, 6));
  await expireOnce(lab.deps, 'ns.t', { metadataVersions: 50 });
  const { metadata } = await lab.load('ns.t');
  expect(metadata.properties.has(LENGTH)).toBe(false);
});

test('what a catalog owns is left to it: no snapshot expires, no file goes, and nothing is written', async () => {
  const { lab, locations } = await longLog(30);
  const fileOwner = 'the catalog itself';
  const owned: MaintenanceDeps = {
    ...lab.deps,
    loadTable: async (name) => {
      const table = await lab.deps.loadTable(name);
      return { ...table, catalog: { ...(table.catalog as Catalog), fileOwner } };
    },
  };
  expect(await stageExpiry(owned, 'ns.t', KEEP_TWO.expiry)).toEqual({
    planLocation: null,
    snapshots: 0,
    refs: [],
    metadataFiles: 0,
  });
  expect(await sweepOrphans(owned, 'ns.t', {})).toEqual({ deletedFiles: 0, deletedBytes: 0n, next: null, fileOwner });
  const { files, ...dry } = await dryRunMaintenance(owned, 'ns.t', KEEP_TWO);
  expect(dry).toMatchObject({ fileOwner, metadataFiles: 0 });
  expect((await files.next()).done).toBe(true);
  expect(there(locations)).toEqual(locations.map(() => true));
  expect(await logOf(lab)).toEqual(locations.slice(0, 6));
});

test('a server that keeps its log as long as it likes is asked once, and what else has had its time goes', async () => {
  const { lab } = await longLog(30);
  const { metadataLog } = (await lab.load('ns.t')).metadata;
  let commits = 0;
  const keeping = <T extends LoadedTable>(table: T): T => ({ ...table, metadata: { ...table.metadata, metadataLog } });
  const catalog = Object.create(lab.catalog, {
    loadTable: {
      value: async (...of: Parameters<Catalog['loadTable']>) => keeping(await lab.catalog.loadTable(...of)),
    },
    commitTable: {
      value: async (...of: Parameters<Catalog['commitTable']>) => {
        commits += 1;
        if (commits > 500) throw new MoraineError('CATALOG_UNAVAILABLE', 'It was asked for ever.');
        return keeping(await lab.catalog.commitTable(...of));
      },
    },
  }) as Catalog;
  const deps = lab.depsWith({ loadTable: async (name) => ({ ...keeping(await lab.load(name)), catalog }) });
  await expireOnce(deps, 'ns.t', KEEP_TWO.expiry);
  expect((await lab.load('ns.t')).metadata.properties.get(LENGTH)).toBe('2');
  expect(commits).toBeLessThan(5);
});
