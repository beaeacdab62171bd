/** Materialization: from a source table's snapshot to the online table, as plan, extraction and commit. */
export { commitMaterialization, type MaterializationCommit } from './commit-materialization.js';
export type { RunKind } from './decide.js';
export type { MaterializationDeps } from './deps.js';
export { type ExtractOptions, extractShard, type ShardResult } from './extract-shard.js';
export { FAULT_POINTS, type FaultPoint } from './fault-point.js';
export { type MaterializationResult, materializeDirect } from './materialize-direct.js';
export { type MaterializationRequest, type PlanReference, planMaterialization } from './plan-materialization.js';
export { effectiveProgress, type IncrementalProgress, PROGRESS_PROPERTY, type Progress } from './progress.js';
