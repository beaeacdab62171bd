/** The snapshots of a table, also those that have expired, as far as its older metadata files tell of them. */
import { readTableMetadata } from '../../catalogs/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { Snapshot, TableMetadata } from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';

/** Reads as few older metadata files as it can, each at most once. */
export class SnapshotHistory {
  readonly #table: Pick<Table, 'io' | 'metadata'>;
  readonly #snapshots = new Map<bigint, Snapshot>();
  /** Older metadata files, oldest first. */
  readonly #log: TableMetadata['metadataLog'];
  /** Last sequence numbers of those that were read, by their places in the log; null: the file is gone. */
  readonly #read = new Map<number, bigint | null>();

  /** @param readsOlder whether older metadata files are read */
  constructor(table: Pick<Table, 'io' | 'metadata'>, { readsOlder }: { readonly readsOlder: boolean }) {
    this.#table = table;
    this.#log = readsOlder ? table.metadata.metadataLog : [];
    this.#add(table.metadata.snapshots);
  }

  /**
   * A snapshot by its id.
   * @param child one whose parent it is: it was there when this one was committed. Undefined: only what is known already is asked
   * @returns undefined if no file tells of it
   */
  async find(id: bigint, child: Snapshot | undefined): Promise<Snapshot | undefined> {
    if (child !== undefined && !this.#snapshots.has(id)) await this.#readWith(id, child);
    return this.#snapshots.get(id);
  }

  /**
   * The file that was written with the child, and the one before it, have the parent, and of its ancestors those that had not expired then. Times tell which file that is, as
   * clocks go; if it is another one, sequence numbers lead there. Other files are read only if it is gone.
   */
  async #readWith(id: bigint, child: Snapshot): Promise<void> {
    let [low, high] = [0, this.#log.length];
    let index = this.#nearestTo(child.timestampMs);
    while (low < high) {
      const lastSequenceNumber = await this.#readFile(index);
      if (this.#snapshots.has(id)) return;
      if (lastSequenceNumber !== null && lastSequenceNumber < child.sequenceNumber) low = index + 1;
      else high = index;
      index = Math.floor((low + high) / 2);
    }
    for (index = this.#log.length - 1; index >= 0 && !this.#snapshots.has(id); index -= 1) await this.#readFile(index);
  }

  #nearestTo(timeMs: bigint): number {
    const distanceOf = (index: number): number => Math.abs(Number((this.#log[index]?.timestampMs ?? 0n) - timeMs));
    let nearest = 0;
    for (let index = 1; index < this.#log.length; index += 1)
      if (distanceOf(index) < distanceOf(nearest)) nearest = index;
    return nearest;
  }

  /** Takes over the snapshots of an older metadata file. @returns its last sequence number; null if it is gone */
  async #readFile(index: number): Promise<bigint | null> {
    const known = this.#read.get(index);
    const location = this.#log[index]?.metadataFile;
    if (known !== undefined || location === undefined) return known ?? null;
    const metadata = await readTableMetadata(this.#table.io, location).catch((error: unknown) => {
      if (isMoraineError(error, 'FILE_NOT_FOUND')) return null;
      throw error;
    });
    // Somebody may have put the file of another table there.
    const own = metadata?.tableUuid === this.#table.metadata.tableUuid ? metadata : null;
    if (own !== null) this.#add(own.snapshots);
    this.#read.set(index, own?.lastSequenceNumber ?? null);
    return own?.lastSequenceNumber ?? null;
  }

  #add(snapshots: readonly Snapshot[]): void {
    for (const snapshot of snapshots)
      if (!this.#snapshots.has(snapshot.snapshotId)) this.#snapshots.set(snapshot.snapshotId, snapshot);
  }
}
