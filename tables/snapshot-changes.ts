/** Changes between two snapshots of one history, snapshot by snapshot. */
import { ancestors, findSnapshot, type Snapshot } from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { readManifestEntries, readSnapshotManifests } from './manifest-files.js';
import { filePlanner, specById } from './plan-files.js';
import type { PlannedFile } from './planned-file.js';
import type { Table } from './table.js';

/** The operation of a snapshot; `replace` changes files but no row. */
export type SnapshotOperation = 'append' | 'replace' | 'overwrite' | 'delete';

export interface SnapshotChange {
  readonly snapshot: Snapshot;
  readonly operation: SnapshotOperation;
  readonly added: readonly PlannedFile[];
  readonly removed: readonly PlannedFile[];
  /** Whether the snapshot added delete files, which take rows from files that it does not list as removed. */
  readonly addedDeleteFiles: boolean;
  /** Whether the snapshot removed delete files, which brings rows back unless their data files went, too. */
  readonly removedDeleteFiles: boolean;
}

/** `expired`: some snapshot in between is gone; `not-ancestor`: the starting one was rolled back or is of another branch. */
export type SnapshotGap = 'expired' | 'not-ancestor';

const OPERATIONS: ReadonlySet<string> = new Set<SnapshotOperation>(['append', 'replace', 'overwrite', 'delete']);

/** A snapshot that names no operation may have done anything. */
function operationOf(snapshot: Snapshot): SnapshotOperation {
  const operation = snapshot.summary.get('operation') ?? '';
  return OPERATIONS.has(operation) ? (operation as SnapshotOperation) : 'overwrite';
}

/** The files that one snapshot added and removed. */
export async function changeOf(table: Table, snapshot: Snapshot): Promise<SnapshotChange> {
  const manifests = (await readSnapshotManifests(table.io, snapshot)).filter(
    (manifest) => manifest.addedSnapshotId === snapshot.snapshotId,
  );
  const data = manifests.filter((manifest) => manifest.content === 'data');
  const added: PlannedFile[] = [];
  const removed: PlannedFile[] = [];
  const read = await mapConcurrently(data, (manifest) => readManifestEntries(table.io, table.metadata, manifest));
  for (const [i, entries] of read.entries()) {
    const planned = filePlanner(table, specById(table, data[i]?.partitionSpecId ?? 0));
    for (const entry of entries) {
      if (entry.status === 'existing' || entry.snapshotId !== snapshot.snapshotId) continue;
      (entry.status === 'added' ? added : removed).push(planned(entry));
    }
  }
  const deletes = manifests.filter((manifest) => manifest.content === 'deletes');
  const addedDeleteFiles = deletes.some((manifest) => manifest.addedFilesCount !== 0);
  const removedDeleteFiles = deletes.some((manifest) => manifest.deletedFilesCount !== 0);
  return { snapshot, operation: operationOf(snapshot), added, removed, addedDeleteFiles, removedDeleteFiles };
}

/** The snapshots after `fromExclusive` (null: the table's beginning) up to `to`, oldest first. */
export function snapshotsBetween(
  table: Table,
  fromExclusive: bigint | null,
  to: bigint,
): readonly Snapshot[] | { readonly gap: SnapshotGap } {
  const lineage: Snapshot[] = [];
  for (const snapshot of ancestors(table.metadata, to)) {
    if (snapshot.snapshotId === fromExclusive) return lineage.reverse();
    lineage.push(snapshot);
  }
  const oldest = lineage.at(-1);
  // The starting snapshot itself may have expired: its children tell that it was an ancestor.
  if (oldest !== undefined && (oldest.parentSnapshotId ?? null) === fromExclusive) return lineage.reverse();
  const known = fromExclusive !== null && findSnapshot(table.metadata, fromExclusive) !== undefined;
  return { gap: known && oldest?.parentSnapshotId === undefined ? 'not-ancestor' : 'expired' };
}

/**
 * The files added and removed by every snapshot after `fromExclusive` (null: the beginning) up to `to`, oldest first,
 * or why that cannot be told.
 */
export async function snapshotChanges(
  table: Table,
  fromExclusive: bigint | null,
  to: bigint,
): Promise<{ readonly snapshots: readonly SnapshotChange[] } | { readonly gap: SnapshotGap }> {
  const between = snapshotsBetween(table, fromExclusive, to);
  if ('gap' in between) return between;
  return { snapshots: await mapConcurrently(between, (snapshot) => changeOf(table, snapshot)) };
}
