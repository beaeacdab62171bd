/** Keeping tables in shape: what has had its time goes, and nothing that anybody needs. */
export type { StagedGroup } from './carry-deletes.js';
export { type CommittedGroups, commitCompaction } from './commit-compaction.js';
export type { CompactDeps } from './compact-deps.js';
export { type CompactionResult, compactDirect } from './compact-direct.js';
export { COMPACT_FAULT_POINTS, type CompactFaultPoint } from './compact-fault-points.js';
export { endCompaction } from './compact-lease.js';
export {
  COMPACT_STRATEGIES,
  type CompactRequest,
  type CompactStrategy,
  parseCompactRequest,
} from './compact-request.js';
export type { MaintenanceDeps } from './deps.js';
export { type DryRun, dryRunMaintenance, type MaintenanceSettings } from './dry-run.js';
export { commitExpiry, deleteExpiredFiles, type ExpiredFiles, type StagedExpiry, stageExpiry } from './expire.js';
export { type ExpiryPlan, type ExpirySettings, planExpiry, type SnapshotRoot } from './expiry-plan.js';
export { type TableHealth, tableHealth } from './health.js';
export { activeLeases, LEASES, type Lease, leasesOf, releaseLease, takeLease } from './leases.js';
export { endMaterialization, whileLeased } from './materialize-lease.js';
export {
  DEFAULT_ORPHAN_AGE_MS,
  type OrphanSettings,
  orphanAgeMs,
  type SweptFiles,
  sweepOrphans,
} from './orphans.js';
export type { GuardedPlace } from './own-folders.js';
export {
  type CompactionPreview,
  type CompactionReference,
  type GroupSummary,
  type PlanOptions,
  planCompaction,
  previewCompaction,
  type SkippedFiles,
} from './plan-compaction.js';
export { type MaintenancePolicy, type PolicyRun, planPolicyRuns, policyFor, type TableState } from './policy.js';
export { type RewriteOptions, type RewrittenGroup, rewriteGroup } from './rewrite-group.js';
export { danglingDeletes, type TidiedManifests, tidyManifests } from './rewrite-manifests.js';
export type { FileVerdict } from './sweep.js';
