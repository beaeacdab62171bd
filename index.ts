/**
 * Moraine as a library: definitions, and a client that applies, materializes and reads them.
 *
 * @packageDocumentation
 */
export {
  type AppendFileOptions,
  type AppendFileResult,
  type AppliedDefinitions,
  type AppliedSchedules,
  type ApplyDefinitionsOptions,
  type CompareLoggedFeaturesRequest,
  createMoraine,
  type DefinitionsInput,
  type Entities,
  type FeatureReader,
  type FeatureRow,
  type HistoricalAnswer,
  type HistoricalFeaturesRequest,
  type HistoricalFeaturesTable,
  type LoggedFeaturesRequest,
  type MaterializeOptions,
  type MaterializeRequest,
  type MaterializeResult,
  type Moraine,
  type NewTable,
  type PullAnswer,
  type PullFeaturesRequest,
  type RedefinedView,
  type RenamedTable,
  type RequestedRun,
  type RunProgress,
  type SaveDatasetRequest,
  type SaveTrainingSetRequest,
  type SqlTables,
  type TrainingSetOptions,
  type TrainingSetProgress,
  type WriteLoggedFeaturesOptions,
} from './client/index.js';
export type { ConfigInput, MoraineConfig } from './config/index.js';
export { ERROR_TABLE, type ErrorCode, type ErrorDetails, isMoraineError, MoraineError } from './errors/index.js';
export {
  type AnyDefinition,
  type ApplyPlan,
  type ApplyResult,
  type DatasetRecord,
  defineEntity,
  defineFeatureService,
  defineFeatureView,
  type EntityDefinition,
  type Explanation,
  type FeatureOfView,
  type FeatureServiceDefinition,
  type FeatureViewDefinition,
  type ReplayPart,
  type ReplayResult,
  type SavedDataset,
} from './features/index.js';
export { parseSchema, type Schema } from './iceberg/index.js';
export type {
  AppendedLog,
  CauseCounts,
  Difference,
  DifferenceCause,
  DifferenceExample,
  FeatureComparison,
  FeatureLogger,
  FeatureLoggerOptions,
  FeatureLoggerStats,
  LogComparison,
  RequestValue,
  ServedFeatures,
} from './logging/index.js';
export {
  type FeatureValue,
  featureValueToJson,
  type OnlineRequest,
  type OnlineResponse,
  type OnlineStatus,
  type OnlineValue,
} from './online/index.js';
export type { OpenProjectOptions, Project } from './project/index.js';
