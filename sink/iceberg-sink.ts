/**
 * The exactly-once sink: writers buffer records, and each batch over all of them becomes one snapshot that holds the positions which its records were read up to.
 * ADR 0046.
 */
import type { Engine } from '../engine/index.js';
import { ERROR_TABLE, isMoraineError, MoraineError } from '../errors/index.js';
import { currentSchema } from '../iceberg/index.js';
import { loadTable, requireWritable } from '../tables/index.js';
import { BatchBuffer, type BufferedBatch } from './batches/batch-buffer.js';
import { evolveTable } from './batches/evolve-table.js';
import { discardBatch, requireFiles, restoreBatch, stageBatch } from './batches/stage-batch.js';
import {
  batchToJson,
  rangesFromJson,
  requireOwnSnapshot,
  type SinkSnapshot,
  type SnapshotBatch,
  type StagedBatch,
} from './batches/staged-batch.js';
import { CompanionTables } from './dead-letters/companion-tables.js';
import { ensureDeadLetterTable } from './dead-letters/dead-letter-table.js';
import { Coordinator } from './protocol/coordinator.js';
import { CommitCounts, type SinkMetrics } from './sink-metrics.js';
import { type CheckedOptions, checkOptions, type SinkCommit, type SinkDeps, type SinkOptions } from './sink-options.js';
import type { SinkRecords } from './sink-records.js';
import type { SourceMarks, SourcePositions, SourceRange } from './source-position.js';
import { commitStaged } from './upserts/commit-staged.js';
import { upsertColumns } from './upserts/upsert-options.js';

/** A batch on its way: its records are kept until it is committed. */
interface PendingBatch {
  readonly buffered: BufferedBatch;
  staged?: StagedBatch;
  /** When its files were written, by the clock; 0: nobody knows. */
  stagedAtMs: number;
  /** Where it comes from a checkpoint: it may be in the table already. */
  readonly restored?: SnapshotBatch;
  /** A host has it in a checkpoint: its files are not deleted. */
  isShared: boolean;
}

/** Files that were written longer ago are looked for before they are committed: an orphan sweep may have taken them. */
const LASTING_MS = 3_600_000;

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

/** A table that was loaded so long ago is loaded anew before a batch is staged: others may have changed its schema or its spec. */
const MAX_TABLE_AGE_MS = 1_000;

export class IcebergSink {
  readonly #engine: Engine;
  readonly #options: CheckedOptions;
  readonly #coordinator: Coordinator;
  readonly #companions: CompanionTables;
  readonly #buffer: BatchBuffer;
  readonly #writers: readonly SinkWriter[];
  /** Batches in the order in which they are committed. */
  readonly #pending: PendingBatch[] = [];
  readonly #counts = new CommitCounts();
  #work: Promise<unknown> = Promise.resolve();
  #flushing: Promise<SinkCommit> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: MoraineError | undefined;
  #isClosed = false;
  /** What was committed and not told yet. */
  readonly #untold: SinkCommit[] = [];

  private constructor(engine: Engine, options: CheckedOptions, coordinator: Coordinator, companions: CompanionTables) {
    this.#engine = engine;
    this.#options = options;
    this.#coordinator = coordinator;
    this.#companions = companions;
    this.#buffer = new BatchBuffer(options.name, () => coordinator.knownPositions);
    this.#writers = Array.from({ length: options.numPartitions }, (_, index) => ({
      name: `part-${index}`,
      writeBatch: (records, range) => this.#write(records, range),
    }));
  }

  /**
   * Opens a sink on a table that exists, and claims it: a sink of the same name that another process has open can commit nothing more.
   * What the last batch of an earlier run has left to do in other tables is done first.
   * @throws MoraineError `TABLE_NOT_FOUND`, `INVALID_ARGUMENT`, `SINK_POSITION_UNKNOWN`, `SINK_TABLE_LOST`, `COMMIT_STATE_UNKNOWN`, `COMMIT_CONFLICT`
   */
  static async open(deps: SinkDeps, options: SinkOptions): Promise<IcebergSink> {
    const checked = checkOptions(options);
    const table = await loadTable(deps.catalog, deps.io, checked.table);
    requireWritable(table);
    if (checked.upsert !== undefined) upsertColumns(currentSchema(table.metadata), checked.upsert);
    if (checked.deadLetters !== undefined) await ensureDeadLetterTable(deps, checked.deadLetters);
    const coordinator = await Coordinator.open(table, checked.name);
    const companions = new CompanionTables(deps, coordinator, checked.abandonLost);
    await companions.finish(coordinator.pending);
    return new IcebergSink(deps.engine, checked, coordinator, companions);
  }

  /** Next positions to read, by partition, as committed: where sources start. */
  get positions(): SourcePositions {
    return this.#coordinator.positions;
  }

  /** What sources said of these positions. */
  get marks(): SourceMarks {
    return this.#coordinator.marks;
  }

  /** Grows with every claim of the sink. */
  get epoch(): bigint {
    return this.#coordinator.epoch;
  }

  /** What has ended the sink, if anything has: sources that wait for records would not hear of it otherwise. */
  get failure(): MoraineError | undefined {
    return this.#failure;
  }

  /** What it has done since it was opened, and what waits in it. */
  metrics(): SinkMetrics {
    const waiting = this.#pending.flatMap(({ buffered }) => buffered.records);
    return this.#counts.with({
      bufferedRecords: waiting.reduce((sum, { count }) => sum + count, this.#buffer.count),
      bufferedBytes: this.#heldBytes(),
      pendingBatches: this.#pending.length,
    });
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
        .map((restored) => ({
          buffered: { records: [], ranges: [], bytes: 0 },
          restored,
          stagedAtMs: 0,
          isShared: true,
        }));
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
    await this.#companions.close();
  }

  async #write(records: SinkRecords, range: SourceRange | undefined): Promise<boolean> {
    this.#requireOpen();
    const { bufferBytes, batchSize } = this.#options;
    while (this.#buffer.count >= batchSize || this.#isFull(records.bytes, bufferBytes)) {
      await this.#flushOnce();
      this.#requireOpen();
    }
    if (!this.#buffer.add(records, range)) return false;
    this.#flushInTime();
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

  /** Commits what makes a batch, and what does not after a while. */
  #flushInTime(): void {
    const { bufferBytes, batchSize } = this.#options;
    if (this.#buffer.isEmpty || this.#isClosed) return;
    if (this.#buffer.count >= batchSize || this.#buffer.bytes >= bufferBytes / 2) this.#flushBehind();
    else this.#startTimer();
  }

  /** Errors that may come right are met again, by the timer or the next call; others are kept for it. */
  #flushBehind(): void {
    this.#flushOnce().then(
      // What came while an earlier flush was under way is not in it.
      () => this.#flushInTime(),
      () => {
        if (this.#failure === undefined) this.#startTimer();
      },
    );
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
    if (buffered !== null) this.#pending.push({ buffered, stagedAtMs: 0, isShared: false });
  }

  async #stage(pending: PendingBatch): Promise<StagedBatch> {
    const { restored, buffered } = pending;
    if (pending.staged !== undefined) return pending.staged;
    if (restored === undefined) {
      pending.staged = await this.#stageBuffered(buffered);
      pending.stagedAtMs = Date.now();
    } else pending.staged = await restoreBatch(this.#coordinator.table, restored);
    return pending.staged;
  }

  /** On failure nothing of it remains. */
  async #stageBuffered(buffered: BufferedBatch): Promise<StagedBatch> {
    const { deadLetters, evolveSchema, materialize, upsert } = this.#options;
    let table = await this.#coordinator.current(MAX_TABLE_AGE_MS);
    if (evolveSchema) {
      table = await evolveTable(this.#engine, table, buffered.records, upsert?.key);
      this.#coordinator.take(table);
    }
    const rows = await stageBatch(this.#engine, table, buffered, upsert);
    const views = rows.manifest === null ? [] : materialize;
    const pending = views.map((view) => ({ kind: 'materialize', batchId: rows.id, view }) as const);
    const staged = { ...rows, pending };
    if (deadLetters === undefined || staged.rejected.length === 0) return staged;
    try {
      const { work, files } = await this.#companions.stageDeadLetters(deadLetters, table, staged.id, staged.rejected);
      return { ...staged, pending: [work, ...pending], files: [...staged.files, ...files] };
    } catch (error) {
      await discardBatch(table, staged);
      throw error;
    }
  }

  async #requireFiles({ stagedAtMs }: PendingBatch, staged: StagedBatch): Promise<void> {
    if (Math.abs(Date.now() - stagedAtMs) > LASTING_MS) await requireFiles(this.#coordinator.table, staged);
  }

  async #commitAll(batches: readonly PendingBatch[]): Promise<SinkCommit> {
    const told: SinkCommit[] = [];
    for (const pending of [...batches]) {
      await this.#finish(told);
      const { restored } = pending;
      // The files of one that is in the table may have been rewritten and deleted.
      if (restored !== undefined && (await this.#coordinator.isCommitted(restored.id, rangesFromJson(restored))))
        continue;
      const startMs = performance.now();
      const { staged, snapshotId, lost } = await this.#commitOne(pending);
      const { rejected } = staged;
      const commit = { snapshotId, rows: staged.rows - lost, superseded: staged.superseded + lost, rejected };
      this.#counts.add(commit, performance.now() - startMs);
      const index = this.#pending.indexOf(pending);
      if (index >= 0) this.#pending.splice(index, 1);
      this.#untold.push({ ...commit, positions: this.positions });
    }
    await this.#finish(told);
    return {
      snapshotId: told.at(-1)?.snapshotId ?? null,
      rows: told.reduce((sum, { rows }) => sum + rows, 0n),
      superseded: told.reduce((sum, { superseded }) => sum + superseded, 0n),
      rejected: told.flatMap(({ rejected }) => rejected),
      positions: this.positions,
    };
  }

  /** Does what the last batch has left to do in other tables, and tells of those that are whole then, whatever becomes of those after them. */
  async #finish(told: SinkCommit[]): Promise<void> {
    // The batch of a commit without an answer may have left something, too.
    await this.#coordinator.settle();
    await this.#companions.finish(this.#coordinator.pending);
    for (const commit of this.#untold.splice(0)) {
      told.push(commit);
      this.#options.onCommit?.(commit);
    }
  }

  /** Stages a batch that is not staged yet and commits it; once more if others have changed the schema meanwhile so that its files do not fit. */
  async #commitOne(
    pending: PendingBatch,
  ): Promise<{ readonly staged: StagedBatch; readonly snapshotId: bigint; readonly lost: bigint }> {
    for (;;) {
      const staged = await this.#stage(pending);
      try {
        const beforeSending = () => this.#requireFiles(pending, staged);
        const options = { beforeSending, isShared: pending.isShared };
        const { upsert } = this.#options;
        return { staged, ...(await commitStaged(this.#engine, this.#coordinator, staged, upsert, options)) };
      } catch (error) {
        const mayStageAnew = pending.restored === undefined && !pending.isShared;
        if (!mayStageAnew || !isMoraineError(error, 'SINK_SCHEMA_CHANGED')) throw error;
        if (!this.#coordinator.wasSent(staged.id)) await discardBatch(this.#coordinator.table, staged);
        delete pending.staged;
        await this.#coordinator.current(0);
      }
    }
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
