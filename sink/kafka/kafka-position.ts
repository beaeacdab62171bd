/** Positions in a Kafka topic as those of a sink's source partitions. Pure. ADR 0049. */
import { MoraineError } from '../../errors/index.js';

/** A topic as it exists in one cluster: made anew it has another id. */
export interface TopicIdentity {
  readonly clusterId: string;
  readonly topic: string;
  readonly topicId: string;
}

/** Where a partition is read on. */
export interface KafkaPosition {
  /** Leader epoch of the last record before the offset; -1: none was read. */
  readonly leaderEpoch: number;
  /** The next offset. */
  readonly offset: bigint;
}

export const UNKNOWN_EPOCH = -1;

/** The sink's source partition of a Kafka partition. */
export const sourcePartitionOf = ({ clusterId, topic, topicId }: TopicIdentity, partition: number): string =>
  `kafka/${clusterId}/${topic}/${topicId}/${partition}`;

/** The mark of a position. */
export const markOf = ({ leaderEpoch }: KafkaPosition): string => `epoch ${leaderEpoch}`;

/** A position of a sink and its mark. */
export const positionOf = (offset: bigint, mark: string | undefined): KafkaPosition => ({
  offset,
  leaderEpoch: Number(/^epoch (-?\d+)$/.exec(mark ?? '')?.[1] ?? UNKNOWN_EPOCH),
});

/** The positions of one topic as it exists now, by number of the partition. @param positions those of a sink, by source partition */
export function partitionsOf<T>(positions: ReadonlyMap<string, T>, identity: TopicIdentity): ReadonlyMap<number, T> {
  const found = new Map<number, T>();
  for (const [source, position] of positions) {
    const partition = Number(source.slice(source.lastIndexOf('/') + 1));
    if (source === sourcePartitionOf(identity, partition)) found.set(partition, position);
  }
  return found;
}

/**
 * Whether committed positions are of the topic as it exists now.
 * @throws MoraineError `SINK_SOURCE_CHANGED` with both if they are of a topic of that name with another id, or of another cluster
 */
export function requireSameTopic(committed: ReadonlyMap<string, KafkaPosition>, now: TopicIdentity): void {
  for (const [source, position] of committed) {
    const [kind, clusterId = '', topic, topicId = '', partition = ''] = source.split('/');
    if (kind !== 'kafka' || topic !== now.topic) continue;
    if (clusterId === now.clusterId && topicId === now.topicId) continue;
    throw sourceChanged(
      `The table has partition ${partition} of topic ${topic} with id ${topicId} of cluster ${clusterId} ${placeOf(position)}; ` +
        `now ${topic} has the id ${now.topicId} in cluster ${now.clusterId}: it was made anew. Use a sink of another name to read the new topic.`,
    );
  }
}

/** What the leader of a partition has of its log. */
export interface LogBounds {
  readonly start: bigint;
  readonly end: bigint;
  /** End of what is committed: before the first record of an open transaction. */
  readonly stableEnd: bigint;
  /** End offset of the position's leader epoch, or of the greatest below it; -1: unknown. */
  readonly epochEnd: bigint;
}

/**
 * Whether a log still goes on where a position is.
 * @throws MoraineError `SINK_SOURCE_CHANGED` with both positions
 */
export function requirePositionInLog(
  { topic, partition }: { readonly topic: string; readonly partition: number },
  committed: KafkaPosition,
  { start, end, epochEnd }: Omit<LogBounds, 'stableEnd'>,
): void {
  const has = `The table has ${topic}-${partition} ${placeOf(committed)}`;
  const { offset } = committed;
  if (offset < start)
    throw sourceChanged(`${has}, and the log begins at offset ${start}: the records between were deleted unread.`);
  if (offset > end) throw sourceChanged(`${has}, and the log ends at offset ${end}: it was truncated.`);
  if (epochEnd >= 0n && epochEnd < offset)
    throw sourceChanged(
      `${has}, and that epoch ends at offset ${epochEnd}: the log was truncated and went on elsewhere.`,
    );
}

const placeOf = ({ leaderEpoch, offset }: KafkaPosition): string =>
  `up to offset ${offset} (leader epoch ${leaderEpoch})`;

const sourceChanged = (message: string): MoraineError => new MoraineError('SINK_SOURCE_CHANGED', message);
