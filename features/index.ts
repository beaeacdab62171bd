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
  latestPerEntitySql,
  type NamedColumn,
  prepareLatestPerEntity,
} from './latest-per-entity.js';
export { didYouMean, nearestNames } from './nearest-names.js';
export { type DefinitionSource, parseDefinitions, parseFeatureReference, type ValuePath } from './parse-definitions.js';
export { formatProblem, type Problem } from './problem.js';
export { type ApplyResult, Registry, type RegistryAsOf, type RegistryDeps } from './registry.js';
export type { RegistryRow } from './registry-rows.js';
export { type ResolvedColumn, type ResolvedView, resolveView } from './resolve-view.js';
export type { SqlSession } from './sql-session.js';
export { validateSources } from './validate-sources.js';
export { latestOfView, SEQUENCE_COLUMN, viewColumns, viewScanSchema, viewScanSql } from './view-scan.js';
