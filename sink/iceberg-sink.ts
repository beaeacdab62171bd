/**
 * The exactly-once sink: writers buffer records, and each batch over all of them becomes one snapshot that holds the positions which its records were read up to.
 * ADR 0046.
 */
import type { Engine } from '../engine/index.js';
import { ERROR_TABLE, isMoraineError, MoraineError } from '../errors/index.js';
import { loadTable, requireWritable } from '../tables/index.js';
import { BatchBuffer, type BufferedBatch } from './batches/batch-buffer.js';
import { discardBatch, restoreBatch, stageBatch } from './batches/stage-batch.js';
import {
  batchToJson,
  rangesFromJson,
  requireOwnSnapshot,
  type SinkSnapshot,
  type SnapshotBatch,
  type StagedBatch,
} from './batches/staged-batch.js';
import { Coordinator } from './protocol/coordinator.js';
import { type CheckedOptions, checkOptions, type SinkCommit, type SinkDeps, type SinkOptions } from './sink-options.js';
import type { SinkRecords } from './sink-records.js';
import type { SourcePositions, SourceRange } from './source-position.js';

/** A batch on its way: its records are kept until it is committed. */
interface PendingBatch {
  readonly buffered: BufferedBatch;
  staged?: StagedBatch;
  /** Where it comes from a checkpoint: it may be in the table already. */
  readonly restored?: SnapshotBatch;
  /** A host has it in a checkpoint: its files are not deleted. */
  isShared: boolean;
}

/** One of the writers of a sink. Calls of one writer must not overlap; different writers may write at once. */
export interface SinkWriter {
  /** `part-0` and so on. */
  readonly name: string;
  /**
   * Takes records into the next batch; waits while a whole batch or too many bytes are buffered.
   * @param range where they were read; without it they are written at least once
   * @returns false if the range was taken or committed before: the records are dropped
   * @throws MoraineError `SINK_POSITION_MISMATCH`, `SINK_FENCED`, `CLOSED`, and what kept earlier records from being committed
   */
  writeBatch(records: SinkRecords, range?: SourceRange): Promise<boolean>;
}

export class IcebergSink {
  readonly #engine: Engine;
  readonly #options: CheckedOptions;
  readonly #coordinator: Coordinator;
  readonly #buffer: BatchBuffer;
  readonly #writers: readonly SinkWriter[];
  /** Batches in the order in which they are committed. */
  readonly #pending: PendingBatch[] = [];
  #work: Promise<unknown> = Promise.resolve();
  #flushing: Promise<SinkCommit> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: MoraineError | undefined;
  #isClosed = false;

  private constructor(engine: Engine, options: CheckedOptions, coordinator: Coordinator) {
    this.#engine = engine;
    this.#options = options;
    this.#coordinator = coordinator;
    this.#buffer = new BatchBuffer(options.name, () => coordinator.positions);
    this.#writers = Array.from({ length: options.numPartitions }, (_, index) => ({
      name: `part-${index}`,
      writeBatch: (records, range) => this.#write(records, range),
    }));
  }

  /**
   * Opens a sink on a table that exists, and claims it: a sink of the same name that another process has open can commit nothing more.
   * @throws MoraineError `TABLE_NOT_FOUND`, `INVALID_ARGUMENT`, `SINK_POSITION_UNKNOWN`, `COMMIT_STATE_UNKNOWN`, `COMMIT_CONFLICT`
   */
  static async open({ catalog, io, engine }: SinkDeps, options: SinkOptions): Promise<IcebergSink> {
    const checked = checkOptions(options);
    const table = await loadTable(catalog, io, checked.table);
    requireWritable(table);
    return new IcebergSink(engine, checked, await Coordinator.open(table, checked.name));
  }

  /** Next positions to read, by partition, as committed: where sources start. */
  get positions(): SourcePositions {
    return this.#coordinator.positions;
  }

  /** Grows with every claim of the sink. */
  get epoch(): bigint {
    return this.#coordinator.epoch;
  }

  /** Writers `part-0` and so on, `numPartitions` of them. */
  get writers(): readonly SinkWriter[] {
    return this.#writers;
  }

  /** @throws MoraineError `INVALID_ARGUMENT` if there is no such writer */
  writer(index: number): SinkWriter {
    const writer = this.#writers[index];
    if (writer !== undefined) return writer;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `There is no writer ${index}: numPartitions is ${this.#writers.length}.`,
    );
  }

  /**
   * Commits what is buffered, and batches that failed before, each in one snapshot.
   * @throws MoraineError what kept a batch from being committed. After an error that may come right the batch is kept for the next call, after others the
   *   sink is at its end
   */
  flush(): Promise<SinkCommit> {
    return this.#serially(async () => {
      this.#cut();
      return await this.#commitAll(this.#pending);
    });
  }

  /**
   * Stages what is buffered, for hosts with checkpoints of their own. Nothing of it is visible before `commit` or `flush`.
   * @returns what the host keeps in its checkpoint: all batches that are staged and not committed
   */
  snapshot(): Promise<SinkSnapshot> {
    return this.#serially(async () => {
      this.#cut();
      const batches: StagedBatch[] = [];
      for (const pending of this.#pending) {
        batches.push(await this.#stage(pending));
        pending.isShared = true;
      }
      const { sink, epoch, table } = this.#coordinator;
      const tableUuid = table.metadata.tableUuid;
      return { version: 1, sink, tableUuid, epoch: epoch.toString(), batches: batches.map(batchToJson) };
    });
  }

  /** Commits the batches of a checkpoint that are not committed yet. @throws as {@link flush} */
  async commit(state: SinkSnapshot): Promise<SinkCommit> {
    requireOwnSnapshot(state, this.#coordinator.sink, this.#coordinator.table.metadata.tableUuid);
    return await this.#serially(async () => {
      const ids = new Set(state.batches.map(({ id }) => id));
      const known = this.#pending.filter(({ staged }) => staged !== undefined && ids.has(staged.id));
      const own = new Set(known.map(({ staged }) => staged?.id));
      const others = state.batches
        .filter(({ id }) => !own.has(id))
        .map((restored) => ({ buffered: { records: [], ranges: [], bytes: 0 }, restored, isShared: true }));
      return await this.#commitAll([...others, ...known]);
    });
  }

  /**
   * Finishes the batches of a checkpoint after a restart: those that are not in the table are committed. Call it before anything is written.
   * @throws as {@link flush}; `SINK_POSITION_MISMATCH` if the table went on from elsewhere
   */
  async restore(state: SinkSnapshot): Promise<SinkCommit> {
    if (!this.#buffer.isEmpty || this.#pending.length > 0)
      throw new MoraineError('INVALID_ARGUMENT', 'A sink is restored before anything is written to it.');
    return await this.commit(state);
  }

  /** Commits what is buffered and ends. May be called again after an error. @throws as {@link flush} */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.flush();
  }

  async #write(records: SinkRecords, range: SourceRange | undefined): Promise<boolean> {
    this.#requireOpen();
    const { bufferBytes, batchSize } = this.#options;
    while (this.#buffer.count >= batchSize || this.#isFull(records.bytes, bufferBytes)) {
      await this.#flushOnce();
      this.#requireOpen();
    }
    if (!this.#buffer.add(records, range)) return false;
    if (this.#buffer.count >= batchSize || this.#buffer.bytes >= bufferBytes / 2) this.#flushBehind();
    else this.#startTimer();
    return true;
  }

  #requireOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new MoraineError('CLOSED', `The sink ${JSON.stringify(this.#options.name)} is closed.`);
  }

  #isFull(more: number, bufferBytes: number): boolean {
    const held = this.#heldBytes();
    return held > 0 && held + more > bufferBytes;
  }

  #heldBytes(): number {
    return this.#pending.reduce((sum, { buffered }) => sum + buffered.bytes, this.#buffer.bytes);
  }

  /** Joins a flush that is under way. */
  #flushOnce(): Promise<SinkCommit> {
    this.#flushing ??= this.flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Errors that may come right are met again, by the timer or the next call; others are kept for it. */
  #flushBehind(): void {
    this.#flushOnce().catch(() => {
      if (this.#failure === undefined) this.#startTimer();
    });
  }

  #startTimer(): void {
    const { batchIntervalMs } = this.#options;
    if (this.#timer !== undefined || this.#isClosed || batchIntervalMs === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushBehind();
    }, batchIntervalMs);
  }

  #cut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const buffered = this.#buffer.cut();
    if (buffered !== null) this.#pending.push({ buffered, isShared: false });
  }

  async #stage(pending: PendingBatch): Promise<StagedBatch> {
    const { table } = this.#coordinator;
    const { restored, buffered } = pending;
    pending.staged ??= await (restored === undefined
      ? stageBatch(this.#engine, table, buffered)
      : restoreBatch(table, restored));
    return pending.staged;
  }

  async #commitAll(batches: readonly PendingBatch[]): Promise<SinkCommit> {
    let snapshotId: bigint | null = null;
    let rows = 0n;
    const rejected = [];
    for (const pending of [...batches]) {
      const { restored } = pending;
      // The files of one that is in the table may have been rewritten and deleted.
      if (restored !== undefined && (await this.#coordinator.isCommitted(restored.id, rangesFromJson(restored))))
        continue;
      const staged = await this.#stage(pending);
      snapshotId = await this.#coordinator.commit(staged);
      const index = this.#pending.indexOf(pending);
      if (index >= 0) this.#pending.splice(index, 1);
      rows += staged.rows;
      rejected.push(...staged.rejected);
    }
    const commit = { snapshotId, rows, rejected, positions: this.positions };
    if (snapshotId !== null) this.#options.onCommit?.(commit);
    return commit;
  }

  /** One piece of work after the other. */
  async #serially<T>(work: () => Promise<T>): Promise<T> {
    const earlier = this.#work;
    const result = (async () => {
      await earlier.catch(() => undefined);
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await work();
      } catch (error) {
        await this.#endAfter(error);
        throw error;
      }
    })();
    this.#work = result;
    return await result;
  }

  /** Whatever the error table calls final ends the sink; files that nobody can come to commit go. */
  async #endAfter(error: unknown): Promise<void> {
    if (!isMoraineError(error) || ERROR_TABLE[error.code].retryable) return;
    this.#failure = error;
    clearTimeout(this.#timer);
    for (const { staged, isShared } of this.#pending) {
      if (staged === undefined || isShared || this.#coordinator.wasSent(staged.id)) continue;
      await discardBatch(this.#coordinator.table, staged);
    }
  }
}
