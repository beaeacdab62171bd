/**
 * The oracle of dead letters: which of them their table must have after every commit. It hears of the commits to the sinks' own table, which is the authority, and of those
 * to the table of dead letters at the moment when their pointers move.
 */
import { currentSnapshot, type TableMetadata } from '../../iceberg/index.js';
import { partsOf } from './joined-batches.js';
import type { Letter } from './row-files.js';
import { isRow, type Recorded, recordedOf } from './sink-records.js';

export class LetterOracle {
  readonly #violations: string[];
  /** Dead letters that were staged, by batch or part of one. */
  readonly #staged = new Map<string, readonly Letter[]>();
  /** Batches that the authority had at some time. */
  readonly #committed = new Set<string>();
  /** Batches whose dead letters are in their table, and were at each of its snapshots. */
  #landed: ReadonlySet<string> = new Set();
  readonly #landedAt = new Map<bigint, ReadonlySet<string>>();
  /** Batches whose dead letters are to be committed: the authority has them since, and the table of dead letters did not. */
  readonly #owed = new Set<string>();
  /** How often the table of dead letters was set back to an older snapshot. */
  #rollbacks = 0;
  #seen: bigint | null = null;
  #shown: readonly Letter[] = [];

  /** @param violations where to say what is not as it must be */
  constructor(violations: string[]) {
    this.#violations = violations;
  }

  /** How many there are. */
  get count(): number {
    return this.#shown.length;
  }

  /** The files of a batch's dead letters are written. */
  staged(letters: readonly Letter[]): void {
    const [first] = letters;
    if (first !== undefined) this.#staged.set(first.batch, letters);
  }

  /** The authority has a batch. @param previous the last one before it in the same history */
  committed(batch: string, previous: string | undefined): void {
    this.#committed.add(batch);
    if (previous !== undefined && this.#owed.has(previous))
      this.#violations.push(`batch ${batch} was committed before the dead letters of batch ${previous}`);
    if (this.#lettersOf(batch).length > 0 && !this.#landed.has(batch)) this.#owed.add(batch);
  }

  /** The table of dead letters has a new state. */
  onSwap(metadata: TableMetadata): void {
    const snapshot = currentSnapshot(metadata);
    if (snapshot === null || snapshot.snapshotId === this.#seen) return;
    this.#seen = snapshot.snapshotId;
    const before = this.#landedAt.get(snapshot.snapshotId);
    if (before !== undefined) {
      this.#rollbacks += 1;
      this.#landed = before;
      return;
    }
    this.#landed = this.#landedAt.get(snapshot.parentSnapshotId ?? -1n) ?? new Set();
    this.#landedAt.set(snapshot.snapshotId, this.#landed);
    const batch = batchOf(recordedOf(snapshot), snapshot.snapshotId);
    if (batch === null) return;
    if (!this.#committed.has(batch))
      this.#violations.push(`dead letters of batch ${batch} are there, and the batch is not`);
    if (this.#landed.has(batch)) this.#violations.push(`dead letters of batch ${batch} were committed twice`);
    this.#landed = new Set([...this.#landed, batch]);
    this.#landedAt.set(snapshot.snapshotId, this.#landed);
    this.#owed.delete(batch);
  }

  /** Compares the table of dead letters with what it must have: those of the batches that it has committed, each once. */
  check(letters: readonly Letter[]): void {
    this.#shown = letters;
    const textOf = (each: readonly Letter[]) => JSON.stringify(each.map((letter) => JSON.stringify(letter)).sort());
    const wanted = [...this.#landed].flatMap((batch) => this.#lettersOf(batch));
    if (textOf(letters) !== textOf(wanted))
      this.#violations.push(`the dead letters are ${textOf(letters)}, not ${textOf(wanted)}`);
  }

  /**
   * In the end each record that is no row has one dead letter. A record that was read again after a rollback may have several, of one id; letters that were rolled back
   * may be missing.
   * @param batches those in the history of the sink
   */
  requireComplete(
    sink: string,
    batches: readonly string[],
    { partitions, end, wasRolledBack }: { partitions: readonly string[]; end: number; wasRolledBack: boolean },
  ): void {
    for (const batch of batches)
      if (this.#owed.has(batch)) this.#violations.push(`sink ${sink}: the dead letters of batch ${batch} are missing`);
    for (const partition of partitions) {
      for (let offset = 0; offset < end; offset++) {
        const found = this.#shown.filter(
          ({ sink: of, source, position }) => of === sink && source === partition && position === offset,
        );
        const ids = new Set(found.map(({ id }) => id));
        const isRight = isRow(offset)
          ? found.length === 0
          : found.length === 0
            ? this.#rollbacks > 0
            : ids.size === 1 && (found.length === 1 || wasRolledBack);
        if (!isRight)
          this.#violations.push(
            `sink ${sink}: record ${offset} of ${partition} has ${found.length} dead letters with ${ids.size} ids`,
          );
      }
    }
  }

  #lettersOf(batch: string): readonly Letter[] {
    return partsOf(batch).flatMap((id) => this.#staged.get(id) ?? []);
  }
}

/** The batch that a snapshot has committed; null: it is a claim, or nothing of a sink. */
function batchOf(recorded: Recorded | null, snapshotId: bigint): string | null {
  const batch = recorded?.batch;
  return batch?.['snapshot-id'] === String(snapshotId) ? batch.id : null;
}
