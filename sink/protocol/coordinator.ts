/**
 * The one writer of a sink: claims it, commits its batches in order, and settles outcomes that nobody told. ADR 0046.
 *
 * A claim is a snapshot without files. A request that was sent before a claim landed requires a snapshot that is not the current one any more: once the claim
 * has landed, that request is among its ancestors or can never land.
 */
import { randomUUID } from 'node:crypto';
import { formatTableName } from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { ManifestFile, TableMetadata } from '../../iceberg/index.js';
import {
  type CommitResult,
  commitAppend,
  hasCode,
  requireWritable,
  retryConflicts,
  type Table,
} from '../../tables/index.js';
import type { SourcePositions } from '../source-position.js';
import { anchorsProperty, anchorsText, SINK_STATE, summaryText } from './anchors.js';
import { type BatchRange, orderOfBatch, positionsAfter, requireNext } from './batch-ranges.js';
import { type FoundState, hasBatch, requireAnchors, sinkStateOf } from './find-state.js';
import type { Claim, SinkState } from './sink-state.js';

/** What the protocol needs to know of a staged batch. */
export interface CommittableBatch {
  readonly id: string;
  readonly ranges: readonly BatchRange[];
  /** Null: the batch has no files. */
  readonly manifest: ManifestFile | null;
}

export class Coordinator {
  readonly sink: string;
  #table: Table;
  #claim: Claim;
  #state: SinkState;
  /** Every owner that this coordinator has claimed the sink as. */
  readonly #owners = new Set<string>();
  /** Batches that the catalog was asked to commit and that are not known to be committed: their files are nobody's to delete. */
  readonly #sent = new Set<string>();
  /** False: an outcome is unknown. */
  #isSettled = true;

  private constructor(table: Table, sink: string) {
    this.#table = table;
    this.sink = sink;
    this.#claim = { epoch: 0n, owner: '' };
    this.#state = { ...this.#claim, lastBatch: null, positions: new Map() };
  }

  /**
   * Claims the sink: whoever had it before can commit nothing more.
   * @throws MoraineError `SINK_POSITION_UNKNOWN`, `COMMIT_STATE_UNKNOWN`, `COMMIT_CONFLICT`, and what {@link commitAppend} throws
   */
  static async open(table: Table, sink: string): Promise<Coordinator> {
    const coordinator = new Coordinator(table, sink);
    const claim = () => coordinator.#claimAnew(() => undefined);
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

  /** The table as the last commit left it. */
  get table(): Table {
    return this.#table;
  }

  /** Whether the catalog was asked to commit a batch: then its files are left to the orphan sweep. */
  wasSent(batchId: string): boolean {
    return this.#sent.has(batchId);
  }

  /**
   * Whether a batch of a checkpoint, or others with its ranges, is in the table's history.
   * @throws MoraineError as {@link commit}
   */
  async isCommitted(batchId: string, ranges: readonly BatchRange[]): Promise<boolean> {
    if (!this.#isSettled) await this.#settle();
    if (ranges.length === 0) return await hasBatch(this.#table, this.sink, batchId);
    return orderOfBatch(this.sink, ranges, this.positions) === 'below';
  }

  /**
   * Commits a batch, once. After an unknown outcome it is settled first whether the batch has landed.
   * @returns the id of its snapshot
   * @throws MoraineError `SINK_FENCED`, `SINK_POSITION_MISMATCH`, `COMMIT_STATE_UNKNOWN`: nothing more is committed before a later call has settled it;
   *   `COMMIT_CONFLICT`, and what {@link commitAppend} throws
   */
  commit(batch: CommittableBatch): Promise<bigint> {
    return retryConflicts(requireWritable(this.#table), () => this.#commitOnce(batch), hasCode('COMMIT_STATE_UNKNOWN'));
  }

  async #commitOnce(batch: CommittableBatch): Promise<bigint> {
    if (!this.#isSettled) await this.#settle();
    const { lastBatch } = this.#state;
    if (lastBatch?.id === batch.id) return lastBatch.snapshotId;
    const next = (found: FoundState, newSnapshotId: bigint): SinkState => {
      const { lastBatch: last, positions } = found.state ?? this.#state;
      this.#sent.add(batch.id);
      const number = (last?.number ?? 0n) + 1n;
      return {
        ...this.#claim,
        lastBatch: { number, id: batch.id, snapshotId: newSnapshotId },
        positions: positionsAfter(positions, batch.ranges),
      };
    };
    const manifests = batch.manifest === null ? [] : [batch.manifest];
    const validate = ({ state }: FoundState): void => {
      requireOwned(this.#table, this.sink, state, this.#claim);
      requireNext(this.sink, batch.ranges, state?.positions ?? new Map());
    };
    try {
      const { snapshotId } = await this.#append(manifests, validate, next);
      this.#sent.delete(batch.id);
      return snapshotId;
    } catch (error) {
      if (isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) this.#isSettled = false;
      throw error;
    }
  }

  /** Claims the sink anew, so that earlier requests are in the history of the claim or can never land. */
  async #settle(): Promise<void> {
    await this.#claimAnew((state) => {
      if (state === null || !this.#owners.has(state.owner)) throw fenced(this.#table, this.sink, state, this.#claim);
    });
    this.#isSettled = true;
  }

  async #claimAnew(validate: (state: SinkState | null) => void): Promise<void> {
    const owner = randomUUID();
    this.#owners.add(owner);
    const next = ({ state, lastEpoch }: FoundState): SinkState => ({
      epoch: lastEpoch + 1n,
      owner,
      lastBatch: state?.lastBatch ?? null,
      positions: state?.positions ?? new Map(),
    });
    await this.#append([], ({ state }) => validate(state), next);
    this.#claim = { epoch: this.#state.epoch, owner };
  }

  /** One snapshot with its state in the summary and in the table property. */
  async #append(
    manifests: readonly ManifestFile[],
    validate: (found: FoundState) => void,
    next: (found: FoundState, newSnapshotId: bigint) => SinkState,
  ): Promise<CommitResult> {
    const { sink } = this;
    const at = (metadata: TableMetadata): Table => ({ ...this.#table, metadata });
    let found: FoundState = { state: null, lastEpoch: 0n };
    const result = await commitAppend(this.#table, {
      manifests,
      validate: async (base) => {
        found = await sinkStateOf(at(base), sink);
        validate(found);
      },
      summary: (_, snapshotId) => new Map([[SINK_STATE, summaryText(sink, next(found, snapshotId))]]),
      properties: (base, snapshotId) => {
        const state = next(found, snapshotId);
        const anchor = { snapshotId, sequenceNumber: base.lastSequenceNumber + 1n, state };
        return new Map([[anchorsProperty(sink), anchorsText(requireAnchors(at(base), sink), anchor)]]);
      },
      isCostly: true,
    });
    this.#table = { ...this.#table, metadata: result.metadata, metadataLocation: result.metadataLocation };
    this.#state = next(found, result.snapshotId);
    return result;
  }
}

/** @throws MoraineError `SINK_FENCED` unless the newest claim of a base is this one */
function requireOwned(table: Table, sink: string, state: SinkState | null, claim: Claim): void {
  if (state?.epoch !== claim.epoch || state.owner !== claim.owner) throw fenced(table, sink, state, claim);
}

function fenced({ identifier }: Table, sink: string, state: SinkState | null, { epoch }: Claim): MoraineError {
  const newest = state === null ? 'none is in its history any more' : `the newest is epoch ${state.epoch}`;
  const message = `Sink ${JSON.stringify(sink)} of table ${formatTableName(identifier)} is not this coordinator's: its claim is epoch ${epoch}, ${newest}.`;
  const details = { sink, epoch: epoch.toString(), newestEpoch: state?.epoch.toString() ?? 'none' };
  return new MoraineError('SINK_FENCED', message, { details });
}
