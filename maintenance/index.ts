/** Keeping tables in shape: what has had its time goes, and nothing that anybody needs. */
export type { StagedGroup } from './compaction/carry-deletes.js';
export type { PlanOptions, SkippedFiles } from './compaction/choose-files.js';
export { type CommittedGroups, commitCompaction } from './compaction/commit-compaction.js';
export type { CompactDeps } from './compaction/compact-deps.js';
export { type CompactionResult, compactDirect } from './compaction/compact-direct.js';
export { COMPACT_FAULT_POINTS, type CompactFaultPoint } from './compaction/compact-fault-points.js';
export { endCompaction } from './compaction/compact-lease.js';
export {
  COMPACT_STRATEGIES,
  type CompactRequest,
  type CompactStrategy,
  parseCompactRequest,
} from './compaction/compact-request.js';
export {
  type CompactionPreview,
  type CompactionReference,
  type GroupSummary,
  planCompaction,
  previewCompaction,
} from './compaction/plan-compaction.js';
export { type RewriteOptions, type RewrittenGroup, rewriteGroup } from './compaction/rewrite-group.js';
export type { GuardedPlace, MaintenanceDeps } from './deps.js';
export { type DroppedFiles, purgeTable } from './drop-table.js';
export { type DryRun, dryRunMaintenance, type MaintenanceSettings } from './dry-run.js';
export {
  commitExpiry,
  deleteExpiredFiles,
  type ExpiredFiles,
  type StagedExpiry,
  stageExpiry,
} from './expiry/expire.js';
export { type ExpiryPlan, type ExpirySettings, planExpiry, type SnapshotRoot } from './expiry/expiry-plan.js';
export { type TableHealth, tableHealth } from './health.js';
export { endMaterialization, whileLeased } from './leases/materialize-lease.js';
export type { MoveProgress } from './move/copy-table.js';
export {
  MOVE_FAULT_POINTS,
  type MoveDeps,
  type MovedTable,
  type MoveOptions,
  moveTable,
} from './move/move-table.js';
export { type MaintenancePolicy, type PolicyRun, planPolicyRuns, policyFor, type TableState } from './policy.js';
export { danglingDeletes, type TidiedManifests, tidyManifests } from './rewrite-manifests.js';
export {
  DEFAULT_ORPHAN_AGE_MS,
  type OrphanSettings,
  orphanAgeMs,
  type SweptFiles,
  sweepOrphans,
} from './sweep/orphans.js';
export type { FileVerdict } from './sweep/sweep.js';
export { dropRemedy } from './table-name.js';
