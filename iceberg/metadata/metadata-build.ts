/** Metadata of new tables, and metadata while a commit changes it. */
import { MoraineError } from '../../errors/index.js';
import { FIRST_PARTITION_FIELD_ID, type PartitionSpec, UNPARTITIONED } from '../partitions/partition-spec.js';
import { checkPartitionSpec, checkSortOrder } from '../partitions/spec-check.js';
import { allFields, assignFreshIds, highestFieldId } from '../schema/schema.js';
import { checkSchema } from '../schema/schema-json.js';
import type { Schema } from '../schema/types.js';
import type { TableMetadata } from './metadata.js';
import { type SortOrder, UNSORTED } from './sort-order.js';

/** Description of a new table. */
export interface NewTable {
  readonly schema: Schema;
  readonly partitionSpec?: PartitionSpec;
  readonly sortOrder?: SortOrder;
  readonly location: string;
  readonly properties?: ReadonlyMap<string, string>;
  /** 2 by default. */
  readonly formatVersion?: 1 | 2 | 3;
  readonly tableUuid: string;
  readonly nowMs: bigint;
}

/**
 * The first metadata of a table, without snapshots. Field ids are assigned afresh from 1 and partition field ids from 1000;
 * the spec and the order refer to the given schema's ids and follow them.
 * @throws MoraineError `SCHEMA_INVALID` when the schema, spec or order is not valid
 */
export function newTableMetadata(table: NewTable): TableMetadata {
  checkSchema(table.schema);
  const formatVersion = table.formatVersion ?? 2;
  const fresh = assignFreshIds(table.schema);
  const freshFields = allFields(fresh);
  const newIds = new Map(
    allFields(table.schema).map(({ field }, position) => [field.id, freshFields[position]?.field.id ?? field.id]),
  );
  const schema = { ...fresh, schemaId: 0 };
  const partitionSpec = freshSpec(table.partitionSpec ?? UNPARTITIONED, newIds);
  const sortOrder = freshOrder(table.sortOrder ?? UNSORTED, newIds);
  checkPartitionSpec(partitionSpec, schema);
  checkSortOrder(sortOrder, schema);
  return {
    formatVersion,
    tableUuid: table.tableUuid,
    location: table.location,
    lastSequenceNumber: 0n,
    lastUpdatedMs: table.nowMs,
    lastColumnId: highestFieldId(schema),
    schemas: [schema],
    currentSchemaId: 0,
    partitionSpecs: [partitionSpec],
    defaultSpecId: 0,
    lastPartitionId: FIRST_PARTITION_FIELD_ID - 1 + partitionSpec.fields.length,
    sortOrders: [sortOrder],
    defaultSortOrderId: sortOrder.orderId,
    properties: new Map(table.properties),
    currentSnapshotId: null,
    snapshots: [],
    snapshotLog: [],
    metadataLog: [],
    refs: new Map(),
    ...(formatVersion === 3 && { nextRowId: 0n }),
    otherFields: new Map(),
  };
}

function freshSpec(spec: PartitionSpec, newIds: ReadonlyMap<number, number>): PartitionSpec {
  return {
    specId: 0,
    fields: spec.fields.map((field, position) => ({
      ...field,
      sourceId: freshId(newIds, field.sourceId, `partition field '${field.name}'`),
      fieldId: FIRST_PARTITION_FIELD_ID + position,
    })),
  };
}

function freshOrder(order: SortOrder, newIds: ReadonlyMap<number, number>): SortOrder {
  if (order.fields.length === 0) return UNSORTED;
  return {
    orderId: 1,
    fields: order.fields.map((field) => ({ ...field, sourceId: freshId(newIds, field.sourceId, 'sort field') })),
  };
}

function freshId(newIds: ReadonlyMap<number, number>, id: number, what: string): number {
  const newId = newIds.get(id);
  if (newId === undefined)
    throw new MoraineError('SCHEMA_INVALID', `The ${what} has source id ${id}, which is not in the schema.`);
  return newId;
}

/**
 * The same metadata with the file it replaces noted in its metadata log; the oldest entries go beyond `maxEntries`.
 * @param previousUpdatedMs when the replaced metadata was written: its `lastUpdatedMs`
 */
export function withMetadataLogEntry(
  metadata: TableMetadata,
  previousLocation: string,
  maxEntries: number,
  previousUpdatedMs: bigint = metadata.lastUpdatedMs,
): TableMetadata {
  const log = [...metadata.metadataLog, { metadataFile: previousLocation, timestampMs: previousUpdatedMs }];
  return { ...metadata, metadataLog: log.slice(Math.max(0, log.length - maxEntries)) };
}

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
