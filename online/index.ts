/** Online tables: layout, creation and evolution, reading the newest row per entity. */

export { idempotencyKey } from '../tables/index.js';
export { type BatchRequest, readBatch } from './batch-read.js';
export { type BatchColumns, type BatchRows, type OpenedBatches, openBatches } from './batch-rows.js';
export { NEWEST_ROWS_AS_OF } from './compactions.js';
export { changedParts, type DefinitionFingerprint, fingerprintDefinition } from './definition-fingerprint.js';
export { ensureOnlineTable, type OnlineTable, outlineOnlineTable } from './ensure-online-table.js';
export {
  type EntityKeyPart,
  type EntityRow,
  encodeEntityKey,
  entityKeySql,
  entityKeyValues,
  keyValue,
  keyValueOfText,
  type ReadKeyValue,
  readKeyValue,
} from './entity-key.js';
export { type FeatureValue, featureValueToJson } from './feature-value.js';
export { GroupCommits, type GroupOutcome, type GroupWork, type Outcome, type RequestSize } from './group-commits.js';
export { type KnownBatch, knownBatches } from './keyed-batches.js';
export type { SnapshotName } from './lineage.js';
export { ONLINE_COLUMNS } from './online-columns.js';
export {
  DEFAULT_ONLINE_SETTINGS,
  type KeyStrategy,
  type OnlineLayout,
  type OnlineSettings,
  onlineLayout,
  partitioningText,
} from './online-layout.js';
export {
  bucketOf,
  type OnlinePartitioning,
  onlineSpecOf,
  type PartitionPlaces,
  type PlacingColumns,
  partitioningOf,
  partitionPlaces,
} from './online-partitioning.js';
export { onlineProblems } from './online-problems.js';
export { type FoundRows, responseOf } from './online-read.js';
export {
  DEFAULT_CACHE_BYTES,
  DEFAULT_QUEUE_TIMEOUT_MS,
  DEFAULT_READ_TIMEOUT_MS,
  FIRST_READ_TIMEOUT_MS,
  getOnlineFeatures,
  type OnlineDeps,
  OnlineReader,
  type OpenView,
} from './online-reader.js';
export type { OnlineFeature, OnlineJoinKey, OnlineRequest, OnlineResponse, SnapshotRead } from './online-request.js';
export { onlineRowSql } from './online-row.js';
export {
  incompatibility,
  incompatibleOnlineTable,
  JOIN_KEYS_PROPERTY,
  joinKeysOfTable,
} from './online-schema-change.js';
export { isExpired, type OnlineStatus, type OnlineValue } from './online-status.js';
export type { OnlineRow } from './online-view.js';
export { type ClientBatch, OnlineWriter, type WriterListener } from './online-writer.js';
export { type Column, isNull, valueAt } from './parts/column.js';
export { eventTimestampUs, type RowPlace } from './parts/segment.js';
export { isPushedOnline, PUSHED_ONLINE } from './pushed-snapshots.js';
export { type CountedFile, countedFile, type ReadAmplification, readAmplification } from './read-amplification.js';
export {
  type RenameDeps,
  type RenamedOnlineTable,
  type RenamedView,
  renameOnlineTables,
  requireFreeName,
} from './rename-online-table.js';
export type { FeatureSelection } from './select-features.js';
export { SharedCheck } from './shared-check.js';
export { doShared, notePart, PART_CHANNEL, type SharedWork, WORK_CHANNEL } from './shared-work.js';
export {
  collectFewRows,
  type FewRows,
  isFew,
  sharedSpecOf,
  stageFewRows,
  withSharedSpec,
} from './small-writes.js';
export { readSources, type SourceRequest } from './source-read.js';
export { hasColumnsSince, hasOtherColumns, onlineColumns, storedSchema } from './stored-columns.js';
export { definitionChangeTexts } from './stored-definition.js';
export {
  anchorJson,
  anchorOf,
  definitionJson,
  definitionToJson,
  type EffectiveText,
  effectiveText,
  PROGRESS_PROPERTY,
  PROGRESS_SUMMARY,
  type ProgressAnchor,
} from './table-progress.js';
export type { FoundView } from './view-read.js';
export { type OnlineBatch, writeOnlineBatch } from './write-batch.js';
export type { OnlineWriteResult } from './write-group.js';
export { madeOnlineTable, type OnlineWriteDeps, onlineWriteTarget } from './write-target.js';
