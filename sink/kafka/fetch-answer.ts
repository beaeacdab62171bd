/** Answers to fetches, with the checksums of their batches verified, which the client does not do. */
import type * as Library from '@platformatic/kafka';
import type { Reader } from '@platformatic/kafka';
import { MoraineError } from '../../errors/index.js';
import type { FetchedBatch, FetchedPartition } from './committed-records.js';

/** Key and version of the request. */
const [FETCH, VERSION] = [1, 13];
/** Of the high watermark, and of the log's start. */
const OFFSET_BYTES = 8;
/** Places in a batch: its length, its checksum, and what that is of, up to the end. */
const [LENGTH_AT, LENGTH_END, CHECKSUM_AT, CHECKED_FROM] = [8, 12, 17, 21];

/** The request with the client's encoding. Answers are of one topic. */
export const fetchRequest = (library: typeof Library) =>
  library.createAPI<Library.fetchV13.FetchRequest, readonly FetchedPartition[]>(
    ...([FETCH, VERSION, library.fetchV13.createRequest] as const),
    (_, key, version, reader) => {
      // What came in pieces is read slowly.
      const answer = readAnswer(library, library.Reader.from(reader.buffer.slice(reader.position)));
      if (answer.errors.size === 0) return answer.partitions;
      throw new library.ResponseError(key, version, Object.fromEntries(answer.errors), {});
    },
  );

/**
 * Fetch Response (Version: 13) => throttle_time_ms error_code session_id [responses]; responses => topic_id [partitions]; partitions => partition_index error_code
 * high_watermark last_stable_offset log_start_offset [aborted_transactions] preferred_read_replica records
 */
function readAnswer(
  library: typeof Library,
  reader: Reader,
): { readonly errors: ReadonlyMap<string, number>; readonly partitions: readonly FetchedPartition[] } {
  const errors = new Map<string, number>();
  const note = (place: string, code: number): void => void (code === 0 || errors.set(place, code));
  reader.readInt32();
  note('', reader.readInt16());
  reader.readInt32();
  const topics = reader.readArray((topic) => {
    topic.readUUID();
    return topic.readArray((part): FetchedPartition => {
      const partition = part.readInt32();
      note(`/partitions/${partition}`, part.readInt16());
      part.skip(OFFSET_BYTES);
      const stableEnd = part.readInt64();
      part.skip(OFFSET_BYTES);
      const aborted = part.readNullableArray((one) => ({ producerId: one.readInt64(), firstOffset: one.readInt64() }));
      part.readInt32();
      // One more than it is; none at all is null or nothing.
      const sentBytes = Math.max(part.readUnsignedVarInt() - 1, 0);
      const batches = readBatches(library, part, partition, sentBytes);
      return { partition, log: { batches, aborted: aborted ?? [] }, sentBytes, stableEnd };
    });
  });
  return { errors, partitions: topics.flat() };
}

/** @throws MoraineError `INPUT_UNREADABLE` for a batch whose checksum is another */
function readBatches(
  library: typeof Library,
  reader: Reader,
  partition: number,
  length: number,
): readonly FetchedBatch[] {
  const bytes = reader.buffer.slice(reader.position, reader.position + length);
  reader.skip(length);
  for (let at = 0; at + CHECKED_FROM <= length; ) {
    const end = at + LENGTH_END + bytes.readInt32BE(at + LENGTH_AT);
    // The last one may be cut off, and is not read.
    if (end > length) break;
    if (
      end < at + CHECKED_FROM ||
      library.crc32c(bytes.subarray(at + CHECKED_FROM, end)) !== bytes.readUInt32BE(at + CHECKSUM_AT)
    )
      throw new MoraineError(
        'INPUT_UNREADABLE',
        `The batch at offset ${bytes.readBigInt64BE(at)} of partition ${partition} has another checksum than it should.`,
      );
    at = end;
  }
  return library.readRecordsBatches(library.Reader.from(bytes));
}
