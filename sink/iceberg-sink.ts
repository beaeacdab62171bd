/**
 * The exactly-once sink: writers buffer records, and each batch over all of them becomes one snapshot that holds the positions which its records were read up to.
 * ADR 0046.
 */
import type { Engine } from '../engine/index.js';
import { ERROR_TABLE, isMoraineError, largest, MoraineError } from '../errors/index.js';
import { currentSchema } from '../iceberg/index.js';
import { loadTable, requireWritable } from '../tables/index.js';
import { BatchBuffer, type BufferedBatch } from './batches/batch-buffer.js';
import { batchesOf, joinParts } from './batches/batch-parts.js';
import { BatchRolledBack, copyFiles } from './batches/copy-files.js';
import { evolveTable } from './batches/evolve-table.js';
import { PendingBatch } from './batches/pending-batch.js';
import { discardBatch, requireFiles, restoreBatch, stageBatch } from './batches/stage-batch.js';
import {
  checkpointPart,
  requireOwnSnapshot,
  type SinkSnapshot,
  type SnapshotBatch,
  type StagedBatch,
  type WriterSnapshot,
} from './batches/staged-batch.js';
import { CompanionTables } from './dead-letters/companion-tables.js';
import { ensureDeadLetterTable } from './dead-letters/dead-letter-table.js';
import { Coordinator, PartsFound } from './protocol/coordinator.js';
import { CommitCounts, type SinkMetrics } from './sink-metrics.js';
import { type CheckedOptions, checkOptions, type SinkCommit, type SinkDeps, type SinkOptions } from './sink-options.js';
import type { SinkRecords } from './sink-records.js';
import type { SourceMarks, SourcePositions, SourceRange } from './source-position.js';
import { commitStaged } from './upserts/commit-staged.js';
import { upsertColumns } from './upserts/upsert-options.js';

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
  /**
   * Stages this writer's records for a host that takes checkpoints writer by writer. Once all writers have done so, what they staged is one batch, which
   * `commit` of the sink with their states, or `flush`, commits in one snapshot. A `flush` before commits what is staged by then.
   * @returns what the host keeps of this writer in its checkpoint
   * @throws MoraineError `INVALID_ARGUMENT` for a sink that upserts: the records of one key may be those of several writers; otherwise as `snapshot` of the sink
   */
  snapshot(): Promise<WriterSnapshot>;
  /**
   * Takes the state of a writer of the host's last checkpoint, of a sink with any number of writers. With the last of these states the batches of all are finished,
   * each in one snapshot: those that are not in the table are committed. So are those of the states that were given, if anything is written before all were.
   * @returns null: states are missing yet
   * @throws MoraineError as `restore` of the sink
   */
  restore(state: WriterSnapshot): Promise<SinkCommit | null>;
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
  /** The batch of which some writers have staged their part, and others have not. */
  #gathered: PendingBatch | undefined;
  /** States of writers that were given back, by writer, until all are there. */
  readonly #given = new Map<string, WriterSnapshot>();
  readonly #openedEpoch: string;
  /** Batches that were begun. */
  #begun = 0;
  readonly #counts = new CommitCounts();
  #work: Promise<unknown> = Promise.resolve();
  #flushing: Promise<SinkCommit> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the first of the records that wait in the buffer came, by the monotonic clock. */
  #bufferedSinceMs = 0;
  #failure: Error | undefined;
  #blockedBy: MoraineError | undefined;
  #isClosed = false;
  /** What was committed and not told yet. */
  readonly #untold: SinkCommit[] = [];

  private constructor(engine: Engine, options: CheckedOptions, coordinator: Coordinator, companions: CompanionTables) {
    this.#engine = engine;
    this.#options = options;
    this.#coordinator = coordinator;
    this.#companions = companions;
    this.#openedEpoch = coordinator.epoch.toString();
    this.#buffer = new BatchBuffer(options.name, () => coordinator.knownPositions);
    this.#writers = Array.from({ length: options.numPartitions }, (_, index) => ({
      name: `part-${index}`,
      writeBatch: (records, range) => this.#write(index, records, range),
      snapshot: () => this.#snapshotWriter(index),
      restore: (state) => this.#restoreWriter(state),
    }));
  }

  /**
   * Opens a sink on a table that exists, and claims it: a sink of the same name that another process has open can commit nothing more.
   * What the last batch of an earlier run has left to do in other tables is done first.
   * @throws MoraineError `TABLE_NOT_FOUND`, `INVALID_ARGUMENT`, `SINK_FENCED` for an attempt that came before another one, `SINK_POSITION_UNKNOWN`, `SINK_TABLE_LOST`, `COMMIT_STATE_UNKNOWN`, `COMMIT_CONFLICT`
   */
  static async open(deps: SinkDeps, options: SinkOptions): Promise<IcebergSink> {
    const checked = checkOptions(options);
    const table = await loadTable(deps.catalog, deps.io, checked.table);
    requireWritable(table);
    if (checked.upsert !== undefined) upsertColumns(currentSchema(table.metadata), checked.upsert);
    if (checked.deadLetters !== undefined) await ensureDeadLetterTable(deps, checked.deadLetters);
    const coordinator = await Coordinator.open(table, checked.name, checked);
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

  /**
   * What has ended the sink, if anything has: sources that wait for records would not hear of it otherwise. A `MoraineError`, or what `SinkRecords` or `onCommit` of a
   * host threw where no call of it was waiting.
   */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** What the last commit failed with, if it may come right: it is tried again when the interval has passed, or with the next call. Undefined once it has. */
  get blockedBy(): MoraineError | undefined {
    return this.#blockedBy;
  }

  /** What it has done since it was opened, and what waits in it. */
  metrics(): SinkMetrics {
    return this.#counts.with({
      bufferedRecords: this.#held().reduce((sum, { count }) => sum + count, this.#buffer.count),
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
      return this.#stateOf(await this.#stageAll(this.#pending));
    });
  }

  /** Commits the batches of a checkpoint that are not committed yet. @param state that of the sink, or those of its writers. @throws as {@link flush} */
  async commit(state: SinkSnapshot | readonly SinkSnapshot[]): Promise<SinkCommit> {
    const states = [state].flat();
    for (const each of states) this.#requireOwn(each);
    return await this.#serially(async () => {
      this.#takeGiven();
      return await this.#commitStates(states);
    });
  }

  /**
   * Finishes the batches of a checkpoint after a restart: those that are not in the table are committed. Call it before anything is written.
   * @param state that of the sink, or those of its writers, however many it has now
   * @throws as {@link flush}; `SINK_POSITION_MISMATCH` if the table went on from elsewhere
   */
  async restore(state: SinkSnapshot | readonly SinkSnapshot[]): Promise<SinkCommit> {
    this.#requireFresh();
    return await this.commit(state);
  }

  /** Commits what is buffered and ends. May be called again after an error. @throws as {@link flush} */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.flush();
    await this.#companions.close();
  }

  async #snapshotWriter(index: number): Promise<WriterSnapshot> {
    if (this.#options.upsert !== undefined)
      throw new MoraineError(
        'INVALID_ARGUMENT',
        'Writers of a sink that upserts take no checkpoints of their own, since the records of one key may be those of several: take that of the sink.',
      );
    return await this.#serially(async () => {
      this.#takeGiven();
      // It begins the next checkpoint before others have ended this one.
      if (this.#gathered?.writers.has(index) === true) this.#endGathering();
      this.#gathered ??= PendingBatch.gathered(this.#nextOrder());
      const gathered = this.#gathered;
      const buffered = this.#buffer.cut(index);
      if (buffered !== null) gathered.parts.push({ writer: index, buffered });
      const { name } = this.writer(index);
      const writers = this.#writers.length;
      const batches = [...this.#pending, gathered];
      const state = this.#stateOf(await this.#stageAll(batches, index), index);
      gathered.writers.add(index);
      if (gathered.writers.size === writers) this.#endGathering();
      return { ...state, writer: name, writers };
    });
  }

  async #restoreWriter(state: WriterSnapshot): Promise<SinkCommit | null> {
    this.#requireFresh();
    this.#requireOwn(state);
    this.#given.set(state.writer, state);
    const states = [...this.#given.values()];
    if (states.length < largest(states.map(({ writers }) => writers))) return null;
    return await this.#serially(async () => {
      const commit = await this.#commitStates(states);
      this.#given.clear();
      return commit;
    });
  }

  async #commitStates(states: readonly SinkSnapshot[]): Promise<SinkCommit> {
    const batches = batchesOf(states).map((parts) => PendingBatch.restored(parts));
    const keys = new Set(batches.map(({ key }) => key));
    if (this.#gathered !== undefined && keys.has(this.#gathered.key)) this.#endGathering();
    const known = this.#pending.filter(({ key }) => key !== undefined && keys.has(key));
    const own = new Set(known.map(({ key }) => key));
    return await this.#commitAll([...batches.filter(({ key }) => !own.has(key)), ...known]);
  }

  /** What was given back is committed before anything else. */
  #takeGiven(): void {
    this.#pending.unshift(...batchesOf([...this.#given.values()]).map((parts) => PendingBatch.restored(parts)));
    this.#given.clear();
  }

  #requireFresh(): void {
    if (this.#buffer.isEmpty && this.#held().length === 0) return;
    throw new MoraineError('INVALID_ARGUMENT', 'A sink is restored before anything is written to it.');
  }

  #requireOwn(state: SinkSnapshot): void {
    requireOwnSnapshot(state, this.#coordinator.sink, this.#coordinator.table.metadata.tableUuid);
    if (this.#options.upsert === undefined || state.batches.every(({ partOf }) => partOf === undefined)) return;
    const message = 'The state has parts of batches that several writers have staged without regard to keys.';
    throw new MoraineError('INVALID_ARGUMENT', `${message} Finish them with a sink that does not upsert.`);
  }

  async #write(writer: number, records: SinkRecords, range: SourceRange | undefined): Promise<boolean> {
    this.#requireOpen();
    const { bufferBytes, batchSize } = this.#options;
    // Positions count from what a checkpoint has.
    while (this.#given.size > 0 || this.#pending.some(({ restored }) => restored.length > 0)) {
      await this.#flushOnce();
      this.#requireOpen();
    }
    while (this.#buffer.count >= batchSize || this.#isFull(records.bytes, bufferBytes)) {
      await this.#flushOnce();
      this.#requireOpen();
    }
    const wasEmpty = this.#buffer.isEmpty;
    if (!this.#buffer.add(records, range, writer)) return false;
    if (wasEmpty) this.#bufferedSinceMs = performance.now();
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
    return this.#held().reduce((sum, { bytes }) => sum + bytes, this.#buffer.bytes);
  }

  /** Batches that are begun. */
  #held(): readonly PendingBatch[] {
    return this.#gathered === undefined ? this.#pending : [...this.#pending, this.#gathered];
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
    const { bufferBytes, batchSize, batchIntervalMs } = this.#options;
    if (this.#buffer.isEmpty || this.#isClosed) return;
    const isBatch = this.#buffer.count >= batchSize || this.#buffer.bytes >= bufferBytes / 2;
    // Records that came while an earlier batch was committed have waited for as long.
    const leftMs = this.#bufferedSinceMs + batchIntervalMs - performance.now();
    if (isBatch || leftMs <= 0) this.#flushBehind();
    else this.#startTimer(leftMs);
  }

  /** Errors that may come right are met again, by the timer or the next call; others are kept for it. */
  #flushBehind(): void {
    this.#flushOnce().then(
      // What came while an earlier flush was under way is not in it.
      () => this.#flushInTime(),
      async (error: unknown) => {
        // What a host's own code throws does not come right by itself.
        if (!isMoraineError(error)) await this.#end(error instanceof Error ? error : new Error(String(error)));
        if (this.#failure !== undefined) return;
        this.#bufferedSinceMs = performance.now();
        this.#startTimer(this.#options.batchIntervalMs);
      },
    );
  }

  #startTimer(waitMs: number): void {
    if (this.#timer !== undefined || this.#isClosed || waitMs === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushBehind();
    }, waitMs);
  }

  #cut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#takeGiven();
    this.#endGathering();
    const buffered = this.#buffer.cut();
    if (buffered !== null) this.#pending.push(PendingBatch.of(buffered, this.#nextOrder()));
  }

  /** Parts that come now are of another batch. */
  #endGathering(): void {
    if (this.#gathered !== undefined && this.#gathered.parts.length > 0) this.#pending.push(this.#gathered);
    this.#gathered = undefined;
  }

  #nextOrder(): NonNullable<SnapshotBatch['order']> {
    this.#begun += 1;
    return [this.#openedEpoch, this.#begun];
  }

  /** What a host keeps of batches that are staged. */
  #stateOf(batches: readonly PendingBatch[], writer?: number): SinkSnapshot {
    const { sink, epoch, table } = this.#coordinator;
    const { tableUuid } = table.metadata;
    const staged = batches.flatMap((batch) => batch.toJson(writer));
    return { version: 1, sink, tableUuid, epoch: epoch.toString(), batches: staged };
  }

  /** Stages batches, or the parts of one writer and those of all, for a host that keeps them. */
  async #stageAll(batches: readonly PendingBatch[], writer?: number): Promise<readonly PendingBatch[]> {
    for (const batch of batches) {
      for (const part of batch.parts) {
        if (writer !== undefined && part.writer !== null && part.writer !== writer) continue;
        part.staged ??= await this.#stageBuffered(part.buffered);
        batch.stagedAtMs ||= Date.now();
      }
      batch.isShared = true;
    }
    return batches;
  }

  async #stage(pending: PendingBatch): Promise<StagedBatch> {
    if (pending.staged !== undefined) return pending.staged;
    for (const part of pending.parts) {
      part.staged ??= await this.#stageBuffered(part.buffered);
      pending.stagedAtMs ||= Date.now();
    }
    const parts = pending.parts.flatMap(({ staged }) => staged ?? []);
    for (const part of await this.#missing(pending.restored))
      parts.push(await restoreBatch(this.#coordinator.table, part));
    pending.staged = await this.#joined(parts);
    return pending.staged;
  }

  async #joined(parts: readonly StagedBatch[]): Promise<StagedBatch> {
    const [first, ...others] = parts;
    if (first !== undefined && others.length === 0) return first;
    const joined = await joinParts(this.#coordinator.table, parts);
    const work = await this.#companions.joinWork(
      joined.id,
      parts.flatMap(({ pending }) => pending),
    );
    return { ...joined, pending: work.pending, files: [...joined.files, ...work.files] };
  }

  /** Parts of a batch of a checkpoint that are not in the table: none, or all unless some of them were committed without the others. */
  async #missing(parts: readonly SnapshotBatch[]): Promise<readonly SnapshotBatch[]> {
    if (parts.length === 0) return [];
    const committed = await this.#coordinator.committedOf(parts.map(checkpointPart));
    return parts.filter(({ id }) => !committed.has(id));
  }

  /** On failure nothing of it remains. */
  async #stageBuffered(buffered: BufferedBatch): Promise<StagedBatch> {
    const { deadLetters, evolveSchema, materialize, upsert } = this.#options;
    let table = await this.#coordinator.current(MAX_TABLE_AGE_MS);
    if (evolveSchema) {
      table = await evolveTable(this.#engine, table, buffered.records, upsert?.key);
      this.#coordinator.take(table);
    }
    const rows = await stageBatch(this.#engine, table, buffered, upsert, evolveSchema);
    const views = rows.manifests.length === 0 ? [] : materialize;
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

  async #commitAll(batches: readonly PendingBatch[]): Promise<SinkCommit> {
    const told: SinkCommit[] = [];
    for (const pending of [...batches]) {
      await this.#finish(told);
      // The files of one that is in the table may have been rewritten and deleted.
      if (pending.restored.length > 0 && (await this.#missing(pending.restored)).length === 0) {
        this.#forget(pending);
        continue;
      }
      const startMs = performance.now();
      const { staged, snapshotId, lost } = await this.#commitOne(pending);
      const { rejected, delivery } = staged;
      const commit = { snapshotId, rows: staged.rows - lost, superseded: staged.superseded + lost, rejected, delivery };
      this.#counts.add(commit, performance.now() - startMs);
      this.#forget(pending);
      this.#untold.push({ ...commit, positions: this.positions });
    }
    await this.#finish(told);
    this.#blockedBy = undefined;
    return {
      snapshotId: told.at(-1)?.snapshotId ?? null,
      rows: told.reduce((sum, { rows }) => sum + rows, 0n),
      superseded: told.reduce((sum, { superseded }) => sum + superseded, 0n),
      rejected: told.flatMap(({ rejected }) => rejected),
      positions: this.positions,
      delivery: told.some(({ delivery }) => delivery === 'at-least-once') ? 'at-least-once' : 'exactly-once',
    };
  }

  #forget(pending: PendingBatch): void {
    const index = this.#pending.indexOf(pending);
    if (index >= 0) this.#pending.splice(index, 1);
  }

  /** Does what the last batch has left to do in other tables, and tells of those that are whole then, whatever becomes of those after them. */
  async #finish(told: SinkCommit[]): Promise<void> {
    // The batch of a commit without an answer may have left something, too.
    await this.#coordinator.settle();
    await this.#companions.finish(this.#coordinator.pending);
    for (let commit = this.#untold.shift(); commit !== undefined; commit = this.#untold.shift()) {
      told.push(commit);
      this.#options.onCommit?.(commit);
    }
  }

  /** Stages a batch that is not staged yet and commits it; once more if others have changed the schema meanwhile so that its files do not fit. */
  async #commitOne(
    pending: PendingBatch,
  ): Promise<{ readonly staged: StagedBatch; readonly snapshotId: bigint; readonly lost: bigint }> {
    let copy: StagedBatch | undefined;
    const openedEpochs = pending.restored.map((part) => checkpointPart(part).openedEpoch);
    for (;;) {
      const staged = copy ?? (await this.#stage(pending));
      let isNew = copy !== undefined;
      copy = undefined;
      try {
        const beforeSending = async () => {
          if (!isNew && this.#coordinator.wasRolledBack(staged, openedEpochs)) throw new BatchRolledBack();
          isNew = false;
          await requireFiles(this.#coordinator.table, staged, pending.stagedAtMs);
        };
        const options = { beforeSending, isShared: pending.isShared };
        const { upsert } = this.#options;
        return { staged, ...(await commitStaged(this.#engine, this.#coordinator, staged, upsert, options)) };
      } catch (error) {
        if (error instanceof BatchRolledBack) {
          copy = { ...staged, ...(await copyFiles(this.#coordinator.table, staged.manifests)) };
          continue;
        }
        if (error instanceof PartsFound) {
          pending.staged = undefined;
          await this.#coordinator.current(0);
          continue;
        }
        if (pending.isShared || !isMoraineError(error, 'SINK_SCHEMA_CHANGED')) throw error;
        if (!this.#coordinator.wasSent(staged.id)) await discardBatch(this.#coordinator.table, staged);
        pending.staged = undefined;
        for (const part of pending.parts) delete part.staged;
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
    if (!isMoraineError(error)) return;
    if (ERROR_TABLE[error.code].retryable) {
      this.#blockedBy = error;
      return;
    }
    await this.#end(error);
  }

  async #end(failure: Error): Promise<void> {
    this.#failure ??= failure;
    clearTimeout(this.#timer);
    const unsent = this.#held().flatMap((batch) => batch.unsent((id) => this.#coordinator.wasSent(id)));
    for (const each of unsent) await discardBatch(this.#coordinator.table, each);
  }
}
