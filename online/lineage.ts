/** Snapshots that are in what a table has now, also those that have expired since. */
import { isAncestor, type TableMetadata } from '../iceberg/index.js';
import { currentAncestors, describesCurrent, type ProgressAnchor } from './table-progress.js';

/** Snapshots that are remembered of one table. */
const MAX_REMEMBERED = 10_000;

/** Remembers the snapshots that a reader has seen in the history of a table. */
export class Lineage {
  readonly #seen = new Map<bigint, ProgressAnchor>();
  #tableUuid: string | undefined;
  #last: ProgressAnchor | undefined;

  /** Notes the history of the table as it is now. After a roll-back, nothing that was seen before counts. */
  note(metadata: TableMetadata): void {
    const chain = currentAncestors(metadata);
    const isContinued =
      metadata.tableUuid === this.#tableUuid &&
      (this.#last === undefined || describesCurrent(this.#last, chain, metadata));
    if (!isContinued) this.#seen.clear();
    this.#tableUuid = metadata.tableUuid;
    for (const { snapshotId, sequenceNumber } of chain) {
      if (this.#seen.has(snapshotId)) break;
      this.#seen.set(snapshotId, { snapshotId, sequenceNumber });
    }
    const [current] = chain;
    this.#last = current === undefined ? undefined : this.#seen.get(current.snapshotId);
    for (const id of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(id);
    }
  }

  /** Whether a state of the table has the snapshot or is later than it. */
  has(metadata: TableMetadata, snapshotId: bigint): boolean {
    const { currentSnapshotId, snapshots } = metadata;
    if (currentSnapshotId === null) return false;
    if (isAncestor(metadata, snapshotId, currentSnapshotId)) return true;
    if (snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) return false;
    const seen = this.#seen.get(snapshotId);
    return (
      seen !== undefined &&
      metadata.tableUuid === this.#tableUuid &&
      describesCurrent(seen, currentAncestors(metadata), metadata)
    );
  }
}
