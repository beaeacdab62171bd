/** Logged features: what online reads answered, kept in an Iceberg table, read back, and compared with retrieval. */

export { type AppendedLog, writeLoggedFeatures } from './append-log.js';
export {
  type CompareLogDeps,
  type CompareLogRequest,
  type ComparisonProgress,
  compareLoggedFeatures,
} from './compare-log.js';
export {
  CAUSES,
  type CauseCounts,
  DIFFERENCES,
  type Difference,
  type DifferenceCause,
  type DifferenceExample,
  type FeatureComparison,
  type LogComparison,
} from './comparison.js';
export { FeatureLogger, type FeatureLoggerOptions, type FeatureLoggerStats, isSampled } from './feature-logger.js';
export { LOG_COLUMNS } from './log-columns.js';
export { type LogDeps, logTableIdentifier } from './log-table.js';
export { type LoggedFeatures, type LogWindow, loggedEntities, withLoggedFeatures } from './read-log.js';
export type { RequestValue, ServedFeatures } from './served-features.js';
