/** Which snapshot of a source table was current when. Pure. */
import { findSnapshot, type TableMetadata } from '../iceberg/index.js';

/** A snapshot and since when it was current; `unknown`: that state is not in the table any more. */
export interface TimelineEntry {
  readonly fromMs: bigint;
  readonly state: bigint | null | 'unknown';
}

const BEFORE_ALL = -(2n ** 63n);

/** States of a table in the order of time. The first one begins before every time. */
export function sourceTimeline(metadata: TableMetadata): readonly TimelineEntry[] {
  const { snapshotLog, currentSnapshotId } = metadata;
  const [first] = snapshotLog;
  const begins = first === undefined ? undefined : findSnapshot(metadata, first.snapshotId);
  // Only a log that begins with a snapshot without a parent begins with the table: expiry shortens it.
  const complete =
    first === undefined ? currentSnapshotId === null : begins !== undefined && begins.parentSnapshotId === undefined;
  const entries: TimelineEntry[] = [{ fromMs: BEFORE_ALL, state: complete ? null : 'unknown' }];
  for (const { timestampMs, snapshotId } of snapshotLog) {
    const state = findSnapshot(metadata, snapshotId) === undefined ? 'unknown' : snapshotId;
    // Of snapshots of the same millisecond the last one counts.
    if (entries.at(-1)?.fromMs === timestampMs) entries.pop();
    entries.push({ fromMs: timestampMs, state });
  }
  return entries;
}
