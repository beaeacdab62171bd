/** Table metadata. Source: Apache Iceberg specification, "Table Metadata". */
import type { PartitionSpec } from '../partitions/partition-spec.js';
import type { Schema } from '../schema/types.js';
import type { SortOrder } from './sort-order.js';

/** One state of a table. */
export interface Snapshot {
  readonly snapshotId: bigint;
  readonly parentSnapshotId?: bigint;
  /** 0 in v1 tables. */
  readonly sequenceNumber: bigint;
  readonly timestampMs: bigint;
  /** Location of the manifest list; v1 tables may have `manifests` instead. */
  readonly manifestList?: string;
  /** v1 only: locations of the manifests themselves. */
  readonly manifests?: readonly string[];
  /** `operation` and further summary properties. */
  readonly summary: ReadonlyMap<string, string>;
  readonly schemaId?: number;
  readonly firstRowId?: bigint;
  readonly addedRows?: bigint;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A named pointer to a snapshot. */
export interface SnapshotRef {
  readonly snapshotId: bigint;
  readonly type: 'branch' | 'tag';
  readonly minSnapshotsToKeep?: number;
  readonly maxSnapshotAgeMs?: bigint;
  readonly maxRefAgeMs?: bigint;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

export interface SnapshotLogEntry {
  readonly snapshotId: bigint;
  readonly timestampMs: bigint;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

export interface MetadataLogEntry {
  readonly metadataFile: string;
  readonly timestampMs: bigint;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A table's whole metadata, immutable. 64-bit numbers are exact; fields that are not known here are kept as they came. */
export interface TableMetadata {
  readonly formatVersion: 1 | 2 | 3;
  /** Empty in v1 metadata without one. */
  readonly tableUuid: string;
  readonly location: string;
  readonly lastSequenceNumber: bigint;
  readonly lastUpdatedMs: bigint;
  readonly lastColumnId: number;
  readonly schemas: readonly Schema[];
  readonly currentSchemaId: number;
  readonly partitionSpecs: readonly PartitionSpec[];
  readonly defaultSpecId: number;
  readonly lastPartitionId: number;
  readonly sortOrders: readonly SortOrder[];
  readonly defaultSortOrderId: number;
  readonly properties: ReadonlyMap<string, string>;
  readonly currentSnapshotId: bigint | null;
  readonly snapshots: readonly Snapshot[];
  readonly snapshotLog: readonly SnapshotLogEntry[];
  readonly metadataLog: readonly MetadataLogEntry[];
  readonly refs: ReadonlyMap<string, SnapshotRef>;
  /** v3: the next row id to assign. */
  readonly nextRowId?: bigint;
  /** Statistics, partition statistics, encryption keys and everything unknown, as parsed, written back unchanged. */
  readonly otherFields: ReadonlyMap<string, unknown>;
}
