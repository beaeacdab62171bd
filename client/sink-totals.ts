/** What the commits of a run of a sink come to. */
import { hasRecords, type RejectedRecord, type SinkCommit } from '../sink/index.js';

/** Sums of a run. */
export interface SinkTotals {
  readonly rows: bigint;
  /** Records that an upsert has left out: their key has a row that is not below them. */
  readonly superseded: bigint;
  /** Snapshots that the run has made for records. */
  readonly commits: number;
  /** Records that are no rows, by reason; none unless they are dropped or go to a dead-letter table. */
  readonly rejected: Readonly<Record<string, number>>;
  /** The last of the snapshots; null: there was nothing new. */
  readonly snapshotId: bigint | null;
}

export const NO_COMMITS: SinkTotals = { rows: 0n, superseded: 0n, commits: 0, rejected: {}, snapshotId: null };

/** The sums with a commit, or with a lot of records of which nothing was committed. */
export function withCommit(totals: SinkTotals, commit: Omit<SinkCommit, 'positions' | 'delivery'>): SinkTotals {
  if (!hasRecords(commit)) return totals;
  return {
    rows: totals.rows + commit.rows,
    superseded: totals.superseded + commit.superseded,
    commits: totals.commits + (commit.snapshotId === null ? 0 : 1),
    rejected: counted(totals.rejected, commit.rejected),
    snapshotId: commit.snapshotId ?? totals.snapshotId,
  };
}

function counted(
  before: SinkTotals['rejected'],
  rejected: readonly RejectedRecord[],
): Readonly<Record<string, number>> {
  if (rejected.length === 0) return before;
  const counts = new Map(Object.entries(before));
  for (const { reason } of rejected) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return Object.fromEntries(counts);
}
