/** Materialization: from a source table's snapshot to the online table, as plan, extraction and commit. */
export { commitMaterialization, type MaterializationCommit } from './commit-materialization.js';
export { commitWindows, type StagedWindow, type WindowOutcome, type WindowsCommit } from './commit-windows.js';
export { type Coverage, coverageWithin, uncovered } from './coverage.js';
export type { RunKind } from './decide.js';
export { fingerprintDefinition } from './definition-fingerprint.js';
export type { MaterializationDeps } from './deps.js';
export { type EventTimeColumn, eventTimeBounds, eventTimeColumn } from './event-time-filter.js';
export { type ExtractOptions, extractShard, type ShardResult } from './extract-shard.js';
export { FAULT_POINTS, type FaultPoint } from './fault-point.js';
export { filesAt } from './files-at.js';
export type { Interval } from './interval.js';
export { type MaterializationResult, materializeDirect } from './materialize-direct.js';
export {
  type MaterializationRequest,
  type PlanReference,
  planMaterialization,
  resolveSource,
} from './plan-materialization.js';
export { effectiveProgress, type IncrementalProgress, PROGRESS_PROPERTY, type Progress } from './progress.js';
export { readPlan } from './read-plan.js';
export { existingSnapshot, NO_SNAPSHOT, sourceState } from './source-state.js';
