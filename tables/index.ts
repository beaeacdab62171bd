/** Tables: loading, planning scans, following changes, and committing. */

export { resolveSnapshot as selectSnapshot, type SnapshotSelection } from '../iceberg/index.js';
export { ANCESTRY, ancestryOf, isInAncestry } from './ancestry.js';
export type { ArrivedDeletes } from './arrived-deletes.js';
export { changeSchema } from './change-schema.js';
export { type CommitOptions, type CommitResult, reload, requireCatalog, requireWritable } from './commit.js';
export { clockOf, hasCode, isOutrun, retryConflicts } from './conflicts.js';
export { danglingTest, deleteFileKey } from './dangling-deletes.js';
export { deletesOfFiles, type FileWithDeletes } from './deletes-of-files.js';
export { ensureTable, findTable } from './ensure-table.js';
export { commitExpiryBehindFence, commitProtection } from './expiry-fence.js';
export { reachFaultPoint } from './fault-point.js';
export { contentOf, fileAsJson, fileFacts } from './file-description.js';
export { findIdempotencyKeys, IdempotencyKeysTaken, recordingKeys } from './idempotency-keys.js';
export {
  IDEMPOTENCY_KEYS,
  type IdempotencyKey,
  type IdempotencyRecord,
  idempotencyFiles,
  idempotencyKey,
  withRelocatedKeys,
} from './idempotency-records.js';
export {
  activeLeases,
  isActive,
  LEASE_PREFIX,
  type Lease,
  leasesOf,
  releaseLease,
  takeLease,
  withoutEndedLeases,
  withoutLeases,
} from './leases.js';
export { type ListedFiles, listFiles } from './list-files.js';
export { longText } from './long-text.js';
export { manifestContext, readManifestEntries, readSnapshotManifests } from './manifest-files.js';
export { readStagedManifest, requireSpec, stageFiles, stageManifest } from './manifest-writer.js';
export {
  commitUnmoved,
  MOVED_TO,
  type MovedTo,
  markMoved,
  movedTo,
  requireUnmoved,
  sequenceNumberOfMark,
  withoutMark,
} from './moved-table.js';
export { openPinnedTable, type PinnedTable, pinTable } from './pinned-table.js';
export { countDeletes, type DeleteStats, deleteFilesOf } from './plan-deletes.js';
export { planFiles, type ScanPlan, type ScanRequest, type ScanStats } from './plan-files.js';
export type { PlannedFile } from './planned-file.js';
export { type CarriedDeletes, commitRewrite, type RewriteRequest } from './rewrite.js';
export { commitRewriteManifests, type RewriteManifestsRequest } from './rewrite-manifests.js';
export { commitRowDelta, type RowDeltaRequest } from './row-delta.js';
export { findRun, RECENT_RUNS, RUN_KEY, type RunMarker, WINDOW_KEYS, windowKeysText } from './run-marker.js';
export { type SnapshotChange, type SnapshotGap, type SnapshotOperation, snapshotChanges } from './snapshot-changes.js';
export { loadTable, loadTableAt, openTableLocation, type Table } from './table.js';
export { commitUntilNone, commitUpdates } from './update-metadata.js';
export {
  type AppendRequest,
  commitAppend,
  commitOverwrite,
  type NewDeletes,
  type NewFiles,
  type OverwriteRequest,
  type RewrittenFiles,
} from './write-operations.js';
