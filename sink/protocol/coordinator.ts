/**
 * The one writer of a sink: claims it, commits its batches in order, and settles outcomes that nobody told. ADR 0046.
 *
 * A claim is a snapshot without files. A request that was sent before a claim landed requires a snapshot that is not the current one any more: once the claim
 * has landed, that request is among its ancestors or can never land.
 */
import { randomUUID } from 'node:crypto';
import { isMoraineError } from '../../errors/index.js';
import { findSnapshot, type ManifestFile, type TableMetadata } from '../../iceberg/index.js';
import {
  type AppendRequest,
  type CommitResult,
  clockOf,
  commitAppend,
  hasCode,
  type NewDeletes,
  reload,
  requireWritable,
  retryConflicts,
  type Table,
} from '../../tables/index.js';
import type { SourceMarks, SourcePositions } from '../source-position.js';
import { anchorsProperty, anchorsText, SINK_STATE, summaryText } from './anchors.js';
import {
  type BatchRange,
  beginningsAfter,
  hasLength,
  joinRanges,
  marksAfter,
  positionsAfter,
  requireNext,
} from './batch-ranges.js';
import { fenced, requireNoLater, requireOwned, requireReadable } from './claims.js';
import {
  batchesOnRecord,
  beginningsOf,
  type companionStateOf,
  type FoundState,
  requireAnchors,
  type StateTable,
  sinkStateOf,
  snapshotsOfParts,
  tellsAllSince,
} from './find-state.js';
import type { PendingWork } from './pending-work.js';
import { type Claim, hasPart, NO_BATCHES, type SinkState } from './sink-state.js';

/** What the protocol needs to know of a staged batch. */
export interface CommittableBatch {
  readonly id: string;
  /** Ids of the parts that it was joined from, if it was. */
  readonly parts?: readonly string[];
  readonly ranges: readonly BatchRange[];
  /** Empty: the batch has no files. */
  readonly manifests: readonly ManifestFile[];
  /** The table's schemas that the files were written by; those that are not known are not compared. */
  readonly schemaIds?: readonly number[];
  /** What is left to do in other tables once it is committed. */
  readonly pending?: readonly PendingWork[];
  /** Deletes that go with the files, written for every base. */
  readonly deletesOn?: (base: Table) => Promise<NewDeletes>;
}

/** A batch of a checkpoint, or the part of one that a writer staged. */
export interface CheckpointPart {
  readonly id: string;
  readonly ranges: readonly BatchRange[];
  /** The epoch that the sink was opened with when it was staged; 0: nobody knows. */
  readonly openedEpoch: bigint;
}

/** A base of a commit has some parts of the batch already, and not all of them: it is to be staged without these. */
export class PartsFound extends Error {}

/** A base of a commit has the batch already. */
class BatchFound extends Error {
  readonly snapshotId: bigint;
  readonly state: SinkState;

  constructor(snapshotId: bigint, state: SinkState) {
    super('The batch is in the table.');
    this.snapshotId = snapshotId;
    this.state = state;
  }
}

export class Coordinator {
  readonly sink: string;
  #table: Table;
  #claim: Claim;
  #state: SinkState;
  /** The last position of each partition that this coordinator has known: a rollback makes it forget none. */
  readonly #known = new Map<string, bigint>();
  /** Every owner that this coordinator has claimed the sink as. */
  readonly #owners = new Set<string>();
  /** Batches that the catalog was asked to commit and that are not known to be committed: their files are nobody's to delete. */
  readonly #sent = new Set<string>();
  /** Parts of checkpoints without positions, as {@link snapshotsOfParts} takes them. Only their ids tell whether a base has them. */
  readonly #toldById = new Map<string, bigint>();
  #loadedAtMs: number;
  /** False: an outcome is unknown. */
  #isSettled = true;
  /** The batch of the outcome that is unknown, or of the last one that was; its snapshot once it is found in the table's history. */
  #unknown: { readonly id: string; readonly snapshotId: bigint | null } | undefined;

  /** Gives the state that holds for a base. */
  readonly #find: (base: StateTable, sink: string) => Promise<FoundState>;

  private constructor(
    table: Table,
    sink: string,
    find: typeof sinkStateOf | typeof companionStateOf,
    claim: Pick<Claim, 'attempt' | 'upsert'>,
  ) {
    this.#table = table;
    this.#loadedAtMs = this.#nowMs();
    this.sink = sink;
    this.#find = find;
    this.#claim = { ...claim, epoch: 0n, owner: '' };
    this.#state = { ...this.#claim, ...NO_BATCHES };
  }

  /**
   * Claims the sink: whoever had it before can commit nothing more.
   * @param find which state holds: that of the table's history, unless given
   * @param attempt claims only if no later attempt at the same work has the sink
   * @param upsert how the sink keeps one row of each key; the claim says so
   * @throws MoraineError `SINK_FENCED` for an earlier attempt; `SINK_POSITION_UNKNOWN`, `COMMIT_STATE_UNKNOWN`, `COMMIT_CONFLICT`, and what {@link commitAppend} throws
   */
  static async open(
    table: Table,
    sink: string,
    {
      find = sinkStateOf,
      attempt,
      upsert,
    }: {
      readonly find?: typeof sinkStateOf | typeof companionStateOf;
    } & Pick<Claim, 'attempt' | 'upsert'> = {},
  ): Promise<Coordinator> {
    const coordinator = new Coordinator(table, sink, find, { attempt, upsert });
    const claim = () => coordinator.#claimAnew((state) => requireNoLater(table, sink, state, attempt));
    await retryConflicts(requireWritable(table), claim, hasCode('COMMIT_STATE_UNKNOWN', 'COMMIT_CONFLICT'));
    return coordinator;
  }

  get epoch(): bigint {
    return this.#claim.epoch;
  }

  /** Next positions to read, as committed. */
  get positions(): SourcePositions {
    return this.#state.positions;
  }

  /** The same, and of partitions that a rollback has taken out of the table since, what was committed before: they must not begin anywhere. */
  get knownPositions(): SourcePositions {
    return this.#known;
  }

  /** What the source said of them. */
  get marks(): SourceMarks {
    return this.#state.marks;
  }

  /** What the last batch has left to do in other tables, done or not. */
  get pending(): readonly PendingWork[] {
    return this.#state.pending;
  }

  /** The snapshot that has the last batch. */
  get lastSnapshotId(): bigint | undefined {
    return this.#state.lastBatch?.snapshotId;
  }

  /** Sequence number of the snapshot that has the last batch; null: there is none, or it is not known any more. */
  get lastSequenceNumber(): bigint | null {
    const { metadata } = this.#table;
    const snapshotId = this.lastSnapshotId;
    if (snapshotId === undefined) return null;
    const anchor = requireAnchors(this.#table, this.sink).find((each) => each.snapshotId === snapshotId);
    return anchor?.sequenceNumber ?? findSnapshot(metadata, snapshotId)?.sequenceNumber ?? null;
  }

  /** Random; told apart from all other claims. */
  get owner(): string {
    return this.#claim.owner;
  }

  /** The table as the last commit left it. */
  get table(): Table {
    return this.#table;
  }

  /**
   * The table as it was known at most so long ago: its schema and its spec may be changed by others.
   * @throws MoraineError `TABLE_REPLACED`, `TABLE_NOT_FOUND`, and what loading throws
   */
  async current(maxAgeMs: number): Promise<Table> {
    if (this.#nowMs() - this.#loadedAtMs >= maxAgeMs)
      this.take(await reload(this.#table, requireWritable(this.#table)));
    return this.#table;
  }

  /** Goes on from a newer state of the table, of which the sink has not committed anything. */
  take(table: Table): void {
    this.#table = table;
    this.#loadedAtMs = this.#nowMs();
  }

  #nowMs(): number {
    return clockOf(requireWritable(this.#table)).monotonicMs();
  }

  /** Looks whether the newest claim of the table as it is now is this one. @throws MoraineError `SINK_FENCED`, and as {@link current} */
  async requireClaim(): Promise<void> {
    const table = await this.current(0);
    const { state } = await this.#find(table, this.sink);
    requireOwned(table, this.sink, state, this.#claim);
  }

  /** Whether the catalog was asked to commit a batch: then its files are left to the orphan sweep. */
  wasSent(batchId: string): boolean {
    return this.#sent.has(batchId);
  }

  /**
   * Whether a snapshot has had a batch, or a part of it, that is not in the table now: it was rolled back, and is or may be expired.
   * @param openedEpochs of parts of checkpoints: the table has to tell of all batches since these claims to say no
   */
  wasRolledBack({ id, parts = [] }: Pick<CommittableBatch, 'id' | 'parts'>, openedEpochs: readonly bigint[]): boolean {
    if (this.#state.lastBatch?.id === id) return false;
    if (!openedEpochs.every((epoch) => tellsAllSince(this.#table, this.sink, epoch))) return true;
    return batchesOnRecord(this.#table, this.sink).some((batch) => [id, ...parts].some((part) => hasPart(batch, part)));
  }

  /** Makes sure what became of the last commit, if nobody knows. @throws MoraineError as {@link commit} */
  settle(): Promise<void> {
    const settle = () => this.#settleIfUnknown();
    return retryConflicts(requireWritable(this.#table), settle, hasCode('COMMIT_STATE_UNKNOWN'));
  }

  /**
   * Which of these batches of a checkpoint, or parts of them, are in the table's history: their ranges are, or for want of any their ids.
   * @returns their ids
   * @throws MoraineError as {@link commit}; `SINK_POSITION_MISMATCH` if the ranges of the others do not follow what is committed
   */
  async committedOf(parts: readonly CheckpointPart[]): Promise<ReadonlySet<string>> {
    await this.#settleIfUnknown();
    const isPlaced = ({ ranges }: CheckpointPart): boolean => ranges.some(hasLength);
    const isBelow = ({ ranges }: CheckpointPart): boolean =>
      ranges.filter(hasLength).every(({ partition, to }) => (this.positions.get(partition) ?? -1n) >= to);
    const [placed, unplaced] = [parts.filter(isPlaced), parts.filter((part) => !isPlaced(part))];
    const below = placed.filter(isBelow);
    const left = placed.filter((part) => !below.includes(part));
    const ranges = joinRanges(left.flatMap((part) => part.ranges));
    requireNext(this.sink, ranges.filter(hasLength), this.positions);
    for (const { id, openedEpoch } of unplaced) this.#toldById.set(id, openedEpoch);
    const byId = new Map(unplaced.map(({ id, openedEpoch }) => [id, openedEpoch]));
    const found = await snapshotsOfParts(this.#table, this.sink, byId);
    return new Set([...below.map(({ id }) => id), ...found.keys()]);
  }

  /**
   * Commits a batch, once. After an unknown outcome it is settled first whether the batch has landed.
   * @param beforeSending called once it is known that the batch is not in the table; what it throws ends the commit
   * @returns the id of its snapshot
   * @throws MoraineError `SINK_FENCED`, `SINK_POSITION_MISMATCH`, `COMMIT_STATE_UNKNOWN`: nothing more is committed before a later call has settled it;
   *   `COMMIT_CONFLICT`, and what {@link commitAppend} throws
   */
  commit(batch: CommittableBatch, beforeSending = () => Promise.resolve()): Promise<bigint> {
    const commit = () => this.#commitOnce(batch, beforeSending);
    return retryConflicts(requireWritable(this.#table), commit, hasCode('COMMIT_STATE_UNKNOWN'));
  }

  async #commitOnce(batch: CommittableBatch, beforeSending: () => Promise<void>): Promise<bigint> {
    await this.#settleIfUnknown();
    const { lastBatch } = this.#state;
    if (lastBatch?.id === batch.id) return lastBatch.snapshotId;
    // Found when it was settled, and others were committed since.
    if (this.#unknown?.id === batch.id && this.#unknown.snapshotId !== null) return this.#unknown.snapshotId;
    await beforeSending();
    const next = (found: FoundState, newSnapshotId: bigint): SinkState => {
      const { lastBatch: last, positions, marks, beginnings } = found.state ?? this.#state;
      this.#sent.add(batch.id);
      const number = (last?.number ?? 0n) + 1n;
      return {
        ...this.#claim,
        lastBatch: { number, id: batch.id, parts: batch.parts ?? [], snapshotId: newSnapshotId },
        positions: positionsAfter(positions, batch.ranges),
        marks: marksAfter(marks, batch.ranges),
        beginnings: beginningsAfter(beginnings, positions, batch.ranges),
        pending: batch.pending ?? [],
      };
    };
    const validate = async ({ state }: FoundState, base: TableMetadata): Promise<void> => {
      requireOwned(this.#table, this.sink, state, this.#claim);
      await this.#requireAbsent(batch, state, base);
      requireReadable(this.#table, this.sink, base, batch);
      requireNext(this.sink, batch.ranges, state?.positions ?? new Map());
    };
    try {
      const { snapshotId } = await this.#append(batch, validate, next);
      this.#sent.delete(batch.id);
      return snapshotId;
    } catch (error) {
      if (error instanceof BatchFound) {
        this.#state = error.state;
        return error.snapshotId;
      }
      if (isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) {
        this.#isSettled = false;
        this.#unknown = { id: batch.id, snapshotId: null };
      }
      throw error;
    }
  }

  /** The table may have been rolled back when it was asked for the batch, and forward again since. @throws BatchFound, PartsFound */
  async #requireAbsent(
    { id, parts = [] }: CommittableBatch,
    state: SinkState | null,
    metadata: TableMetadata,
  ): Promise<void> {
    const ids = parts.length === 0 ? [id] : parts;
    const told = new Map([...this.#toldById].filter(([part]) => ids.includes(part)));
    const found = await snapshotsOfParts({ ...this.#table, metadata }, this.sink, told);
    const [snapshotId] = found.values();
    if (snapshotId === undefined || state === null) return;
    throw found.size === ids.length ? new BatchFound(snapshotId, state) : new PartsFound();
  }

  /** Claims the sink anew, so that earlier requests are in the history of the claim or can never land. */
  async #settleIfUnknown(): Promise<void> {
    if (this.#isSettled) return;
    await this.#claimAnew((state) => {
      if (state === null || !this.#owners.has(state.owner)) throw fenced(this.#table, this.sink, state, this.#claim);
    });
    const { lastBatch } = this.#state;
    if (lastBatch !== null && lastBatch.id === this.#unknown?.id) this.#unknown = lastBatch;
    this.#isSettled = true;
  }

  /** A partition that a rollback has taken out of the history is at its beginning again. */
  async #claimAnew(validate: (state: SinkState | null) => void): Promise<void> {
    const [owner, { attempt, upsert }] = [randomUUID(), this.#claim];
    this.#owners.add(owner);
    let known: ReturnType<typeof beginningsOf>;
    const next = ({ state, lastEpoch }: FoundState): SinkState => {
      const found = state ?? NO_BATCHES;
      const positions = new Map([...known.positions, ...found.positions]);
      const beginnings = new Map([...known.beginnings, ...found.beginnings]);
      return { ...found, positions, beginnings, epoch: lastEpoch + 1n, owner, attempt, upsert };
    };
    const check = ({ state }: FoundState, metadata: TableMetadata): void => {
      validate(state);
      known = beginningsOf({ ...this.#table, metadata }, this.sink);
    };
    await this.#append({ manifests: [] }, check, next);
    this.#claim = { epoch: this.#state.epoch, owner, attempt, upsert };
  }

  /** One snapshot with its state in the summary and in the table property. */
  async #append(
    {
      manifests,
      deletesOn,
    }: { readonly manifests: readonly ManifestFile[] } & Partial<Pick<AppendRequest, 'deletesOn'>>,
    validate: (found: FoundState, base: TableMetadata) => void | Promise<void>,
    next: (found: FoundState, newSnapshotId: bigint) => SinkState,
  ): Promise<CommitResult> {
    const { sink } = this;
    const at = (metadata: TableMetadata): Table => ({ ...this.#table, metadata });
    let found: FoundState = { state: null, lastEpoch: 0n };
    const result = await commitAppend(this.#table, {
      manifests,
      ...(deletesOn === undefined ? {} : { deletesOn }),
      validate: async (base) => {
        found = await this.#find(at(base), sink);
        await validate(found, base);
      },
      summary: (_, snapshotId) => new Map([[SINK_STATE, summaryText(sink, next(found, snapshotId))]]),
      properties: (base, snapshotId) => {
        const state = next(found, snapshotId);
        const anchor = { snapshotId, sequenceNumber: base.lastSequenceNumber + 1n, state };
        return new Map([[anchorsProperty(sink), anchorsText([...requireAnchors(at(base), sink), anchor])]]);
      },
      requiresSchema: true,
      isCostly: true,
    });
    this.take({ ...this.#table, metadata: result.metadata, metadataLocation: result.metadataLocation });
    this.#state = next(found, result.snapshotId);
    for (const [partition, position] of this.#state.positions) this.#known.set(partition, position);
    return result;
  }
}
