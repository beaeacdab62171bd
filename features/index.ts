/** The domain: definitions, registry, latest row per entity, point-in-time retrieval. */

export {
  DATASET_PROPERTY,
  type DatasetLocation,
  type DatasetRecord,
  recipeHash,
  recordFromJson,
  recordToJson,
  statesFromJson,
  statesJson,
} from './datasets/dataset-record.js';
export { DatasetRegistry, type SavedDataset } from './datasets/dataset-registry.js';
export {
  commitDatasetRows,
  committedRecord,
  DATASET_FAULT_POINTS,
  type DatasetTarget,
  ensureDatasetTable,
  findDatasetTable,
  saveKey,
} from './datasets/dataset-table.js';
export { datasetTag, pinSnapshots } from './datasets/pin-snapshots.js';
export {
  type ReplayPart,
  type ReplayResult,
  recordedDeps,
  recordedRequest,
  replayDataset,
} from './datasets/replay-dataset.js';
export {
  checkSaveRequest,
  DATASET_NAME_RULE,
  dropUnrecorded,
  isDatasetName,
  type SaveDeps,
  type SaveRequest,
  saveDataset,
  unpinUnrecorded,
} from './datasets/save-dataset.js';
export { withMicroseconds } from './datasets/whole-microseconds.js';
export { checkReferences } from './definitions/check-references.js';
export {
  type AnyDefinition,
  collectDefinitions,
  type DeclaredTypes,
  defineEntity,
  defineFeatureService,
  defineFeatureView,
  type EntityDefinition,
  type FeatureOfView,
  type FeatureServiceDefinition,
  type FeatureTypeText,
  type FeatureViewDefinition,
  type TypesOfFeatures,
  type ViewSelection,
} from './definitions/define.js';
export type {
  DefinitionBase,
  DefinitionKind,
  Definitions,
  Entity,
  Feature,
  FeatureReference,
  FeatureService,
  FeatureSource,
  FeatureView,
  PartitionStrategy,
} from './definitions/definition.js';
export {
  findFeatureService,
  findFeatureView,
  NO_DEFINITIONS,
  PARTITION_STRATEGIES,
  viewsOfPushSource,
} from './definitions/definition.js';
export { type CanonicalValue, canonicalHash, canonicalJson } from './definitions/definition-hash.js';
export { definitionToJson } from './definitions/definition-json.js';
export { formatDurationMs, parseDurationMs } from './definitions/duration.js';
export { feastValueType } from './definitions/feast-type.js';
export {
  acceptsType,
  featureTypeToString,
  isJoinKeyType,
  isTimestampType,
  parseFeatureType,
  sameType,
} from './definitions/feature-type.js';
export {
  type DefinitionSource,
  parseDefinitions,
  parseFeatureReference,
  type ValuePath,
} from './definitions/parse-definitions.js';
export { formatProblem, type Problem, throwProblems } from './definitions/problem.js';
export {
  SCHEDULE_OVERLAPS,
  type ScheduledRuns,
  type ScheduleOverlap,
  type ScheduleTimes,
  scheduleTimeProblems,
  type ViewSchedule,
  viewScheduleToJson,
} from './definitions/view-schedule.js';
export type { FeatureWindow } from './pull/feature-window.js';
export { type PullDeps, type PulledRows, type PullRequest, type PullSource, pullAll, pullLatest } from './pull/pull.js';
export type { TableSql } from './query/table-sql.js';
export {
  type ApplyOptions,
  type ApplyPlan,
  objectKey,
  type PlannedChange,
  planApply,
  planChangesAnything,
  type RegistryState,
} from './registry/apply-plan.js';
export type { FieldChange } from './registry/definition-diff.js';
export { nameOfId, projectName, projectOfId } from './registry/project-id.js';
export { type ApplyResult, Registry, type RegistryAsOf, type RegistryDeps } from './registry/registry.js';
export type { RegistryRow } from './registry/registry-row.js';
export { validateSources } from './registry/validate-sources.js';
export { type EntityRelation, EVENT_TIMESTAMP, entityTimestamp } from './retrieval/entity-frame.js';
export type { EntityRow, EntityValue } from './retrieval/entity-rows.js';
export {
  type EntityRowsOptions,
  type EntitySource,
  type KeyTypes,
  openEntitySource,
  openTableRows,
} from './retrieval/entity-source.js';
export {
  type ExpectedFrame,
  type ExpectedJoin,
  entityTimesUs,
  expectJoins,
  type TimesUs,
} from './retrieval/expected-join.js';
export {
  type ColumnBound,
  type Explanation,
  explainHistoricalFeatures,
  type ViewExplanation,
} from './retrieval/explain.js';
export {
  type FeatureSelection,
  featureReference,
  outputName,
  type RequestedFeature,
  type RequestedView,
  requestedViews,
  selectedFeatures,
} from './retrieval/feature-request.js';
export {
  getHistoricalFeatures,
  getHistoricalFrame,
  type HistoricalDeps,
  type HistoricalFeatures,
  type HistoricalRequest,
} from './retrieval/historical-features.js';
export type { JoinMethod } from './retrieval/point-in-time-sql.js';
export {
  openReducedView,
  openViewOnTrino,
  plannedView,
  type ReducibleView,
  type ReducibleViews,
  reducedViewSchema,
  reducibleViews,
} from './retrieval/reduced-view.js';
export { type RetrievalRequest, ROW_TIMES } from './retrieval/retrieval-plan.js';
export { shardOfKeysSql } from './retrieval/shard-of-keys.js';
export { type JoinedView, readOf } from './retrieval/view-join.js';
export type { SqlSession } from './sql-session.js';
export { entitiesAtMost } from './views/entities-at-most.js';
export { newestFirst, type OrderColumns } from './views/feature-order.js';
export {
  chooseLatestMethod,
  type LatestEstimate,
  type LatestMethod,
  type LatestRelation,
  type LatestRequest,
  latestPerEntitySql,
  type NamedColumn,
  prepareLatestPerEntity,
  prepareNewestTies,
} from './views/latest-per-entity.js';
export { type HistoricalAsOf, pinSource, stateOf, type TableState } from './views/pin-source.js';
export { type ResolvedColumn, type ResolvedView, resolveView } from './views/resolve-view.js';
export { latestOfView, SEQUENCE_COLUMN, viewColumns, viewScanSchema, viewScanSql } from './views/view-scan.js';
