/** Files that scan planning finds, and the pruner that skips others. */
import type { DataFile, FileDeletes, IdentityValues, ManifestFile, PartitionSpec } from '../iceberg/index.js';

/** A live data file of a snapshot. */
export interface PlannedFile {
  readonly file: DataFile;
  readonly spec: PartitionSpec;
  /** The data sequence number. */
  readonly sequenceNumber: bigint;
  /** Sequence number of the snapshot that added the file, where that is a later one: a rewrite keeps the number of an older snapshot. */
  readonly fileSequenceNumber?: bigint;
  /** Values of columns that the file itself may lack, where its partition tells them. */
  readonly identityValues?: IdentityValues;
  /** Deletes that apply to the file; absent if every row is live. */
  readonly deletes?: FileDeletes;
}

/** Decides by partition values and statistics; a file without them is kept. */
export interface FilePruner {
  manifest(manifest: ManifestFile): boolean;
  /** Judges by the partition alone. */
  partition(file: DataFile): boolean;
  file(file: DataFile): boolean;
}
