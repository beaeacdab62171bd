/** A Kafka topic into a table, each record once: the table's positions are the truth, the group's offsets only tell of them. ADR 0049. */
import { isMoraineError } from '../errors/index.js';
import { mappingOf, openProjectSink, type Project, type SinkSettings } from '../project/index.js';
import {
  FollowedTopic,
  type KafkaAccess,
  type RecordMapping,
  readThenClose,
  type SinkCommit,
  type SinkKafkaProgress,
  topicSinkName,
} from '../sink/index.js';
import { NO_COMMITS, type SinkTotals, withCommit } from './sink-totals.js';

export interface SinkKafkaOptions extends RecordMapping, KafkaAccess, SinkSettings {
  readonly topic: string;
  /** Tells the sinks of a table apart: positions are kept under it. `kafka.TOPIC` by default. */
  readonly name?: string | undefined;
  /** Records of a commit; 10,000 by default. */
  readonly batchSize?: number | undefined;
  /** Milliseconds after which records are committed that make no whole batch; 10,000 by default. */
  readonly batchIntervalMs?: number | undefined;
  /** `end`: stops at the end offsets of the start. Without it only the signal ends the reading, and a commit that fails and may come right is tried again. */
  readonly until?: 'end' | undefined;
  /** The group whose offsets follow the commits, for tools that show the lag; `moraine.NAME` by default. */
  readonly group?: string | undefined;
  /** Milliseconds for which brokers may be away; 300,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Told of each commit. */
  readonly onCommit?: ((commit: SinkCommit) => void) | undefined;
  /** Told after commits, and of a lag every 10 seconds. */
  readonly onProgress?: ((progress: SinkKafkaProgress) => void) | undefined;
  /** Told when brokers have gone and have come back, and of commits that are tried again. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Ends the reading: what was read is committed first. */
  readonly signal?: AbortSignal | undefined;
}

/** What a run has done. */
export interface SinkKafkaResult extends SinkTotals {
  /** Offsets are positions. */
  readonly delivery: 'exactly-once';
  /** Next offsets that the table has, by partition. */
  readonly offsets: ReadonlyMap<number, bigint>;
  readonly isInterrupted: boolean;
}

const DEFAULT_BATCH = 10_000;
const DEFAULT_TIMEOUT_MS = 300_000;

/**
 * Writes the records of a topic into a table that exists, from where the table has them; partitions of which it has none from their beginning. Values are JSON
 * objects, by the rules of files. Only records of committed transactions are read.
 * @throws TABLE_NOT_FOUND, INVALID_ARGUMENT (no such topic), KAFKA_UNAVAILABLE, UNAUTHENTICATED, PERMISSION_DENIED, SINK_SOURCE_CHANGED, INPUT_UNREADABLE,
 *   COLUMN_NOT_FOUND, TYPE_MISMATCH; as `IcebergSink.open`
 */
export async function sinkKafka(
  project: Project,
  tableName: string,
  options: SinkKafkaOptions,
): Promise<SinkKafkaResult> {
  const { topic, batchSize = DEFAULT_BATCH, timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
  const { name = topicSinkName(topic) } = options;
  let totals = NO_COMMITS;
  let offsets: ReadonlyMap<number, bigint> = new Map();
  const onCommit = (commit: SinkCommit): void => {
    totals = withCommit(totals, commit);
    options.onCommit?.(commit);
  };
  const openSink = () => openProjectSink(project, tableName, { ...options, name, batchSize, onCommit });
  const isEnding = options.until === 'end';
  const until = isEnding ? 'ends' : 'stopped';
  const given = { ...options, name, batchSize, until, mapping: mappingOf(options, options) } as const;
  try {
    const followed = await FollowedTopic.open(options, { ...given, limitMs: timeoutMs, retries: !isEnding }, openSink);
    try {
      await readThenClose(followed.sink, () => followed.read());
      options.onProgress?.(followed.progress());
      offsets = followed.offsets();
    } finally {
      await followed.close();
    }
  } catch (error) {
    if (signal?.aborted !== true || !isMoraineError(error, 'CANCELLED')) throw error;
  }
  return { ...totals, delivery: 'exactly-once', offsets, isInterrupted: signal?.aborted === true };
}
