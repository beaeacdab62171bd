/** A topic that others write to, read on until somebody says that it is enough. The group's offsets follow the commits. ADR 0049. */
import { isMoraineError } from '../../errors/index.js';
import { jsonRecords, type RecordMapping, recordLines } from '../files/json-records.js';
import type { IcebergSink } from '../iceberg-sink.js';
import { ProgressPace } from '../progress-pace.js';
import type { SinkMetrics } from '../sink-metrics.js';
import { CommitWatch, untilDone, type WriteOptions, writeRecords } from '../write-records.js';
import { GroupOffsets } from './group-offsets.js';
import type { KafkaAccess } from './kafka-access.js';
import {
  type KafkaPosition,
  markOf,
  partitionsOf,
  positionOf,
  sourcePartitionOf,
  type TopicIdentity,
} from './kafka-position.js';
import { piecesOf } from './record-pieces.js';
import { TopicClient } from './topic-client.js';
import { type ReadRecords, TopicReader } from './topic-reader.js';

/** How far a sink of a topic is. */
export interface SinkKafkaProgress extends SinkMetrics {
  /** Offsets between what the table has and the ends of the partitions, which lie before the first record of an open transaction. */
  readonly lagRecords: bigint;
}

export interface FollowTopicOptions extends WriteOptions {
  readonly topic: string;
  /** Name of the sink. */
  readonly name: string;
  /** The group whose offsets follow the commits; `moraine.NAME` by default. */
  readonly group?: string | undefined;
  readonly mapping: RecordMapping;
  /** Records of a batch: no more are given to the sink at once. */
  readonly batchSize: number;
  /** Milliseconds for which brokers may be away. */
  readonly limitMs: number;
  /** `stopped`, by default: read until the signal is aborted; `ends`: until the ends that the partitions have at the start. */
  readonly until?: 'stopped' | 'ends' | undefined;
  readonly onProgress?: ((progress: SinkKafkaProgress) => void) | undefined;
}

/** Name of a topic's sink where none is given. */
export const topicSinkName = (topic: string): string => `kafka.${topic}`;

/** What a followed topic consists of. */
interface Parts {
  readonly sink: IcebergSink;
  readonly client: TopicClient;
  readonly reader: TopicReader;
  readonly identity: TopicIdentity;
  readonly group: GroupOffsets;
}

export class FollowedTopic {
  readonly sink: IcebergSink;
  readonly #parts: Parts;
  readonly #options: FollowTopicOptions;
  readonly #pace = new ProgressPace();
  #given = 0;
  /** Positions of which the group knows; none: an earlier run may have ended before it could tell. Every commit gives others, also one without a record. */
  #told: IcebergSink['positions'] | undefined;

  private constructor(parts: Parts, options: FollowTopicOptions) {
    this.sink = parts.sink;
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * @param openSink is called once the brokers have answered and the topic is there: a claim is a snapshot
   * @throws MoraineError `INVALID_ARGUMENT` (no such topic), `KAFKA_UNAVAILABLE`, `UNAUTHENTICATED`, `PERMISSION_DENIED`, `CANCELLED`; what `openSink` throws
   */
  static async open(
    access: KafkaAccess,
    options: FollowTopicOptions,
    openSink: () => Promise<IcebergSink>,
  ): Promise<FollowedTopic> {
    const { topic, name, limitMs, signal, onNotice = () => undefined } = options;
    const client = await TopicClient.open(access, topic, signal);
    try {
      const told = { name: options.group ?? `moraine.${name}`, topic, onNotice };
      const group = await GroupOffsets.open(access, told);
      const reader = new TopicReader(client, { limitMs, signal, onNotice });
      const identity = await reader.identify();
      return new FollowedTopic({ client, group, reader, identity, sink: await openSink() }, options);
    } catch (error) {
      client.reset();
      throw error;
    }
  }

  /**
   * Reads from where the table has the records, partitions of which it has none from their beginning, and leaves it to the caller to close the sink.
   * @returns whether it came to the ends of the start, if it was to
   * @throws MoraineError `SINK_SOURCE_CHANGED`, `KAFKA_UNAVAILABLE`, `INPUT_UNREADABLE`; what has ended the sink
   */
  async read(): Promise<boolean> {
    const { batchSize, until, signal } = this.#options;
    const { reader } = this.#parts;
    const watch = new CommitWatch(this.sink, this.#options);
    this.#tell();
    try {
      for await (const answers of reader.read(kafkaPositions(this.sink), until === 'ends')) {
        for (const answer of answers)
          for (const piece of piecesOf(answer, batchSize - (this.#given % batchSize), batchSize)) {
            await this.#write(piece);
            this.#tell();
          }
        // Before any record of theirs is read: what expires unread from now on is missed.
        if (answers.some(({ from, to }) => from.offset === to.offset))
          await untilDone(
            () => this.sink.flush(),
            this.#options,
            () => this.#tell(),
          );
        watch.look();
        this.#tell();
      }
    } catch (error) {
      if (signal?.aborted !== true || !isMoraineError(error, 'CANCELLED')) throw error;
    }
    return signal?.aborted !== true;
  }

  /** Next offsets that the table has, by partition. */
  offsets(): ReadonlyMap<number, bigint> {
    return new Map([...this.#positions()].map(([partition, { offset }]) => [partition, offset]));
  }

  progress(): SinkKafkaProgress {
    return { ...this.sink.metrics(), lagRecords: this.#parts.reader.lagBehind(this.#positions()) };
  }

  /** Tells the group what it does not know yet, for at most five seconds, and closes the connections. */
  async close(): Promise<void> {
    const { client, group } = this.#parts;
    client.reset();
    this.#tellGroup();
    const untold = await group.close();
    if (untold !== null) this.#options.onNotice?.(`The offsets of the group could not be told: ${untold}`);
  }

  #positions(): ReadonlyMap<number, KafkaPosition> {
    return partitionsOf(kafkaPositions(this.sink), this.#parts.identity);
  }

  async #write({ partition, records, from, to }: ReadRecords): Promise<void> {
    const { identity } = this.#parts;
    const source = sourcePartitionOf(identity, partition);
    const lines = recordLines(records, `${identity.topic}-${partition}`, source);
    const range = { partition: source, from: from.offset, to: to.offset, mark: markOf(to) };
    await writeRecords(this.sink, jsonRecords(lines, this.#options.mapping), range, this.#options, () => this.#tell());
    this.#given += records.length;
  }

  #tell(): void {
    this.#tellGroup();
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const progress = this.progress();
    if (this.#pace.isDue(progress, progress.lagRecords)) onProgress(progress);
  }

  #tellGroup(): void {
    const committed = this.sink.positions;
    if (committed === this.#told) {
      this.#parts.group.tellAgain();
      return;
    }
    this.#told = committed;
    const positions = this.#positions();
    if (positions.size > 0) this.#parts.group.tell(positions);
  }
}

const kafkaPositions = ({ positions, marks }: IcebergSink): ReadonlyMap<string, KafkaPosition> =>
  new Map([...positions].map(([source, offset]) => [source, positionOf(offset, marks.get(source))]));
