/** The library that applications use: everything the commands do, as functions. */

export { arrowSchema } from '../engine/index.js';
export type { OnlineWriteResult } from '../online/index.js';
export type { TrinoProgress } from '../reduction/index.js';
export {
  jsonRecords,
  type RecordLines,
  type RecordMapping,
  type SinkFilesProgress,
  type SinkKafkaProgress,
} from '../sink/index.js';
export type {
  BackfillProgress,
  BackfillResult,
  CompactInput,
  CompactProgress,
  CompactResult,
  IngestBatch,
  IngestInput,
  IngestResult,
  IngestSource,
  IngestStatus,
  MaintainInput,
  MaintainProgress,
  MaintainResult,
  MaterializeResult,
  RunProgress,
  TrainingSetProgress,
} from '../workers/index.js';
export { type AppendFileOptions, type AppendFileResult, appendFile } from './append-file.js';
export { type AppliedDefinitions, type ApplyDefinitionsOptions, applyDefinitions } from './apply-definitions.js';
export { type ArrowRecordsOptions, arrowRecords } from './arrow-records.js';
export {
  type BackfillOptions,
  type BackfillRequest,
  backfill,
  planBackfillOf,
  startBackfill,
} from './backfill.js';
export {
  changeProjectBackfillConcurrency,
  controlProjectBackfill,
  type RetriedBackfill,
  retryProjectBackfill,
} from './backfill-control.js';
export { type CompactOptions, type CompactPlan, compact, compactHere, planCompact, startCompact } from './compact.js';
export { createMoraine, type TypedMoraineOptions } from './create-moraine.js';
export { createTable, type NewTable } from './create-table.js';
export { listDatasets, replay, type SaveDatasetRequest, saveFeatures } from './datasets.js';
export type { AppliedSchedules } from './declared-schedules.js';
export { type DeleteOptions, deleteTableRows } from './delete-table-rows.js';
export {
  type DescribedFeature,
  describeView,
  type OnlineTableDescription,
  type ViewDescription,
} from './describe-view.js';
export { type DropTableOptions, dropTable } from './drop-table.js';
export type { Entities, SqlTables } from './entities.js';
export { type Estimate, type EstimatedReads, type EstimateRequest, estimate } from './estimate.js';
export type { FeatureReader, FeatureRow } from './feature-reader.js';
export {
  explainFeatures,
  type HistoricalAnswer,
  type HistoricalFeaturesRequest,
  withHistoricalFeatures,
} from './historical-features.js';
export {
  changeProjectIngestBatch,
  controlProjectIngest,
  projectIngestStatus,
  startProjectIngest,
} from './ingest.js';
export { type JsonObjectsOptions, jsonObjects, type RecordValue } from './json-objects.js';
export { type ListedTable, listTables, type TableSummary } from './list-tables.js';
export {
  type CompareLoggedFeaturesRequest,
  compareLog,
  type LoggedFeaturesRequest,
  logDeps,
  type WriteLoggedFeaturesOptions,
  withLoggedFeatures,
  writeLog,
} from './logged-features.js';
export { type MaintainOptions, type MaintainPlan, maintain, planMaintain, startMaintain } from './maintain.js';
export { type MaterializeOptions, type MaterializeRequest, materialize, startMaterialize } from './materialize.js';
export { type MaterializedView, type MaterializeViewsOptions, materializeViews } from './materialize-views.js';
export type { DefinitionsInput, HistoricalFeaturesTable, Moraine } from './moraine.js';
export { type MoveTableOptions, moveTableTo } from './move-table.js';
export type { AnyOnlineRow, NamedOnlineResponse } from './online-features.js';
export { getOnlineFeatures } from './online-features.js';
export type { OnlineRow, OnlineRowValue } from './online-row-json.js';
export { type IcebergSinkConfig, type OpenedIcebergSink, openIcebergSink } from './open-iceberg-sink.js';
export type { PlannedTable } from './planned-tables.js';
export {
  type FollowRunOptions,
  type ListedRun,
  listProjectRuns,
  listRunsOnRunningServer,
  onProjectRun,
  type RunsRequest,
  type ShowRunOptions,
  showProjectRun,
  waitForProjectRun,
} from './project-runs.js';
export {
  backfillProjectSchedule,
  createProjectSchedule,
  deleteProjectSchedule,
  describeProjectSchedule,
  listProjectSchedules,
  pauseProjectSchedule,
  resumeProjectSchedule,
  type ScheduleBackfillRequest,
  type ScheduleNoteOptions,
  triggerProjectSchedule,
} from './project-schedules.js';
export { type PullAnswer, type PullFeaturesRequest, withPulledFeatures } from './pull-features.js';
export { type PushRequest, push } from './push.js';
export type { PushedTable, SourcePush } from './push-append.js';
export { columnProblem, type PushPlan, type PushTarget, type PushTo } from './push-plan.js';
export { PushPlans } from './push-plans.js';
export { type OnlinePush, type PushedInput, type PushResult, pushRows } from './push-rows.js';
export type { RedefinedView } from './redefined-views.js';
export { registerDefinitions } from './register-definitions.js';
export type { RenamedTable } from './rename-online-tables.js';
export { type ReplayDeadLettersOptions, type ReplayedDeadLetters, replayDeadLetters } from './replay-dead-letters.js';
export { type BoundView, type BoundViews, resolveViews } from './resolve-views.js';
export type { ScheduleRequest } from './schedules.js';
export {
  type DeliveryOf,
  type RecordStream,
  type SinkFilesOptions,
  type SinkFilesResult,
  type SinkInput,
  sinkFiles,
} from './sink-files.js';
export { type SinkKafkaOptions, type SinkKafkaResult, sinkKafka } from './sink-kafka.js';
export { SourceWriter } from './source-writer.js';
export { measureStorageTraffic } from './storage-traffic.js';
export { listTableFiles, type TableFiles, type TableFilesRequest } from './table-files.js';
export { type TeardownOnlineOptions, type TornDownOnline, teardownOnline } from './teardown-online.js';
export { hasConfiguredServer, onProjectServer, type ServerOptions, type StartedRun } from './temporal-run.js';
export {
  type SaveTrainingSetRequest,
  saveTrainingSet,
  startTrainingSet,
  type TrainingSetOptions,
} from './training-sets.js';
export type { KnownDefinitions, TypedMoraine } from './typed-moraine.js';
export { type UpgradedTable, upgradeTable } from './upgrade-table.js';
export { tablesOfViews, type ViewTable, type ViewTableState, viewTableStates } from './view-tables.js';
export { type OnlineRows, type OnlineWriteRequest, onlineWriteBatch } from './write-online.js';
