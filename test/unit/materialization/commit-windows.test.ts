import { describe, expect, test } from 'vitest';
import { stageSegment } from '../../../backfill/index.js';
import { compactDirect } from '../../../maintenance/index.js';
import {
  commitMaterialization,
  commitWindows,
  effectiveProgress,
  extractShard,
  materializeDirect,
  planMaterialization,
  type StagedWindow,
} from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { findRun } from '../../../tables/index.js';
import { compactDeps } from '../../support/compaction-lab.js';
import { Lab } from '../../support/materialization-lab.js';

const SECOND = 1_000_000n;

async function inLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.open();
  try {
    await lab.createSource();
    await lab.append([0, 1, 2, 3].map((at) => ({ k: at, at, v: at })));
    await work(lab);
  } finally {
    await lab.close();
  }
}

/** The window of so many seconds from `at` on. */
async function stage(lab: Lab, at: number, seconds = 1): Promise<StagedWindow> {
  const window = { startUs: BigInt(at) * SECOND, endUs: BigInt(at + seconds) * SECOND };
  const staged = await stageSegment(lab.deps, { view: 'readings', ...window });
  if (staged.kind !== 'staged') throw new Error(`window ${at} is ${staged.kind}`);
  return staged.window;
}

async function keyOf(lab: Lab, { planLocation }: StagedWindow): Promise<string> {
  const plan = JSON.parse(Buffer.from(await lab.io.read(planLocation)).toString()) as { runKey: string };
  return plan.runKey;
}

async function onlineKeys(lab: Lab): Promise<unknown[]> {
  return (await lab.query(await lab.online(), 'SELECT k FROM rows ORDER BY k')).flat();
}

async function coverage(lab: Lab): Promise<unknown> {
  const { metadata } = await lab.online();
  return effectiveProgress(metadata).progress?.coverage.map(({ startUs, endUs }) => [startUs, endUs]);
}

describe('windows that are committed together', () => {
  test('are one snapshot with the key of each, found later by any of them', () =>
    inLab(async (lab) => {
      const windows = [await stage(lab, 0), await stage(lab, 1), await stage(lab, 3)];
      const { snapshotId, outcomes } = await commitWindows(lab.deps, windows);
      expect(outcomes).toEqual(['committed', 'committed', 'committed']);
      const { metadata } = await lab.online();
      expect(metadata.snapshots).toHaveLength(1);
      for (const window of windows) expect(findRun(metadata, { key: await keyOf(lab, window) })).toBe(snapshotId);
      // Also when the snapshot has expired.
      const expired = { ...metadata, snapshots: [], currentSnapshotId: null };
      expect(findRun(expired, { key: await keyOf(lab, windows[2] as StagedWindow) })).toBe(snapshotId);
      expect(findRun(expired, { key: '0'.repeat(64) })).toBeNull();
      expect(await coverage(lab)).toEqual([
        [0n, 2n * SECOND],
        [3n * SECOND, 4n * SECOND],
      ]);
    }));

  test('of which one overlaps the other, staged at once, hold rows twice; compaction leaves one of each', () =>
    inLab(async (lab) => {
      const windows = [await stage(lab, 0, 3), await stage(lab, 1, 3)];
      for (const window of windows) expect((await commitWindows(lab.deps, [window])).outcomes).toEqual(['committed']);
      expect(await onlineKeys(lab)).toEqual([0n, 1n, 1n, 2n, 2n, 3n]);
      const entities = [0, 1, 2, 3].map((k) => ({ k }));
      const answers = async () => (await getOnlineFeatures(lab.deps, { view: 'readings', entities })).rows;
      const right = entities.map(({ k }) => [{ status: 'PRESENT', value: k, eventTimestampUs: BigInt(k) * SECOND }]);
      expect(await answers()).toEqual(right);
      const deps = compactDeps(lab, lab.definitions);
      await compactDirect(deps, { table: 'moraine_online.readings', strategy: 'latest' });
      expect(await onlineKeys(lab)).toEqual([0n, 1n, 2n, 3n]);
      expect(await answers()).toEqual(right);
    }));

  test('that were committed are left out of a repeated commit, and of one that overlaps with it by half', () =>
    inLab(async (lab) => {
      const [a, b, c] = [await stage(lab, 0), await stage(lab, 1), await stage(lab, 2)];
      await commitWindows(lab.deps, [a, b]);
      expect(await commitWindows(lab.deps, [a, b])).toEqual({
        snapshotId: null,
        outcomes: ['already-committed', 'already-committed'],
      });
      const { outcomes } = await commitWindows(lab.deps, [b, c]);
      expect(outcomes).toEqual(['already-committed', 'committed']);
      expect(await onlineKeys(lab)).toEqual([0n, 1n, 2n]);
      expect((await lab.online()).metadata.snapshots).toHaveLength(2);
    }));

  test('and one that is staged again alone has the same key, and nothing is left to do for it', () =>
    inLab(async (lab) => {
      const [first, again] = [await stage(lab, 1), await stage(lab, 1)];
      expect(await keyOf(lab, again)).toBe(await keyOf(lab, first));
      await commitWindows(lab.deps, [await stage(lab, 0), first]);
      expect((await commitWindows(lab.deps, [again])).outcomes).toEqual(['already-committed']);
      const window = { startUs: SECOND, endUs: 2n * SECOND };
      expect(await stageSegment(lab.deps, { view: 'readings', ...window })).toEqual({ kind: 'nothing' });
      expect(await onlineKeys(lab)).toEqual([0n, 1n]);
    }));

  test('do not send a run back that was planned before them, nor does it send them back', () =>
    inLab(async (lab) => {
      const attemptId = 'live';
      const live = await planMaterialization(lab.deps, { view: 'readings', attemptId });
      const shard = await extractShard(lab.deps, live.planLocation ?? '', 0);
      const [early, late] = [await stage(lab, 0), await stage(lab, 1)];
      await commitWindows(lab.deps, [early]);
      const run = await commitMaterialization(lab.deps, live.planLocation ?? '', [shard.manifestLocation ?? '']);
      expect(run.outcome).toBe('committed');
      // The run has covered everything, at the same snapshot.
      expect((await commitWindows(lab.deps, [late])).outcomes).toEqual(['covered']);
      const { metadata } = await lab.online();
      expect(effectiveProgress(metadata).progress).toMatchObject({
        incremental: { sourceSnapshotId: live.sourceSnapshotId, heldBackFromUs: null },
        coverage: [{ startUs: null, endUs: null, sourceSnapshotId: live.sourceSnapshotId }],
      });
    }));

  test('are re-based onto a run of another window that came between, and keep its coverage', () =>
    inLab(async (lab) => {
      const window = await stage(lab, 1);
      await materializeDirect(lab.deps, { view: 'readings', startUs: 2n * SECOND, endUs: 4n * SECOND });
      expect((await commitWindows(lab.deps, [window])).outcomes).toEqual(['committed']);
      expect(await coverage(lab)).toEqual([[SECOND, 4n * SECOND]]);
      expect(await onlineKeys(lab)).toEqual([1n, 2n, 3n]);
    }));

  test('are stale when a run read a part of them at an older snapshot that may have had other rows', () =>
    inLab(async (lab) => {
      const older = await planMaterialization(lab.deps, {
        view: 'readings',
        attemptId: 'older',
        startUs: 0n,
        endUs: SECOND,
      });
      const shard = await extractShard(lab.deps, older.planLocation ?? '', 0);
      await lab.deleteWhere('k = 0');
      await lab.append([{ k: 7, at: 0, v: 7 }]);
      const window = await stage(lab, 0);
      await commitMaterialization(lab.deps, older.planLocation ?? '', [shard.manifestLocation ?? '']);
      // Committed, the deleted row would stay.
      expect((await commitWindows(lab.deps, [window])).outcomes).toEqual(['stale']);
      const again = await stageSegment(lab.deps, { view: 'readings', startUs: 0n, endUs: SECOND });
      expect(again).toEqual({ kind: 'alone' });
    }));
});
