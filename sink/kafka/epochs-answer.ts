/** Answers about leader epochs. The client reads the first two fields of a partition in the other order, so that every partition but the first is an error to it. */
import type * as Library from '@platformatic/kafka';

/** Where an epoch of a partition ends. */
export interface EpochEnd {
  readonly partition: number;
  readonly endOffset: bigint;
}

/** Key and version of the request. */
const [OFFSET_FOR_LEADER_EPOCH, VERSION] = [23, 4];

type Request = Parameters<typeof Library.offsetForLeaderEpochV4.createRequest>;

/**
 * The request with the client's encoding. Answers are of one topic.
 *
 * OffsetForLeaderEpoch Response (Version: 4) => throttle_time_ms [topics]; topics => topic [partitions]; partitions => error_code partition leader_epoch end_offset
 */
export const epochsRequest = (library: typeof Library) =>
  library.createAPI<Request, readonly EpochEnd[]>(
    ...([OFFSET_FOR_LEADER_EPOCH, VERSION, library.offsetForLeaderEpochV4.createRequest] as const),
    (_, key, version, reader) => {
      const errors: Record<string, number> = {};
      reader.readInt32();
      const topics = reader.readArray((topic) => {
        topic.readString();
        return topic.readArray((part): EpochEnd => {
          const code = part.readInt16();
          const partition = part.readInt32();
          if (code !== 0) errors[`/partitions/${partition}`] = code;
          part.readInt32();
          return { partition, endOffset: part.readInt64() };
        });
      });
      if (Object.keys(errors).length === 0) return topics.flat();
      throw new library.ResponseError(key, version, errors, {});
    },
  );
