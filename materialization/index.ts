/** Materialization: from a source table's snapshot to the online table, as plan, extraction and commit. */
export { commitMaterialization, type MaterializationCommit } from './commit-materialization.js';
export {
  commitWindows,
  groupKey,
  groupSummary,
  type StagedWindow,
  type WindowOutcome,
  type WindowsCommit,
} from './commit-windows.js';
export { type Coverage, cover, coverageWithin, uncovered } from './coverage.js';
export type { RunKind } from './decide.js';
export type { MaterializationDeps } from './deps.js';
export { discardReducedRows } from './discard-reduced-rows.js';
export { type EventTimeColumn, eventTimeBounds, eventTimeColumn, eventTimeFilter } from './event-time-filter.js';
export { extractPlan } from './extract-plan.js';
export { type ExtractOptions, type ExtractShardOptions, extractShard, type ShardResult } from './extract-shard.js';
export { FAULT_POINTS, type FaultPoint } from './fault-point.js';
export { filesAt } from './files-at.js';
export type { Interval } from './interval.js';
export { type MaterializationResult, materializeDirect } from './materialize-direct.js';
export {
  type MaterializationOutline,
  outlineMaterialization,
  planMaterialization,
  resolveSource,
} from './plan-materialization.js';
export type { MaterializationRequest, PlanReference } from './plan-request.js';
export {
  effectiveProgress,
  type IncrementalProgress,
  type Progress,
} from './progress.js';
export { onNewestProgress, progressMovedError } from './progress-guard.js';
export { readPlan } from './read-plan.js';
export { reducePart } from './reduce-part.js';
export { existingSnapshot, NO_SNAPSHOT, sourceState } from './source-state.js';
