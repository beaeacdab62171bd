/** Files that a table tracks. Source: Apache Iceberg specification, "Manifests" and "Manifest Lists". */
import type { Location } from '../../locations/index.js';
import type { PartitionTuple } from '../partitions/partition-spec.js';
import type { PrimitiveType } from '../schema/types.js';

export type FileContent = 'data' | 'position-deletes' | 'equality-deletes';
export type FileFormat = 'PARQUET' | 'AVRO' | 'ORC' | 'PUFFIN';

/** A data or delete file, with the statistics that planning uses. Maps are keyed by field id. */
export interface DataFile {
  readonly content: FileContent;
  readonly filePath: Location;
  readonly fileFormat: FileFormat;
  readonly specId: number;
  readonly partition: PartitionTuple;
  /**
   * Types of the partition's values, given where the table's metadata does not tell them all, and unknown for those that it tells: whoever
   * lists the file again needs them.
   */
  readonly partitionTypes?: readonly PrimitiveType[];
  readonly recordCount: bigint;
  readonly fileSizeInBytes: bigint;
  readonly columnSizes?: ReadonlyMap<number, bigint>;
  readonly valueCounts?: ReadonlyMap<number, bigint>;
  readonly nullValueCounts?: ReadonlyMap<number, bigint>;
  readonly nanValueCounts?: ReadonlyMap<number, bigint>;
  /** Lower bounds in the specification's single-value binary form. */
  readonly lowerBounds?: ReadonlyMap<number, Uint8Array>;
  readonly upperBounds?: ReadonlyMap<number, Uint8Array>;
  readonly keyMetadata?: Uint8Array;
  readonly splitOffsets?: readonly bigint[];
  readonly equalityIds?: readonly number[];
  readonly sortOrderId?: number;
  /** v3 row lineage. */
  readonly firstRowId?: bigint;
  /** v3: the data file that a position-delete file or deletion vector applies to. */
  readonly referencedDataFile?: string;
  readonly contentOffset?: bigint;
  readonly contentSizeInBytes?: bigint;
}

/** A manifest entry. Null ids and sequence numbers are inherited from the manifest-list entry. */
export interface ManifestEntry {
  readonly status: 'existing' | 'added' | 'deleted';
  readonly snapshotId: bigint | null;
  readonly sequenceNumber: bigint | null;
  readonly fileSequenceNumber: bigint | null;
  readonly dataFile: DataFile;
}

/** Summary of one partition field over all files of a manifest. Bounds are in single-value binary form. */
export interface FieldSummary {
  readonly containsNull: boolean;
  readonly containsNan?: boolean;
  readonly lowerBound?: Uint8Array;
  readonly upperBound?: Uint8Array;
}

/** A manifest as listed in a manifest list. Counts are missing in some v1 lists. */
export interface ManifestFile {
  readonly manifestPath: string;
  readonly manifestLength: bigint;
  readonly partitionSpecId: number;
  readonly content: 'data' | 'deletes';
  readonly sequenceNumber: bigint;
  readonly minSequenceNumber: bigint;
  readonly addedSnapshotId: bigint;
  readonly addedFilesCount?: number;
  readonly existingFilesCount?: number;
  readonly deletedFilesCount?: number;
  readonly addedRowsCount?: bigint;
  readonly existingRowsCount?: bigint;
  readonly deletedRowsCount?: bigint;
  readonly partitions?: readonly FieldSummary[];
  readonly keyMetadata?: Uint8Array;
  readonly firstRowId?: bigint;
}
