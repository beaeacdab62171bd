/** A batch on its way into the table. */
import { randomUUID } from 'node:crypto';
import type { BufferedBatch } from './batch-buffer.js';
import { keyOf } from './batch-parts.js';
import { batchToJson, type SnapshotBatch, type StagedBatch } from './staged-batch.js';

/** Records that are staged at once. They are kept until their batch is committed. */
interface PendingPart {
  /** Whose records they are; null: those of all writers. */
  readonly writer: number | null;
  readonly buffered: BufferedBatch;
  staged?: StagedBatch;
}

export class PendingBatch {
  readonly parts: PendingPart[] = [];
  /** Parts that come from a checkpoint: they may be in the table already. */
  readonly restored: readonly SnapshotBatch[];
  /** All parts together. */
  staged: StagedBatch | undefined;
  /** When its files were written, by the clock; 0: nobody knows. */
  stagedAtMs = 0;
  /** A host has it in a checkpoint: its files are not deleted. */
  isShared = false;
  /** Writers that have staged their part, if each stages its own. */
  readonly writers = new Set<number>();
  readonly #order: SnapshotBatch['order'];
  #ownKey: string | undefined;

  private constructor(restored: readonly SnapshotBatch[], order?: SnapshotBatch['order']) {
    this.restored = restored;
    this.#order = order;
  }

  /** A batch over all writers. */
  static of(buffered: BufferedBatch, order: SnapshotBatch['order']): PendingBatch {
    const batch = new PendingBatch([], order);
    batch.parts.push({ writer: null, buffered });
    return batch;
  }

  /** A batch of which each writer stages its own part. */
  static gathered(order: SnapshotBatch['order']): PendingBatch {
    const batch = new PendingBatch([], order);
    batch.#ownKey = randomUUID();
    return batch;
  }

  /** A batch of a checkpoint, by what the checkpoint has of it. */
  static restored(parts: readonly SnapshotBatch[]): PendingBatch {
    const batch = new PendingBatch(parts);
    batch.isShared = true;
    return batch;
  }

  /** As {@link keyOf} of its parts; undefined: it is not staged. */
  get key(): string | undefined {
    const [first] = this.restored;
    return first === undefined ? (this.#ownKey ?? this.parts[0]?.staged?.id) : keyOf(first);
  }

  get count(): number {
    return this.parts.reduce(
      (sum, { buffered }) => sum + buffered.records.reduce((all, { count }) => all + count, 0),
      0,
    );
  }

  get bytes(): number {
    return this.parts.reduce((sum, { buffered }) => sum + buffered.bytes, 0);
  }

  /** What is staged of it and nobody can come to commit: no request with it was sent, and no host has it. */
  unsent(wasSent: (id: string) => boolean): readonly StagedBatch[] {
    if (this.isShared || (this.staged !== undefined && wasSent(this.staged.id))) return [];
    return this.staged === undefined ? this.parts.flatMap(({ staged }) => staged ?? []) : [this.staged];
  }

  /** What is staged of it, or of one writer and of those parts that are of all. */
  toJson(writer?: number): readonly SnapshotBatch[] {
    const own = this.parts.filter((part) => writer === undefined || part.writer === null || part.writer === writer);
    const staged = own.flatMap((part): readonly SnapshotBatch[] => {
      if (part.staged === undefined) return [];
      const partOf = this.#ownKey === undefined ? {} : { partOf: this.#ownKey };
      const order = this.#order === undefined ? {} : { order: this.#order };
      return [{ ...batchToJson(part.staged), ...partOf, ...order }];
    });
    return [...this.restored, ...staged];
  }
}
