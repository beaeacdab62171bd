/** The source's lineage, as the decision sees it. */
import { ancestors, findSnapshot, type TableMetadata } from '../iceberg/index.js';
import type { SnapshotStanding, SourceState } from './decide.js';

/** Stands for the snapshot of a table that has none. */
export const NO_SNAPSHOT = -1n;

/** The id of a snapshot that the table has; null: of none. */
export function existingSnapshot(snapshotId: bigint): bigint | null {
  return snapshotId === NO_SNAPSHOT ? null : snapshotId;
}

/** The state of a source table whose current snapshot is pinned. */
export function sourceState(table: string, metadata: TableMetadata): SourceState {
  const pinned = metadata.currentSnapshotId;
  const ages = new Map<bigint, number>();
  if (pinned === null) ages.set(NO_SNAPSHOT, 0);
  else for (const snapshot of ancestors(metadata, pinned)) ages.set(snapshot.snapshotId, ages.size);
  return {
    table,
    tableUuid: metadata.tableUuid,
    snapshotId: pinned ?? NO_SNAPSHOT,
    standing: (snapshotId): SnapshotStanding => {
      const age = ages.get(snapshotId);
      if (age !== undefined) return { kind: 'ancestor', age };
      // A table without a snapshot can always be read again: it has no rows.
      const exists = snapshotId === NO_SNAPSHOT || findSnapshot(metadata, snapshotId) !== undefined;
      return { kind: exists ? 'not-ancestor' : 'expired' };
    },
  };
}
