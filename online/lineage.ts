/** Snapshots that are in what a table has now, also those that have expired since. */
import { ancestors, findSnapshot, isAncestor, type TableMetadata } from '../iceberg/index.js';
import { isInAncestry, type Table } from '../tables/index.js';

/** Snapshots that are remembered of one table. */
const MAX_REMEMBERED = 10_000;

/** Names a snapshot of an online table: by its id alone, or so that it is told from a rolled-back one after it has expired, too. */
export interface SnapshotName {
  /** Null: of a table that was never written; every state has it. */
  readonly snapshotId: bigint | null;
  readonly sequenceNumber?: bigint | undefined;
  /** Of the table that the sequence number is one of. */
  readonly tableUuid?: string | undefined;
}

/** The full name of the current snapshot of a table. */
export function currentSnapshotName({ metadata }: Pick<Table, 'metadata'>): SnapshotName {
  const { currentSnapshotId } = metadata;
  return currentSnapshotId === null ? { snapshotId: null } : snapshotName(metadata, currentSnapshotId);
}

/** The full name of a snapshot of a table; its id alone, if it has expired. */
export function snapshotName(metadata: TableMetadata, snapshotId: bigint): SnapshotName {
  const sequenceNumber = findSnapshot(metadata, snapshotId)?.sequenceNumber;
  return sequenceNumber === undefined ? { snapshotId } : { snapshotId, sequenceNumber, tableUuid: metadata.tableUuid };
}

/** Tells which snapshots a table has or had in its history. It knows the sequence numbers of those that it has seen. */
export class Lineage {
  readonly #numbers = new Map<bigint, bigint>();
  #tableUuid: string | undefined;

  /** Notes the history of the table as it is now. */
  note(metadata: TableMetadata): void {
    if (metadata.tableUuid !== this.#tableUuid) this.#numbers.clear();
    this.#tableUuid = metadata.tableUuid;
    if (metadata.currentSnapshotId === null) return;
    for (const { snapshotId, sequenceNumber } of ancestors(metadata, metadata.currentSnapshotId)) {
      if (this.#numbers.has(snapshotId)) break;
      this.#numbers.set(snapshotId, sequenceNumber);
    }
    for (const id of this.#numbers.keys()) {
      if (this.#numbers.size <= MAX_REMEMBERED) break;
      this.#numbers.delete(id);
    }
  }

  /** Whether a state of the table has the snapshot or is later than it. False where nobody knows, and for snapshots that were rolled back. */
  has(metadata: TableMetadata, { snapshotId, sequenceNumber, tableUuid }: SnapshotName): boolean {
    if (snapshotId === null) return true;
    const { currentSnapshotId } = metadata;
    if (currentSnapshotId === null) return false;
    if (isAncestor(metadata, snapshotId, currentSnapshotId)) return true;
    if (findSnapshot(metadata, snapshotId) !== undefined) return false;
    const named = tableUuid === metadata.tableUuid ? sequenceNumber : undefined;
    const known = named ?? (this.#tableUuid === metadata.tableUuid ? this.#numbers.get(snapshotId) : undefined);
    return known !== undefined && isInAncestry(metadata, known);
  }
}
