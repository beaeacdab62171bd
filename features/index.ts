/** The domain: definitions, registry, latest row per entity, point-in-time retrieval. */

export {
  type ApplyOptions,
  type ApplyPlan,
  objectKey,
  type PlannedChange,
  planApply,
  planChangesAnything,
  type RegistryState,
} from './apply-plan.js';
export { checkReferences } from './check-references.js';
export {
  DATASET_PROPERTY,
  type DatasetLocation,
  type DatasetRecord,
  recipeHash,
  recordFromJson,
  recordToJson,
  statesFromJson,
  statesJson,
} from './dataset-record.js';
export { DatasetRegistry, type SavedDataset } from './dataset-registry.js';
export {
  commitDatasetRows,
  committedRecord,
  DATASET_FAULT_POINTS,
  type DatasetTarget,
  ensureDatasetTable,
  findDatasetTable,
  saveKey,
} from './dataset-table.js';
export {
  type AnyDefinition,
  collectDefinitions,
  defineEntity,
  defineFeatureService,
  defineFeatureView,
  type EntityDefinition,
  type FeatureOfView,
  type FeatureServiceDefinition,
  type FeatureViewDefinition,
} from './define.js';
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
} from './definition.js';
export { NO_DEFINITIONS } from './definition.js';
export type { FieldChange } from './definition-diff.js';
export { type CanonicalValue, canonicalHash, canonicalJson } from './definition-hash.js';
export { definitionToJson } from './definition-json.js';
export { formatDurationMs, parseDurationMs } from './duration.js';
export { type EntityRelation, EVENT_TIMESTAMP, entityTimestamp } from './entity-frame.js';
export type { EntityRow, EntityValue } from './entity-rows.js';
export { type EntitySource, type KeyTypes, openTableRows } from './entity-source.js';
export { type ColumnBound, type Explanation, explainHistoricalFeatures, type ViewExplanation } from './explain.js';
export { feastValueType } from './feast-type.js';
export { newestFirst, type OrderColumns } from './feature-order.js';
export {
  type FeatureSelection,
  featureReference,
  outputName,
  type RequestedFeature,
  type RequestedView,
  requestedViews,
  selectedFeatures,
} from './feature-request.js';
export {
  acceptsType,
  featureTypeToString,
  isJoinKeyType,
  isTimestampType,
  parseFeatureType,
  sameType,
} from './feature-type.js';
export type { FeatureWindow } from './feature-window.js';
export { findFeatureService, findFeatureView } from './find-definition.js';
export {
  getHistoricalFeatures,
  getHistoricalFrame,
  type HistoricalDeps,
  type HistoricalFeatures,
  type HistoricalRequest,
} from './historical-features.js';
export {
  chooseLatestMethod,
  type LatestEstimate,
  type LatestMethod,
  type LatestRelation,
  type LatestRequest,
  latestPerEntitySql,
  type NamedColumn,
  prepareLatestPerEntity,
} from './latest-per-entity.js';
export { type DefinitionSource, parseDefinitions, parseFeatureReference, type ValuePath } from './parse-definitions.js';
export { datasetTag, pinSnapshots } from './pin-snapshots.js';
export { type HistoricalAsOf, pinSource, stateOf, type TableState } from './pin-source.js';
export type { JoinMethod } from './point-in-time-sql.js';
export { formatProblem, type Problem, throwProblems } from './problem.js';
export { nameOfId, projectName, projectOfId } from './project-id.js';
export { type PullDeps, type PulledRows, type PullRequest, type PullSource, pullAll, pullLatest } from './pull.js';
export { type ApplyResult, Registry, type RegistryAsOf, type RegistryDeps } from './registry.js';
export type { RegistryRow } from './registry-rows.js';
export { type ReplayPart, type ReplayResult, recordedDeps, recordedRequest, replayDataset } from './replay-dataset.js';
export { type ResolvedColumn, type ResolvedView, resolveView } from './resolve-view.js';
export { ROW_TIMES } from './retrieval-plan.js';
export {
  checkSaveRequest,
  DATASET_NAME_RULE,
  dropUnrecorded,
  isDatasetName,
  type SaveDeps,
  type SaveRequest,
  saveDataset,
  unpinUnrecorded,
} from './save-dataset.js';
export type { SqlSession } from './sql-session.js';
export type { TableSql } from './table-sql.js';
export { validateSources } from './validate-sources.js';
export type { JoinedView } from './view-join.js';
export { latestOfView, SEQUENCE_COLUMN, viewColumns, viewScanSchema, viewScanSql } from './view-scan.js';
export {
  SCHEDULE_OVERLAPS,
  type ScheduledRuns,
  type ScheduleOverlap,
  type ScheduleTimes,
  scheduleTimeProblems,
  type ViewSchedule,
  viewScheduleToJson,
} from './view-schedule.js';
export { withMicroseconds } from './whole-microseconds.js';
