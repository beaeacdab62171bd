/** The client, as applications use it. */
import type { Table as ArrowTable } from 'apache-arrow';
import type { BackfillPlan } from '../backfill/index.js';
import type { DeletedRows } from '../deletes/index.js';
import type {
  AnyDefinition,
  DatasetRecord,
  Entity,
  Explanation,
  FeatureService,
  FeatureView,
  ReplayResult,
  SavedDataset,
} from '../features/index.js';
import type {
  AppendedLog,
  FeatureLogger,
  FeatureLoggerOptions,
  LogComparison,
  ServedFeatures,
} from '../logging/index.js';
import type { MovedTable } from '../maintenance/index.js';
import type { OnlineRequest, OnlineWriteResult } from '../online/index.js';
import type { Project } from '../project/index.js';
import type { Run, RunSummary } from '../runs/index.js';
import type { BackfilledSchedule, ScheduleInfo } from '../schedules/index.js';
import type {
  BackfillResult,
  CompactInput,
  CompactResult,
  IngestBatch,
  IngestInput,
  IngestStatus,
  MaintainInput,
  MaintainResult,
  MaterializeResult,
} from '../workers/index.js';
import type { AppendFileOptions, AppendFileResult } from './append-file.js';
import type { AppliedDefinitions, ApplyDefinitionsOptions } from './apply-definitions.js';
import type { BackfillOptions, BackfillRequest } from './backfill.js';
import type { RetriedBackfill } from './backfill-control.js';
import type { CompactOptions, CompactPlan } from './compact.js';
import type { NewTable } from './create-table.js';
import type { SaveDatasetRequest } from './datasets.js';
import type { DeleteOptions } from './delete-table-rows.js';
import type { ViewDescription } from './describe-view.js';
import type { Estimate, EstimateRequest } from './estimate.js';
import type { FeatureReader } from './feature-reader.js';
import type { HistoricalAnswer, HistoricalFeaturesRequest } from './historical-features.js';
import type { ListedTable } from './list-tables.js';
import type {
  CompareLoggedFeaturesRequest,
  LoggedFeaturesRequest,
  WriteLoggedFeaturesOptions,
} from './logged-features.js';
import type { MaintainOptions, MaintainPlan } from './maintain.js';
import type { MaterializeOptions, MaterializeRequest } from './materialize.js';
import type { MoveTableOptions } from './move-table.js';
import type { NamedOnlineResponse } from './online-features.js';
import type { FollowRunOptions, RunsRequest, ShowRunOptions } from './project-runs.js';
import type { ScheduleBackfillRequest, ScheduleNoteOptions } from './project-schedules.js';
import type { PullAnswer, PullFeaturesRequest } from './pull-features.js';
import type { PushRequest } from './push.js';
import type { PushResult } from './push-rows.js';
import type { ReplayDeadLettersOptions, ReplayedDeadLetters } from './replay-dead-letters.js';
import type { ScheduleRequest } from './schedules.js';
import type { DeliveryOf, SinkFilesOptions, SinkFilesResult, SinkInput } from './sink-files.js';
import type { SinkKafkaOptions, SinkKafkaResult } from './sink-kafka.js';
import type { TeardownOnlineOptions, TornDownOnline } from './teardown-online.js';
import type { ServerOptions, StartedRun } from './temporal-run.js';
import type { SaveTrainingSetRequest, TrainingSetOptions } from './training-sets.js';
import type { UpgradedTable } from './upgrade-table.js';
import type { OnlineWriteRequest } from './write-online.js';

/** Definitions made with `defineEntity` and so on, or a value with the keys of the YAML. */
export type DefinitionsInput =
  | readonly AnyDefinition[]
  | {
      readonly entities?: readonly unknown[];
      readonly featureViews?: readonly unknown[];
      readonly featureServices?: readonly unknown[];
    };

/** Point-in-time features in memory. */
export interface HistoricalFeaturesTable {
  /** One row per entity row, in their order: the entity columns, then the features. */
  readonly table: ArrowTable;
  /** Snapshot of every source table that was read; pass it as `asOf: { snapshots }` for the same answer again. */
  readonly snapshots: ReadonlyMap<string, bigint | null>;
}

/** The served rows, as a reader gives them. */
export interface LoggedAnswer {
  /** Snapshot of the log. */
  readonly snapshotId: bigint | null;
}

/**
 * An open project, as an application uses it. Close it at the end. Every method rejects arguments of another shape than its types with
 * `INVALID_ARGUMENT`, which names the field.
 */
export interface Moraine {
  /** The parts behind the methods: catalogs, storage, query engine, registry. */
  readonly project: Project;
  /** Registers definitions in one commit. `DEFINITION_INVALID` lists every problem at once. */
  apply(definitions: DefinitionsInput, options?: ApplyDefinitionsOptions): Promise<AppliedDefinitions>;
  /** Brings a view's online table up to date, or materializes a window, and waits for it. */
  materialize(request: MaterializeRequest, options?: MaterializeOptions): Promise<MaterializeResult>;
  /** Starts or joins that run on the configured Temporal server without waiting. */
  startMaterialize(request: MaterializeRequest): Promise<StartedRun>;
  /** Materializes a range of event times of a view in windows, or retrieves a training set so, and waits for it. */
  backfill(request: BackfillRequest, options?: BackfillOptions): Promise<BackfillResult>;
  /** Starts or joins that backfill on the configured Temporal server without waiting. */
  startBackfill(request: BackfillRequest): Promise<StartedRun>;
  /** The plan of a backfill. Pass it as `plan` to run exactly that. */
  planBackfill(request: BackfillRequest): Promise<BackfillPlan>;
  /** The cost of a materialization, a retrieval or a saved dataset before it runs, from metadata alone. Changes nothing. */
  estimate(request: EstimateRequest): Promise<Estimate>;
  /** Lets a backfill in flight begin no further window. Its id may be given without the project. */
  pauseBackfill(id: string, options?: ServerOptions): Promise<void>;
  /** Goes on with a paused backfill. */
  resumeBackfill(id: string, options?: ServerOptions): Promise<void>;
  /** Ends a backfill. Windows that were read are committed, others are left undone. */
  cancelBackfill(id: string, options?: ServerOptions): Promise<void>;
  /** Tries the windows of a backfill again that have failed; after a hundred failures also those that were not begun. */
  retryBackfill(id: string, options?: ServerOptions): Promise<RetriedBackfill>;
  /** Changes how many windows a backfill in flight works on at a time, 1 to 16. */
  changeBackfillConcurrency(id: string, concurrency: number, options?: ServerOptions): Promise<void>;
  /** Starts a workflow in which a sink follows files or a Kafka topic until it is drained, on the configured Temporal server. */
  startIngest(input: IngestInput): Promise<StartedRun>;
  /** Lets an ingest commit what it has read and read no more. Its id may be given without the project. */
  pauseIngest(id: string, options?: ServerOptions): Promise<void>;
  /** Goes on with a paused ingest, from where the table has the records. */
  resumeIngest(id: string, options?: ServerOptions): Promise<void>;
  /** Lets an ingest write what its source has now, and end. */
  drainIngest(id: string, options?: ServerOptions): Promise<void>;
  /** Changes when an ingest commits batches. Returns the settings that hold now. */
  changeIngestBatch(id: string, batch: IngestBatch, options?: ServerOptions): Promise<Required<IngestBatch>>;
  /** How an ingest is doing, or how it was when it ended. */
  ingestStatus(id: string, options?: ServerOptions): Promise<IngestStatus>;
  /** Rewrites small files of a table, and those with many deleted rows, as fewer ones with the same rows, and waits for it. */
  compact(input: CompactInput, options?: CompactOptions): Promise<CompactResult>;
  /** Asks the configured Temporal server for that compaction without waiting. */
  startCompact(input: CompactInput): Promise<StartedRun>;
  /** The groups of files that a compaction would rewrite. */
  planCompact(input: CompactInput): Promise<CompactPlan>;
  /** Expires snapshots that nobody needs and removes files that nothing reaches, and waits for it. */
  maintain(input: MaintainInput, options?: MaintainOptions): Promise<MaintainResult>;
  /** Asks the configured Temporal server for that maintenance without waiting. */
  startMaintain(input: MaintainInput): Promise<StartedRun>;
  /** The effect of maintenance on every file, and why. Close the answer. */
  planMaintain(input: MaintainInput): Promise<MaintainPlan>;
  /**
   * Makes a schedule of a view, or of a workflow and its input. Schedules and runs are those of the configured Temporal server, or else of
   * the project's local one: it is started for the call if it does not run, and `announce` then receives a warning that nothing fires.
   */
  createSchedule(request: ScheduleRequest, options?: ServerOptions): Promise<ScheduleInfo>;
  /** Every schedule of the project, by id. */
  schedules(options?: ServerOptions): Promise<readonly ScheduleInfo[]>;
  /** A schedule: its settings, its last and next runs. `SCHEDULE_NOT_FOUND` */
  schedule(id: string, options?: ServerOptions): Promise<ScheduleInfo>;
  /** Skips the ticks of a schedule until it is resumed. */
  pauseSchedule(id: string, options?: ScheduleNoteOptions): Promise<void>;
  /** Lets a schedule start runs again. */
  resumeSchedule(id: string, options?: ScheduleNoteOptions): Promise<void>;
  /** Starts a run of a schedule now. */
  triggerSchedule(id: string, options?: ServerOptions): Promise<void>;
  /** Runs the intervals of the past that a schedule with windows has left out. */
  backfillSchedule(id: string, request: ScheduleBackfillRequest, options?: ServerOptions): Promise<BackfilledSchedule>;
  /** Deletes a schedule. Runs in flight go on. */
  deleteSchedule(id: string, options?: ServerOptions): Promise<void>;
  /** The runs of the project, newest first. */
  runs(request?: RunsRequest): Promise<readonly RunSummary[]>;
  /** A run: its steps, how far it is, what is tried again and why, what it has committed. `WORKFLOW_NOT_FOUND` */
  run(id: string, options?: ShowRunOptions): Promise<Run>;
  /** Follows a run until it has ended. Throws the run's own error if it failed. */
  waitForRun(id: string, options?: FollowRunOptions): Promise<Run>;
  /**
   * The newest feature values of entities. What is immutable stays cached between calls; `online.readTimeoutMs` limits a call
   * from a view's second read on, since the first one opens everything. `rowsByName` has the rows by the names of the features.
   */
  getOnlineFeatures(request: OnlineRequest): Promise<NamedOnlineResponse>;
  /**
   * Writes rows into a view's online table, in one commit, beside materialization. A read with the snapshot of the answer among its `minSnapshots` has them.
   */
  onlineWriteBatch(request: OnlineWriteRequest): Promise<OnlineWriteResult>;
  /**
   * Writes rows to every view that names a push source: to online tables, to source tables, or to both. Nothing is written unless the rows fit all of them; then each
   * table gets them in one commit.
   */
  push(request: PushRequest): Promise<PushResult>;
  /** Drops online tables with their files: those of the given views, or of every registered one. Definitions and sources stay. */
  teardownOnline(options?: TeardownOnlineOptions): Promise<TornDownOnline>;
  /** Features that were valid at the time of each entity row, as an Arrow table. */
  getHistoricalFeatures(request: HistoricalFeaturesRequest): Promise<HistoricalFeaturesTable>;
  /** The same as a reader: record batches, files or rows of an answer that need not fit into memory. Close it. */
  openHistoricalFeatures(request: HistoricalFeaturesRequest): Promise<FeatureReader<HistoricalAnswer>>;
  /** How a retrieval would be done, without its features. */
  explainHistoricalFeatures(request: HistoricalFeaturesRequest): Promise<Explanation>;
  /** Retrieves features and saves them with all that computes them again. */
  saveDataset(request: SaveDatasetRequest): Promise<DatasetRecord>;
  /** The same in shards of a workflow, for more entity rows than one process should work on at a time. */
  saveTrainingSet(request: SaveTrainingSetRequest, options?: TrainingSetOptions): Promise<DatasetRecord>;
  /** Starts that workflow on the configured Temporal server without waiting. */
  startTrainingSet(request: SaveTrainingSetRequest): Promise<StartedRun>;
  /** Compares the rows of a saved dataset as they are now, and computed again, with what was saved. */
  replayDataset(name: string, options?: { readonly signal?: AbortSignal }): Promise<ReplayResult>;
  /** Every saved dataset, by name. */
  datasets(): Promise<readonly SavedDataset[]>;
  /** Every table of the configured catalogs, by catalog and name, with the figures of its current snapshot. */
  tables(): Promise<readonly ListedTable[]>;
  /** Every registered feature view, by name. */
  views(): Promise<readonly FeatureView[]>;
  /** A registered feature view, the types of its features and the state of its online table. `FEATURE_VIEW_NOT_FOUND` */
  view(name: string): Promise<ViewDescription>;
  /** Every registered feature service, by name. */
  services(): Promise<readonly FeatureService[]>;
  /** Every registered entity, by name. */
  entities(): Promise<readonly Entity[]>;
  /** Every row of a window of a table, or of SQL over tables. Close the reader. */
  pullAll(request: PullFeaturesRequest): Promise<FeatureReader<PullAnswer>>;
  /** The newest row of each entity in a window of a table, or of SQL over tables. Close the reader. */
  pullLatest(request: PullFeaturesRequest): Promise<FeatureReader<PullAnswer>>;
  /** A logger for the answers of a feature service: buffered, written in batches. Close it before the project. */
  openFeatureLogger(service: string, options?: FeatureLoggerOptions): Promise<FeatureLogger>;
  /** Writes answers for a feature service to its log in one commit. */
  writeLoggedFeatures(
    service: string,
    served: readonly ServedFeatures[],
    options?: WriteLoggedFeaturesOptions,
  ): Promise<AppendedLog>;
  /** The served rows, with all columns of the log. Close the reader. */
  loggedFeatures(request: LoggedFeaturesRequest): Promise<FeatureReader<LoggedAnswer>>;
  /** Compares what was served with what retrieval answers now, by feature and cause. */
  compareLoggedFeatures(request: CompareLoggedFeaturesRequest): Promise<LogComparison>;
  /** Creates an empty table by its name, `[CATALOG/]NS.TABLE`. */
  createTable(name: string, table: NewTable): Promise<void>;
  /** Appends a Parquet, CSV or JSON Lines file to a table in one commit. */
  appendFile(name: string, file: string, options?: AppendFileOptions): Promise<AppendFileResult>;
  /** Writes the records of JSON Lines files into a table exactly once, from where an earlier call has ended; those of streams at least once. */
  sinkFiles<const Inputs extends readonly SinkInput[]>(
    name: string,
    inputs: Inputs,
    options?: SinkFilesOptions,
  ): Promise<SinkFilesResult<DeliveryOf<Inputs>>>;
  /** Writes the records of a Kafka topic into a table exactly once, from where an earlier call has ended. */
  sinkKafka(name: string, options: SinkKafkaOptions): Promise<SinkKafkaResult>;
  /** Makes rows of the dead letters of sinks that fit their table now, each once. */
  replayDeadLetters(name: string, options?: ReplayDeadLettersOptions): Promise<ReplayedDeadLetters>;
  /** Deletes the rows of a table for which a condition is true, without rewriting its files. */
  deleteRows(name: string, where: string, options?: DeleteOptions): Promise<DeletedRows>;
  /** Raises the format version of a table; other engines that use it have to know that version. */
  upgradeTable(name: string, formatVersion: 2 | 3): Promise<UpgradedTable>;
  /**
   * Moves a table to another catalog, with its history. The old name can be read and refuses writes from then on. Asked for again, a move
   * that was cut short goes on.
   */
  moveTable(name: string, options: MoveTableOptions): Promise<MovedTable>;
  /**
   * Closes the client: calls in flight that take a signal are cancelled (`CANCELLED`), all others are waited for; readers and loggers that
   * are still open are closed. Every later call is rejected with `CLOSED`. May be called twice.
   */
  close(): Promise<void>;
}
