/** Reads a topic's partitions from committed positions on, and looks at every change of leaders whether the log still goes on there. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { type CommittedRecord, committedRecords } from './committed-records.js';
import {
  type KafkaPosition,
  partitionsOf,
  requirePositionInLog,
  requireSameTopic,
  sourcePartitionOf,
  type TopicIdentity,
  UNKNOWN_EPOCH,
} from './kafka-position.js';
import { outlast, type PatienceOptions } from './patience.js';
import type { TopicClient, TopicState } from './topic-client.js';

/** Records of one partition that follow one another, and the positions before and behind them; none, and the same position twice, of a partition whose reading begins. */
export interface ReadRecords {
  readonly partition: number;
  readonly records: readonly CommittedRecord[];
  readonly from: KafkaPosition;
  readonly to: KafkaPosition;
}

/** How often partitions that were added are looked for. */
const REFRESH_MS = 5_000;

export class TopicReader {
  readonly #client: TopicClient;
  readonly #patience: PatienceOptions;
  readonly #positions = new Map<number, KafkaPosition>();
  /** Where the reading of each partition began. */
  readonly #starts = new Map<number, bigint>();
  /** Partitions that are seen for the first time, and were not told yet. */
  #begun: readonly ReadRecords[] = [];
  /** Ends of what is committed, by the last answers. */
  readonly #stableEnds = new Map<number, bigint>();
  /** Leader epochs under which the positions were looked at. */
  readonly #checkedEpochs = new Map<number, number>();
  #committed: ReadonlyMap<string, KafkaPosition> = new Map();
  /** End offsets of the start, by partition. */
  #ends: ReadonlyMap<number, bigint> | undefined;
  #identity: TopicIdentity | undefined;
  #state: TopicState | undefined;
  #refreshedMs = 0;
  #fetches = 0;

  constructor(client: TopicClient, patience: PatienceOptions) {
    this.#client = client;
    this.#patience = patience;
  }

  /** The topic as it exists. @throws MoraineError `INVALID_ARGUMENT`: there is none; `KAFKA_UNAVAILABLE`, `CANCELLED` */
  async identify(): Promise<TopicIdentity> {
    const { identity } = await this.#outlast(() => this.#client.describe());
    this.#identity = identity;
    return identity;
  }

  /**
   * Gives records as they come, partitions in turn; an empty list: none came for a while. Each partition's beginning comes before its records.
   * @param committed where partitions are read on, by source partition; others from the beginnings of their logs, and where it has others of the topic, from offset 0:
   *   those were added since
   * @param untilEnd ends the reading at the end offsets of its start
   * @throws MoraineError `SINK_SOURCE_CHANGED`, `KAFKA_UNAVAILABLE`, `CANCELLED`, `INPUT_UNREADABLE`
   */
  async *read(
    committed: ReadonlyMap<string, KafkaPosition>,
    untilEnd: boolean,
  ): AsyncGenerator<readonly ReadRecords[], void, undefined> {
    this.#committed = committed;
    while (true) {
      const answers = await this.#outlast(async () => {
        await this.#refresh();
        if (this.#begun.length > 0) return this.#begun;
        return untilEnd && this.#isAtEnd() ? null : await this.#fetch();
      });
      if (answers === null) return;
      yield answers;
      if (answers === this.#begun) this.#begun = [];
    }
  }

  /** Offsets between positions and the ends that the partitions had in the last answers. @param positions others are where the reading began */
  lagBehind(positions: ReadonlyMap<number, KafkaPosition>): bigint {
    let lag = 0n;
    for (const [partition, end] of this.#stableEnds) {
      const offset = positions.get(partition)?.offset ?? this.#starts.get(partition) ?? end;
      if (offset < end) lag += end - offset;
    }
    return lag;
  }

  async #outlast<T>(work: () => Promise<T>): Promise<T> {
    const reset = (): void => {
      this.#client.reset();
      this.#state = undefined;
      this.#checkedEpochs.clear();
    };
    return await outlast(work, reset, this.#patience);
  }

  /** Looks at the topic, and at those of its partitions that are new or have another leader. */
  async #refresh(): Promise<void> {
    if (this.#state !== undefined && Date.now() - this.#refreshedMs < REFRESH_MS) return;
    const state = await this.#describe();
    const { identity } = state;
    const met = sourcePartitionOf(this.#identity ?? identity, 0);
    const known = this.#positions.get(0) ?? { leaderEpoch: UNKNOWN_EPOCH, offset: 0n };
    requireSameTopic(this.#committed, identity);
    requireSameTopic(new Map([[met, known]]), identity);
    const changed = new Map<number, KafkaPosition | null>();
    for (const [partition, { leaderEpoch }] of state.partitions) {
      if (this.#checkedEpochs.get(partition) === leaderEpoch) continue;
      const committed = this.#committed.get(sourcePartitionOf(identity, partition));
      changed.set(partition, this.#positions.get(partition) ?? committed ?? null);
    }
    const bounds = await this.#client.bounds(state, changed);
    const isKnown = this.#positions.size > 0 || partitionsOf(this.#committed, identity).size > 0;
    const begun: ReadRecords[] = [];
    for (const [partition, log] of bounds) {
      const position = changed.get(partition) ?? null;
      const from = position ?? { leaderEpoch: UNKNOWN_EPOCH, offset: isKnown ? 0n : log.start };
      requirePositionInLog({ topic: identity.topic, partition }, from, log);
      if (position === null) begun.push({ partition, records: [], from, to: from });
      this.#positions.set(partition, from);
      if (!this.#starts.has(partition)) this.#starts.set(partition, from.offset);
      this.#stableEnds.set(partition, log.stableEnd);
      this.#checkedEpochs.set(partition, state.partitions.get(partition)?.leaderEpoch ?? UNKNOWN_EPOCH);
    }
    this.#begun = [...this.#begun, ...begun];
    this.#ends ??= new Map([...bounds].map(([partition, { stableEnd }]) => [partition, stableEnd]));
    this.#state = state;
    this.#refreshedMs = Date.now();
  }

  /** Brokers that have just started may not know a topic yet. */
  async #describe(): Promise<TopicState> {
    try {
      return await this.#client.describe();
    } catch (error) {
      if (this.#identity === undefined || !isMoraineError(error, 'INVALID_ARGUMENT')) throw error;
      throw new MoraineError('KAFKA_UNAVAILABLE', `The topic ${this.#identity.topic} does not exist any more.`, {
        cause: error,
      });
    }
  }

  #isAtEnd(): boolean {
    const ends = [...(this.#ends ?? [])];
    return ends.every(([partition, end]) => (this.#positions.get(partition)?.offset ?? 0n) >= end);
  }

  async #fetch(): Promise<readonly ReadRecords[]> {
    const state = this.#state;
    if (state === undefined) return [];
    const answers = await this.#client.fetch(state, this.#inTurn());
    const found: ReadRecords[] = [];
    for (const { partition, log, stableEnd } of answers) {
      this.#stableEnds.set(partition, stableEnd);
      const from = this.#positions.get(partition);
      if (from === undefined) continue;
      const { records, next: to } = committedRecords(log, from);
      if (to.offset === from.offset) continue;
      this.#positions.set(partition, to);
      found.push({ partition, records, from, to });
    }
    return found;
  }

  /** Leaders answer in the order in which they are asked, up to a size. */
  #inTurn(): ReadonlyMap<number, KafkaPosition> {
    const all = [...this.#positions];
    const first = all.length === 0 ? 0 : this.#fetches % all.length;
    this.#fetches += 1;
    return new Map([...all.slice(first), ...all.slice(0, first)]);
  }
}
