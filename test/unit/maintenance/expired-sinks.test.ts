/** What an expiry leaves of sinks that were idle meanwhile: their positions, as they are in the history of the current snapshot. */
import { expect, test } from 'vitest';
import type { TableUpdate } from '../../../iceberg/index.js';
import { Coordinator } from '../../../sink/protocol/coordinator.js';
import { companionStateOf } from '../../../sink/protocol/find-state.js';
import { rejectionCode } from '../../support/error-code.js';
import { expireOnce } from '../../support/maintain-once.js';
import { MaintenanceLab } from '../../support/maintenance-lab.js';

const PARTITION = 'p';

/** A sink's batches up to positions 3 and 7, 30 days ago, and then so many foreign commits that no metadata file of that time is left. */
async function idleSink({ isRolledBack = false } = {}) {
  const lab = await MaintenanceLab.open();
  const table = await lab.create('ns.t', { properties: { 'write.metadata.previous-versions-max': '2' } });
  const sink = await Coordinator.open(table, 's');
  const batch = (from: bigint, to: bigint) =>
    sink.commit({ id: `${from}`, ranges: [{ partition: PARTITION, from, to, isFirst: from === 0n }], manifests: [] });
  const first = await batch(0n, 3n);
  await batch(3n, 7n);
  if (isRolledBack) await lab.update('ns.t', currentIs(first));
  lab.daysAgo = 10;
  for (let i = 0; i < 4; i++) await lab.append('ns.t');
  lab.daysAgo = 0;
  const kept = (await lab.append('ns.t')).snapshotId;
  return { lab, kept };
}

const currentIs = (snapshotId: bigint): TableUpdate => ({
  action: 'set-snapshot-ref',
  refName: 'main',
  ref: { type: 'branch', snapshotId },
});

const positionsNow = async (lab: MaintenanceLab) => (await Coordinator.open(await lab.load('ns.t'), 's')).positions;

test.each([
  [false, 7n],
  [true, 3n],
])(
  'a sink that was idle finds its positions after its snapshots have expired (rolled back: %j)',
  async (isRolledBack, position) => {
    const { lab, kept } = await idleSink({ isRolledBack });
    await expireOnce(lab.deps, 'ns.t', {});
    expect((await lab.load('ns.t')).metadata.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([kept]);
    // In companion tables the newest claim counts, rolled back or not.
    const newest = await companionStateOf(await lab.load('ns.t'), 's');
    expect(newest.state?.positions).toEqual(new Map([[PARTITION, 7n]]));
    for (let i = 0; i < 4; i++) await lab.append('ns.t');
    expect(await positionsNow(lab)).toEqual(new Map([[PARTITION, position]]));
    // Also if it goes back to the oldest snapshot that is left.
    await lab.update('ns.t', currentIs(kept));
    expect(await positionsNow(lab)).toEqual(new Map([[PARTITION, position]]));
  },
);

// Seed 6017 of the simulation.
test('a sink whose claim was rolled back begins anew after an expiry of all that was before it', async () => {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t', { properties: { 'write.metadata.previous-versions-max': '2' } });
  const { snapshotId } = await lab.append('ns.t');
  const sink = await Coordinator.open(await lab.load('ns.t'), 's');
  const ranges = [{ partition: PARTITION, from: 0n, to: 3n, isFirst: true }];
  await sink.commit({ id: 'a', ranges, manifests: [] });
  await lab.update('ns.t', currentIs(snapshotId));
  lab.daysAgo = 0;
  await lab.append('ns.t');
  await expireOnce(lab.deps, 'ns.t', {});
  for (let i = 0; i < 4; i++) await lab.append('ns.t');
  expect(await rejectionCode(sink.commit({ id: 'b', ranges, manifests: [] }))).toBe('SINK_FENCED');
  const next = await Coordinator.open(await lab.load('ns.t'), 's');
  expect([next.positions, next.epoch]).toEqual([new Map([[PARTITION, 0n]]), 2n]);
});

test.each([
  [true, undefined],
  [false, 'a'],
])(
  'in companion tables a batch that was rolled back (%j) is not done, also after another program has expired it',
  async (isRolledBack, done) => {
    const lab = await MaintenanceLab.open();
    await lab.create('ns.t', { properties: { 'write.metadata.previous-versions-max': '2' } });
    const { snapshotId } = await lab.append('ns.t');
    const sink = await Coordinator.open(await lab.load('ns.t'), 's', { find: companionStateOf });
    await sink.commit({ id: 'a', ranges: [], manifests: [] });
    if (isRolledBack) await lab.update('ns.t', currentIs(snapshotId));
    for (let i = 0; i < 4; i++) await lab.append('ns.t');
    const { metadata } = await lab.load('ns.t');
    const snapshotIds = metadata.snapshots
      .map((each) => each.snapshotId)
      .filter((id) => id !== metadata.currentSnapshotId);
    await lab.update('ns.t', { action: 'remove-snapshots', snapshotIds });
    for (let i = 0; i < 4; i++) await lab.append('ns.t');
    const { state } = await companionStateOf(await lab.load('ns.t'), 's');
    expect([state?.epoch, state?.lastBatch?.id]).toEqual([1n, done]);
  },
);

test.each([
  [false, 7n],
  [true, 3n],
])(
  'a sink that was idle finds its positions by sequence numbers after an expiry by another program that left nothing of it (rolled back: %j)',
  async (isRolledBack, position) => {
    const { lab, kept } = await idleSink({ isRolledBack });
    const { metadata } = await lab.load('ns.t');
    const snapshotIds = metadata.snapshots.map(({ snapshotId }) => snapshotId).filter((id) => id !== kept);
    await lab.update('ns.t', { action: 'remove-snapshots', snapshotIds });
    for (let i = 0; i < 4; i++) await lab.append('ns.t');
    expect(await positionsNow(lab)).toEqual(new Map([[PARTITION, position]]));
  },
);
