/** What happened to the source since a snapshot, cut to an interval of event times. */
import { currentSchema } from '../iceberg/index.js';
import { type PlannedFile, snapshotChanges, type Table } from '../tables/index.js';
import type { SourceChanges } from './decide.js';
import { eventTimeColumn, mayHoldEventTimes } from './event-time-filter.js';
import type { Interval } from './interval.js';

/** Files of the changes; compactions are left out. */
export interface SourceFileChanges extends SourceChanges {
  readonly added: readonly PlannedFile[];
  readonly removed: readonly PlannedFile[];
  /** Those of `added` that came with snapshots that also removed files: most of their rows are not new. */
  readonly rewritten: readonly PlannedFile[];
}

/** Changes that cannot be told file by file. */
export interface UntraceableChanges {
  readonly reason: string;
}

/**
 * The files that appends, overwrites and deletes added and removed after `sinceSnapshotId` up to `toSnapshotId`, of which
 * some row may have an event time in the interval.
 */
export async function readSourceChanges(
  table: Table,
  sinceSnapshotId: bigint,
  toSnapshotId: bigint,
  eventTimeFieldId: number,
  interval: Interval,
): Promise<SourceFileChanges | UntraceableChanges> {
  const changes = await snapshotChanges(table, sinceSnapshotId, toSnapshotId);
  if ('gap' in changes)
    return { reason: `a snapshot after ${sinceSnapshotId}, the last materialized one, has expired` };
  const real = changes.snapshots.filter((change) => change.operation !== 'replace');
  if (real.some((change) => change.addedDeleteFiles || change.removedDeleteFiles)) {
    return { reason: `rows were deleted through delete files after snapshot ${sinceSnapshotId}` };
  }
  const column = eventTimeColumn(currentSchema(table.metadata), eventTimeFieldId);
  const relevant = ({ file }: PlannedFile): boolean => mayHoldEventTimes(file, column, interval);
  const added = real.flatMap((change) => change.added).filter(relevant);
  const removed = real.flatMap((change) => change.removed).filter(relevant);
  const rewritten = real.flatMap((change) => (change.removed.length > 0 ? change.added : [])).filter(relevant);
  return { added, removed, rewritten, hasAdded: added.length > 0, hasRemoved: removed.length > 0 };
}
