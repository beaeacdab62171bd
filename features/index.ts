/** The domain: definitions, registry, latest row per entity, point-in-time retrieval. */
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
export { type CanonicalValue, canonicalHash, canonicalJson } from './definition-hash.js';
export { formatDurationMs, parseDurationMs } from './duration.js';
export {
  acceptsType,
  featureTypeToString,
  isJoinKeyType,
  isTimestampType,
  parseFeatureType,
  sameType,
} from './feature-type.js';
export {
  chooseLatestMethod,
  type LatestEstimate,
  type LatestMethod,
  type LatestRelation,
  type LatestRequest,
  latestOfView,
  latestPerEntitySql,
  type NamedColumn,
  prepareLatestPerEntity,
} from './latest-per-entity.js';
export { didYouMean, nearestNames } from './nearest-names.js';
export { formatProblem, type Problem } from './problem.js';
export { type ResolvedColumn, type ResolvedView, resolveView } from './resolve-view.js';
export type { SqlSession } from './sql-session.js';
