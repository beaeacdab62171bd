import type { TableMetadata } from './metadata.js';

/** A commit that is being applied: the metadata so far and what the commit did up to here. */
export interface MetadataDraft {
  metadata: TableMetadata;
  changed: boolean;
  readonly nowMs: bigint;
  /** The time of the commit, once something has set it. */
  updatedMs: bigint | undefined;
  lastAddedSchemaId: number | undefined;
  lastAddedSpecId: number | undefined;
  lastAddedSortOrderId: number | undefined;
  readonly addedSnapshotIds: Set<bigint>;
  /** Snapshots that the main branch pointed at in the course of this commit. */
  readonly mainSnapshotIds: Set<bigint>;
  removedSnapshots: boolean;
}

/** A draft that begins with the table as it is, or with nothing. */
export function draftOf(base: TableMetadata | null, nowMs: bigint): MetadataDraft {
  return {
    metadata: base ?? emptyMetadata(nowMs),
    changed: false,
    nowMs,
    updatedMs: undefined,
    lastAddedSchemaId: undefined,
    lastAddedSpecId: undefined,
    lastAddedSortOrderId: undefined,
    addedSnapshotIds: new Set(),
    mainSnapshotIds: new Set(),
    removedSnapshots: false,
  };
}

/** Version 2, as new tables are unless an update says otherwise; the current ids are not set (-1). */
function emptyMetadata(nowMs: bigint): TableMetadata {
  return {
    formatVersion: 2,
    tableUuid: '',
    location: '',
    lastSequenceNumber: 0n,
    lastUpdatedMs: nowMs,
    lastColumnId: 0,
    schemas: [],
    currentSchemaId: -1,
    partitionSpecs: [],
    defaultSpecId: -1,
    lastPartitionId: 999,
    sortOrders: [],
    defaultSortOrderId: -1,
    properties: new Map(),
    currentSnapshotId: null,
    snapshots: [],
    snapshotLog: [],
    metadataLog: [],
    refs: new Map(),
    otherFields: new Map(),
  };
}
