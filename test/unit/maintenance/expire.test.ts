import { expect, test } from 'vitest';
import { newTableMetadata } from '../../../iceberg/index.js';
import {
  commitExpiry,
  deleteExpiredFiles,
  type ExpirySettings,
  planExpiry,
  stageExpiry,
  sweepOrphans,
} from '../../../maintenance/index.js';
import { planFiles, selectSnapshot } from '../../../tables/index.js';
import { codeOf, rejectionCode } from '../../support/error-code.js';
import { expireOnce } from '../../support/maintain-once.js';
import { DAY_MS, MaintenanceLab } from '../../support/maintenance-lab.js';
import { isStored } from '../../support/test-store.js';

const SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [] };

const expire = async (lab: MaintenanceLab, name: string, settings: ExpirySettings = {}): Promise<number> =>
  (await expireOnce(lab.deps, name, settings)).expiredFiles;

async function threeSnapshots() {
  const lab = await MaintenanceLab.open();
  return { lab, ...(await lab.threeSnapshots('ns.t')) };
}

const snapshotIds = async (lab: MaintenanceLab) =>
  (await lab.load('ns.t')).metadata.snapshots.map(({ snapshotId }) => snapshotId);

test('what only expired snapshots reach is deleted, what others reach stays', async () => {
  const { lab, first, second, third } = await threeSnapshots();
  const before = await lab.load('ns.t');
  const lists = before.metadata.snapshots.map(({ manifestList }) => manifestList ?? '');
  expect(await expire(lab, 'ns.t')).toBeGreaterThan(0);
  expect(await snapshotIds(lab)).toEqual([third.snapshotId]);
  expect([first, second, third].map(({ path }) => isStored(path))).toEqual([false, true, true]);
  expect(lists.map((path) => isStored(path))).toEqual([false, false, true]);
  expect(lab.files(before).filter((path) => path.includes('moraine-'))).toEqual([]);
});

test('a tag and a minimum keep snapshots', async () => {
  const { lab, first, second, third } = await threeSnapshots();
  await lab.tag('ns.t', 'v1', first.snapshotId);
  expect(await expire(lab, 'ns.t', { retainLast: 2 })).toBe(0);
  expect(await expire(lab, 'ns.t')).toBeGreaterThan(0);
  expect(await snapshotIds(lab)).toEqual([first.snapshotId, third.snapshotId]);
  expect([first, second, third].map(({ path }) => isStored(path))).toEqual([true, true, true]);
});

test('faults 10: cut short after the commit or within the deletion, repeating the steps finishes', async () => {
  const untouched = await threeSnapshotsDone();
  for (const deletions of [0, 2, 5]) {
    const { lab, first, third } = await threeSnapshots();
    const table = await lab.load('ns.t');
    const { planLocation } = await stageExpiry(lab.deps, 'ns.t', {});
    await commitExpiry(lab.deps, 'ns.t', planLocation ?? '');
    let left = deletions;
    const failing = new Proxy(lab.io, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        if (name !== 'delete') return (value as (...args: unknown[]) => unknown).bind(target);
        return async (...locations: readonly string[]) => {
          await target.delete(...locations.slice(0, left));
          left -= locations.length;
          if (left < 0) throw new Error('cut short');
        };
      },
    });
    const cut = lab.depsWith({ loadTable: async (name) => ({ ...(await lab.load(name)), io: failing }) });
    await expect(deleteExpiredFiles(cut, 'ns.t', planLocation ?? '')).rejects.toThrow('cut short');
    // The whole activity again, as Temporal would do it, each step twice.
    for (let twice = 0; twice < 2; twice++) {
      await commitExpiry(lab.deps, 'ns.t', planLocation ?? '');
      await deleteExpiredFiles(lab.deps, 'ns.t', planLocation ?? '');
    }
    lab.age(table.metadata.location, 30);
    await sweepOrphans(lab.deps, 'ns.t', {});
    expect(isStored(first.path), `${deletions}`).toBe(false);
    expect(isStored(third.path)).toBe(true);
    expect(lab.files(table).filter((path) => !path.endsWith('.metadata.json')).length).toBe(untouched);
  }
});

/** Files besides metadata files of a table whose expiry was not cut short. */
async function threeSnapshotsDone(): Promise<number> {
  const { lab } = await threeSnapshots();
  await expire(lab, 'ns.t');
  const table = await lab.load('ns.t');
  lab.age(table.metadata.location, 30);
  await sweepOrphans(lab.deps, 'ns.t', {});
  return lab.files(table).filter((path) => !path.endsWith('.metadata.json')).length;
}

test('faults 35: a tag that is set between plan and commit keeps its snapshot; without one the reader is told it expired', async () => {
  const { lab, first, second } = await threeSnapshots();
  const { planLocation } = await stageExpiry(lab.deps, 'ns.t', {});
  await lab.tag('ns.t', 'pinned', first.snapshotId);
  expect(await commitExpiry(lab.deps, 'ns.t', planLocation ?? '')).toBe(1);
  await deleteExpiredFiles(lab.deps, 'ns.t', planLocation ?? '');
  expect(isStored(first.path)).toBe(true);
  const { metadata } = await lab.load('ns.t');
  expect(selectSnapshot(metadata, { ref: 'pinned' }).snapshot?.snapshotId).toBe(first.snapshotId);
  expect(codeOf(() => selectSnapshot(metadata, { snapshotId: second.snapshotId }))).toBe('SNAPSHOT_EXPIRED');
});

test('faults 38: two expiries at once, and one beside a writer, lose nothing', async () => {
  const { lab } = await threeSnapshots();
  await Promise.all([expire(lab, 'ns.t'), expire(lab, 'ns.t'), lab.append('ns.t'), lab.append('ns.t')]);
  const table = await lab.load('ns.t');
  expect(table.metadata.snapshots).toHaveLength(3);
  for (const { path } of (await planFiles(table, selectSnapshot(table.metadata))).files.map(({ file }) => ({
    path: file.filePath,
  }))) {
    expect(isStored(path)).toBe(true);
  }
});

test('faults 45: a clock that is a week ahead expires nothing early', async () => {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t');
  lab.daysAgo = 3;
  await lab.append('ns.t');
  await lab.append('ns.t');
  lab.daysAgo = 0;
  const ahead = lab.depsWith({ nowMs: () => BigInt(Date.now() + 7 * DAY_MS) });
  expect((await stageExpiry(ahead, 'ns.t', {})).snapshots).toBe(0);
  expect((await stageExpiry(lab.deps, 'ns.t', { olderThanMs: BigInt(DAY_MS) })).snapshots).toBe(1);
});

test('faults 47: an expiry of 10,000 snapshots is planned', () => {
  const [count, day] = [10_000, BigInt(DAY_MS)];
  const snapshots = Array.from({ length: count }, (_, at) => ({
    snapshotId: BigInt(at + 1),
    ...(at === 0 ? {} : { parentSnapshotId: BigInt(at) }),
    sequenceNumber: BigInt(at + 1),
    timestampMs: BigInt(at) * 1000n,
    summary: new Map(),
  }));
  const refs = new Map([['main', { type: 'branch' as const, snapshotId: BigInt(count) }]]);
  const metadata = {
    ...newTableMetadata({ schema: SCHEMA, location: '/t', tableUuid: '', nowMs: 0n }),
    snapshots,
    refs,
    currentSnapshotId: BigInt(count),
  };
  const plan = planExpiry(metadata, { retainLast: 10 }, [], 100n * day);
  expect([plan.snapshotIds.length, plan.kept.size]).toEqual([count - 10, 10]);
});

test('properties that are no numbers, and gc.enabled=false, are refused', async () => {
  const { lab } = await threeSnapshots();
  const set = (name: string, value: string) =>
    lab.update('ns.t', { action: 'set-properties', updates: new Map([[name, value]]) });
  await set('history.expire.max-snapshot-age-ms', '5d');
  expect(await rejectionCode(stageExpiry(lab.deps, 'ns.t', {}))).toBe('INVALID_ARGUMENT');
  await set('history.expire.max-snapshot-age-ms', '1000');
  await set('gc.enabled', 'false');
  expect(await rejectionCode(stageExpiry(lab.deps, 'ns.t', {}))).toBe('INVALID_ARGUMENT');
});

test('the settings of a branch win over those of the request', async () => {
  const { lab, first, second, third } = await threeSnapshots();
  const ref = { type: 'branch' as const, snapshotId: second.snapshotId, minSnapshotsToKeep: 2 };
  await lab.update('ns.t', { action: 'set-snapshot-ref', refName: 'audit', ref });
  expect(await expire(lab, 'ns.t', { retainLast: 1 })).toBe(0);
  expect(await snapshotIds(lab)).toEqual([first.snapshotId, second.snapshotId, third.snapshotId]);
});
