/** Keeping tables in shape: what has had its time goes, and nothing that anybody needs. */
export type { MaintenanceDeps } from './deps.js';
export { commitExpiry, deleteExpiredFiles, type ExpiredFiles, type StagedExpiry, stageExpiry } from './expire.js';
export { type ExpiryPlan, type ExpirySettings, planExpiry, type SnapshotRoot } from './expiry-plan.js';
export { activeLeases, LEASES, type Lease, leasesOf, releaseLease, takeLease } from './leases.js';
export {
  DEFAULT_ORPHAN_AGE_MS,
  type OrphanSettings,
  orphanAgeMs,
  type SweptFiles,
  sweepOrphans,
} from './orphans.js';
export type { FileVerdict } from './sweep.js';
