/** One topic of a Kafka cluster, asked for by offsets: no group decides anything, nothing falls back. */
import { isMoraineError, largest, MoraineError } from '../../errors/index.js';
import { ClusterConnections } from './cluster-connections.js';
import type { FetchedBatch, FetchedPartition } from './committed-records.js';
import { epochsRequest } from './epochs-answer.js';
import { fetchRequest } from './fetch-answer.js';
import { FetchSize } from './fetch-size.js';
import type { KafkaAccess } from './kafka-access.js';
import { hasKafkaError } from './kafka-errors.js';
import { type KafkaPosition, type LogBounds, type TopicIdentity, UNKNOWN_EPOCH } from './kafka-position.js';

/** A topic as its cluster describes it. */
export interface TopicState {
  readonly identity: TopicIdentity;
  /** By number. */
  readonly partitions: ReadonlyMap<number, { readonly leader: number; readonly leaderEpoch: number }>;
}

const FETCH_WAIT_MS = 500;
const PARTITION_BYTES = 4 * 2 ** 20;
const [EARLIEST, LATEST] = [-2n, -1n];
const [READ_UNCOMMITTED, READ_COMMITTED] = [0, 1];
/** A fetch outside of sessions. */
const [NO_SESSION, NO_EPOCH] = [0, -1];

export class TopicClient {
  readonly #connections: ClusterConnections;
  readonly #topic: string;
  readonly #size = new FetchSize();

  private constructor(connections: ClusterConnections, topic: string) {
    this.#connections = connections;
    this.#topic = topic;
  }

  /** Connects to nobody yet. @param signal ends waiting for answers. @throws MoraineError `INVALID_ARGUMENT` */
  static async open(access: KafkaAccess, topic: string, signal: AbortSignal | undefined): Promise<TopicClient> {
    return new TopicClient(await ClusterConnections.open(access, signal), topic);
  }

  /**
   * The topic as it exists now.
   * @throws MoraineError `INVALID_ARGUMENT`: it does not exist; `KAFKA_UNAVAILABLE` and what else asking may end with
   */
  async describe(): Promise<TopicState> {
    const topic = this.#topic;
    const answer = await this.#connections
      .askAny('the topic', (connection, { metadataV12 }) => metadataV12.api.async(connection, [topic], false, false))
      .catch((error: unknown) => {
        const isMissing = hasKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION');
        if (!isMissing && !hasKafkaError(error, 'INVALID_TOPIC_EXCEPTION')) throw error;
        throw new MoraineError('INVALID_ARGUMENT', `The topic ${JSON.stringify(topic)} does not exist.`, {
          cause: error,
          remedy: 'Create the topic, or correct its name.',
        });
      });
    this.#connections.learn(new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])));
    const found = answer.topics.find(({ name }) => name === topic);
    if (found === undefined) throw new MoraineError('KAFKA_UNAVAILABLE', `Kafka's answer lacks the topic ${topic}.`);
    const partitions = found.partitions.map(
      ({ partitionIndex, leaderId: leader, leaderEpoch }) => [partitionIndex, { leader, leaderEpoch }] as const,
    );
    const identity = { clusterId: answer.clusterId ?? '', topic, topicId: found.topicId };
    return { identity, partitions: new Map(partitions.sort(([a], [b]) => a - b)) };
  }

  /** What the leaders have of the logs of some partitions. @param positions where each is read on; null: nowhere yet */
  async bounds(
    state: TopicState,
    positions: ReadonlyMap<number, KafkaPosition | null>,
  ): Promise<ReadonlyMap<number, LogBounds>> {
    const found = new Map<number, LogBounds>();
    for (const [leader, some] of byLeader(state, positions)) {
      const offsets = async (timestamp: bigint, isolation: number): Promise<ReadonlyMap<number, bigint>> => {
        const partitions = some.map(({ partition, leaderEpoch }) => ({
          ...{ partitionIndex: partition, currentLeaderEpoch: leaderEpoch, timestamp },
        }));
        const topics = [{ name: this.#topic, partitions }];
        const answer = await this.#connections.ask(leader, 'offsets', (connection, { listOffsetsV8 }) =>
          listOffsetsV8.api.async(connection, -1, isolation, topics),
        );
        return new Map(answer.topics[0]?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
      };
      const ends = await offsets(LATEST, READ_UNCOMMITTED);
      const stableEnds = await offsets(LATEST, READ_COMMITTED);
      const epochEnds = await this.#epochEnds(leader, some);
      // Last: what has moved meanwhile is not taken for what is still there.
      const starts = await offsets(EARLIEST, READ_UNCOMMITTED);
      for (const { partition } of some) {
        const [start, end, stableEnd] = [starts, ends, stableEnds].map((all) => all.get(partition));
        if (start === undefined || end === undefined || stableEnd === undefined)
          throw new MoraineError(
            'KAFKA_UNAVAILABLE',
            `Kafka's answer lacks the offsets of ${this.#topic}-${partition}.`,
          );
        found.set(partition, { start, end, stableEnd, epochEnd: epochEnds.get(partition) ?? -1n });
      }
    }
    return found;
  }

  /** Reads on from positions: one answer of each leader, which waits half a second for records. */
  async fetch(state: TopicState, positions: ReadonlyMap<number, KafkaPosition>): Promise<readonly FetchedPartition[]> {
    const { topicId } = state.identity;
    const leaders = byLeader(state, positions);
    const { limitMs } = this.#size;
    const bytes = Math.ceil(this.#size.bytes / Math.max(leaders.length, 1));
    const answers = leaders.map(async ([leader, some]) => {
      const partitions = some.map(({ partition, leaderEpoch, position }) => ({
        ...{ partition, fetchOffset: position.offset, partitionMaxBytes: Math.min(bytes, PARTITION_BYTES) },
        // A leader of another epoch refuses: then the log is looked at again.
        ...{ currentLeaderEpoch: leaderEpoch, lastFetchedEpoch: NO_EPOCH },
      }));
      const limits = [FETCH_WAIT_MS, 1, bytes, READ_COMMITTED, NO_SESSION, NO_EPOCH] as const;
      return await this.#connections.ask(
        leader,
        'records',
        (connection, library) => fetchRequest(library).async(connection, ...limits, [{ topicId, partitions }], [], ''),
        limitMs,
      );
    });
    const startMs = performance.now();
    try {
      const found = await Promise.all(answers);
      const shares = found.map((some, index) => {
        const partitions = leaders[index]?.[1].length ?? 1;
        return sentBytes(some) / Math.min(bytes, partitions * PARTITION_BYTES);
      });
      const tookMs = performance.now() - startMs;
      this.#size.came({ recordBytes: recordBytes(found.flat()), share: largest(shares), tookMs });
      return found.flat();
    } catch (error) {
      if (isMoraineError(error, 'KAFKA_UNAVAILABLE') && performance.now() - startMs >= limitMs) this.#size.wasLate();
      throw error;
    }
  }

  /** Closes all connections: the next requests open new ones. */
  reset(): void {
    this.#connections.reset();
  }

  /** End offsets of the leader epochs of positions, where those are known. */
  async #epochEnds(
    leader: number,
    some: readonly LedPartition<KafkaPosition | null>[],
  ): Promise<ReadonlyMap<number, bigint>> {
    const partitions = some.flatMap(({ partition, leaderEpoch: currentLeaderEpoch, position }) =>
      position === null || position.leaderEpoch === UNKNOWN_EPOCH
        ? []
        : [{ partitionIndex: partition, currentLeaderEpoch, leaderEpoch: position.leaderEpoch }],
    );
    if (partitions.length === 0) return new Map();
    const topics = [{ name: this.#topic, partitions }];
    const answer = await this.#connections.ask(leader, 'leader epochs', (connection, library) =>
      epochsRequest(library).async(connection, -1, topics),
    );
    return new Map(answer.map(({ partition, endOffset }) => [partition, endOffset]));
  }
}

const sentBytes = (found: readonly FetchedPartition[]): number => found.reduce((sum, each) => sum + each.sentBytes, 0);

const recordBytes = (found: readonly FetchedPartition[]): number =>
  found.reduce((sum, { log }) => log.batches.reduce((all, { records }) => all + bytesOf(records), sum), 0);

const bytesOf = (records: FetchedBatch['records']): number =>
  records.reduce((sum, { key, value }) => sum + key.length + value.length, 0);

interface LedPartition<P> {
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly position: P;
}

/** Partitions by the broker that leads them. @throws MoraineError `KAFKA_UNAVAILABLE`: one has none */
function byLeader<P>(
  { identity, partitions }: TopicState,
  positions: ReadonlyMap<number, P>,
): readonly (readonly [leader: number, readonly LedPartition<P>[]])[] {
  const found = new Map<number, LedPartition<P>[]>();
  for (const [partition, position] of positions) {
    const led = partitions.get(partition);
    if (led === undefined || led.leader < 0)
      throw new MoraineError('KAFKA_UNAVAILABLE', `${identity.topic}-${partition} has no leader.`);
    const some = found.get(led.leader) ?? [];
    some.push({ partition, leaderEpoch: led.leaderEpoch, position });
    found.set(led.leader, some);
  }
  return [...found];
}
