import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commitExpiry, deleteExpiredFiles, type ExpirySettings, stageExpiry } from '../../../maintenance/index.js';
import { MaintenanceLab } from '../../support/maintenance-lab.js';

async function expire(lab: MaintenanceLab, name: string, settings: ExpirySettings = {}): Promise<number> {
  const { planLocation } = await stageExpiry(lab.deps, name, settings);
  if (planLocation === null) return 0;
  await commitExpiry(lab.deps, name, planLocation);
  return (await deleteExpiredFiles(lab.deps, name, planLocation)).deletedFiles;
}

/** Three snapshots, 20, 10 and 0 days old; the first one's file is replaced by the second. */
async function threeSnapshots() {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t');
  lab.daysAgo = 20;
  const first = await lab.append('ns.t');
  lab.daysAgo = 10;
  const second = await lab.replace('ns.t', first.path);
  lab.daysAgo = 0;
  const third = await lab.append('ns.t');
  return { lab, first, second, third };
}

const snapshotIds = async (lab: MaintenanceLab) =>
  (await lab.load('ns.t')).metadata.snapshots.map(({ snapshotId }) => snapshotId);

test('what only expired snapshots reach is deleted, what others reach stays', async () => {
  const { lab, first, second, third } = await threeSnapshots();
  const before = await lab.load('ns.t');
  const lists = before.metadata.snapshots.map(({ manifestList }) => manifestList ?? '');
  expect(await expire(lab, 'ns.t')).toBeGreaterThan(0);
  expect(await snapshotIds(lab)).toEqual([third.snapshotId]);
  expect([first, second, third].map(({ path }) => existsSync(path))).toEqual([false, true, true]);
  expect(lists.map((path) => existsSync(path))).toEqual([false, false, true]);
  expect(lab.files(before).filter((path) => path.includes('moraine-'))).toEqual([]);
});

test('a tag, a minimum and a branch of its own age keep snapshots', async () => {
  const { lab, first, second, third } = await threeSnapshots();
  await lab.tag('ns.t', 'v1', first.snapshotId);
  expect(await expire(lab, 'ns.t', { retainLast: 2 })).toBe(0);
  expect(await expire(lab, 'ns.t')).toBeGreaterThan(0);
  expect(await snapshotIds(lab)).toEqual([first.snapshotId, third.snapshotId]);
  expect([first, second, third].map(({ path }) => existsSync(path))).toEqual([true, true, true]);
});
