/** What a sink has done so far, and what waits in it. */
import type { SinkCommit } from './sink-options.js';

/** Numbers of one open sink; those of earlier processes are not among them. */
export interface SinkMetrics {
  /** Records that wait for their commit, and the bytes that they take. */
  readonly bufferedRecords: number;
  readonly bufferedBytes: number;
  /** Batches whose commit is under way, or failed and is tried again. */
  readonly pendingBatches: number;
  readonly committedRows: bigint;
  readonly committedBatches: number;
  /** Records of committed batches that are no rows, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Milliseconds that the last batch took to be written and committed; null: there was none. */
  readonly lastCommitMs: number | null;
  /** When it was committed, in milliseconds since 1970. */
  readonly lastCommitAtMs: number | null;
}

/** Whether a commit is one of records: the first one of a topic says where the reading of its partitions begins, and no more. */
export const hasRecords = ({
  rows,
  superseded,
  rejected,
}: Pick<SinkCommit, 'rows' | 'superseded' | 'rejected'>): boolean => rows + superseded > 0n || rejected.length > 0;

/** Counts the batches of a sink. */
export class CommitCounts {
  #rows = 0n;
  #batches = 0;
  readonly #rejected = new Map<string, number>();
  #lastMs: number | null = null;
  #lastAtMs: number | null = null;

  /** @param tookMs milliseconds that the batch took */
  add(batch: Pick<SinkCommit, 'rows' | 'superseded' | 'rejected'>, tookMs: number): void {
    if (!hasRecords(batch)) return;
    this.#rows += batch.rows;
    this.#batches += 1;
    for (const { reason } of batch.rejected) this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
    this.#lastMs = tookMs;
    this.#lastAtMs = Date.now();
  }

  /** @param waiting what waits now */
  with(waiting: Pick<SinkMetrics, 'bufferedRecords' | 'bufferedBytes' | 'pendingBatches'>): SinkMetrics {
    return {
      ...waiting,
      committedRows: this.#rows,
      committedBatches: this.#batches,
      rejected: Object.fromEntries(this.#rejected),
      lastCommitMs: this.#lastMs,
      lastCommitAtMs: this.#lastAtMs,
    };
  }
}
