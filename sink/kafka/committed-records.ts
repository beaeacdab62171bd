/**
 * Records of a fetched part of a log that belong to committed transactions, or to none, as Java's consumer tells them. Pure. The client's own filter lets aborted
 * records through where a producer aborts twice in one answer, or where the answer ends before the marker.
 */
import { MoraineError } from '../../errors/index.js';
import type { KafkaPosition } from './kafka-position.js';

/** A batch as the client decodes it, as far as it is read here. Declarations of the package must not need the client's. Source: Kafka, "Record Batch". */
export interface FetchedBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly partitionLeaderEpoch: number;
  readonly magic: number;
  readonly attributes: number;
  readonly producerId: bigint;
  readonly records: readonly { readonly offsetDelta: number; readonly key: Buffer; readonly value: Buffer }[];
}

/** A part of a partition's log. */
export interface FetchedLog {
  readonly batches: readonly FetchedBatch[];
  /** Those that overlap the answer. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
}

/** The log of one partition of an answer. */
export interface FetchedPartition {
  readonly partition: number;
  readonly log: FetchedLog;
  /** Of the log as it was sent, a part of a batch at its end included. */
  readonly sentBytes: number;
  /** End of what is committed: before the first record of an open transaction. */
  readonly stableEnd: bigint;
}

export interface CommittedRecord {
  readonly offset: bigint;
  readonly leaderEpoch: number;
  /** Empty: a tombstone. */
  readonly value: Buffer;
}

/** Records and the position behind them. */
export interface CommittedRecords {
  readonly records: readonly CommittedRecord[];
  readonly next: KafkaPosition;
}

const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const FORMAT = 2;
const ABORT = 0;

/** @param from the position that was asked for: batches may begin before it */
export function committedRecords({ batches, aborted }: FetchedLog, from: KafkaPosition): CommittedRecords {
  const waiting = [...aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborting = new Set<bigint>();
  const records: CommittedRecord[] = [];
  let next = from;
  for (const batch of batches) {
    if (batch.magic !== FORMAT)
      throw new MoraineError(
        'INPUT_UNREADABLE',
        `Offset ${batch.firstOffset} has the record format ${batch.magic}, not 2.`,
      );
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (let first = waiting[0]; first !== undefined && first.firstOffset <= last; first = waiting[0]) {
      aborting.add(first.producerId);
      waiting.shift();
    }
    const { partitionLeaderEpoch: leaderEpoch } = batch;
    const isAborted = (batch.attributes & TRANSACTIONAL) !== 0 && aborting.has(batch.producerId);
    if ((batch.attributes & CONTROL) !== 0) {
      // Its key has a version, then the type.
      if (batch.records[0]?.key.readInt16BE(2) === ABORT) aborting.delete(batch.producerId);
    } else if (!isAborted)
      for (const { offsetDelta, value } of batch.records) {
        const offset = batch.firstOffset + BigInt(offsetDelta);
        if (offset >= from.offset) records.push({ offset, leaderEpoch, value });
      }
    if (last >= next.offset) next = { leaderEpoch, offset: last + 1n };
  }
  return { records, next };
}
