/** The part of the contract that is about ingesting: types only, JSON only. 64-bit numbers are strings. */
import type { StepProgress } from './contract.js';

/** Files that are followed, by their absolute paths. */
interface FileSource {
  readonly kind: 'files';
  readonly files: readonly string[];
}

/** A Kafka topic that is followed. */
interface KafkaSource {
  readonly kind: 'kafka';
  /** A name of `worker.ingestKafka` in the `moraine.yaml` of the worker, which says where the brokers are and how it logs in. */
  readonly cluster: string;
  readonly topic: string;
  /** The group whose offsets follow the commits, for tools that show the lag; `moraine.NAME` unless given. */
  readonly group?: string | undefined;
}

/** Where records come from. */
export type IngestSource = FileSource | KafkaSource;

/** When a batch is committed. */
export interface IngestBatch {
  /** Records of a commit; 10,000 unless given. */
  readonly batchSize?: number;
  /** Milliseconds after which fewer are committed; 10,000 unless given. */
  readonly batchIntervalMs?: number;
}

/** The request of a person or a command to `ingest`. It arrives as JSON from outside and is checked by each attempt of `writeRecords`. */
export interface IngestInput extends IngestBatch {
  /** `[CATALOG/]NS.TABLE` */
  readonly table: string;
  /** Name of the sink, under which its positions are kept; `files` or `kafka.TOPIC` unless given. */
  readonly name?: string;
  readonly source: IngestSource;
  /** Dotted paths of fields by column. */
  readonly fields?: Readonly<Record<string, string>>;
  /** How points in time are written, by column. */
  readonly times?: Readonly<Record<string, string>>;
  /** A column for the fields that no other column takes, as JSON. */
  readonly rest?: string;
  /** A column for the records as they came. */
  readonly raw?: string;
  /** A column for what is wrong with records that are no rows, which are written, too, instead of `badRecords`. */
  readonly error?: string;
  readonly extraFields?: 'fail' | 'ignore';
  readonly badRecords?: 'fail' | 'drop';
  /** `[CATALOG/]NS.TABLE` for records that are no rows, instead of `badRecords`. */
  readonly deadLetters?: string;
  /** Online feature views of the table, which get each batch before the next one is committed. */
  readonly materialize?: readonly string[];
  /** Keep one row of each key. */
  readonly upsert?: { readonly key: readonly string[]; readonly order: string };
  /** Change the table's schema where records ask for it. */
  readonly evolveSchema?: boolean;
  /** Go on if a dead-letter table that an earlier run has files for is gone. */
  readonly abandonLost?: boolean;
}

/** The input of the workflow: what was asked for, and of a later history where the one before has ended. */
export interface IngestRunInput extends IngestInput {
  readonly carried?: CarriedIngest;
}

/** Where an ingest is that goes on in a history of its own. */
export interface CarriedIngest {
  readonly isPaused: boolean;
  readonly isDraining: boolean;
  readonly batch: IngestBatch;
  readonly counts: IngestCounts;
}

/** Sums over the attempts of `writeRecords` that came to an end: of one that was killed only the table knows. */
export interface IngestCounts {
  readonly rows: string;
  readonly commits: number;
  /** Records that are no rows, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** Result of an ingest that was drained. */
export interface IngestResult extends IngestCounts {
  /** Every source of an ingest has positions. */
  readonly delivery: 'exactly-once';
  readonly table: string;
  readonly workflowId: string;
}

/** Answer of the queries `status` and `progress`, also shown in the memo. */
export interface IngestStatus extends IngestCounts, StepProgress<'running' | 'paused' | 'draining' | 'done'> {
  readonly table: string;
  readonly name: string;
  readonly source: IngestSource;
  readonly batchSize: number;
  readonly batchIntervalMs: number;
}

export interface IngestActivities {
  /**
   * Writes the records of a source through its sink, from where the table has them, until it is cancelled or a day has passed (`stopped`), or to the ends that the
   * source has (`ends`). What was read is committed before it ends. It claims the sink: an earlier attempt that still runs can commit nothing more.
   *
   * @param input `request` as it came from outside; `batch` goes before what the request says
   * @throws `INVALID_ARGUMENT` naming what is wrong with the request; `TABLE_NOT_FOUND`, `SINK_FENCED`, `SINK_SOURCE_CHANGED`, `KAFKA_UNAVAILABLE`, and what else
   *   reading and committing throw
   */
  writeRecords(input: {
    readonly request: unknown;
    readonly batch: IngestBatch;
    readonly until: 'stopped' | 'ends';
  }): Promise<IngestCounts>;
}
