/** Applying a commit's updates. Source: Iceberg REST catalog specification, `TableUpdate`; Apache Iceberg specification, "Table Metadata". */
import { largest, MoraineError } from '../../errors/index.js';
import { stringifyJson } from '../json.js';
import type { TableMetadata } from '../metadata/metadata.js';
import { draftOf, type MetadataDraft } from '../metadata/metadata-build.js';
import type { SortOrder } from '../metadata/sort-order.js';
import { sortOrderToJson } from '../metadata/sort-order.js';
import {
  FIRST_PARTITION_FIELD_ID,
  type PartitionField,
  type PartitionSpec,
  sameFields,
} from '../partitions/partition-spec.js';
import { sourceKey } from '../partitions/partition-spec-evolution.js';
import { checkPartitionSpec, checkSortOrder } from '../partitions/spec-check.js';
import { highestFieldId } from '../schema/schema.js';
import { checkSchema, schemaToJson } from '../schema/schema-json.js';
import type { Schema } from '../schema/types.js';
import { addSnapshot, finishSnapshotLog, removeRef, removeSnapshots, setRef } from './apply-snapshot-updates.js';
import type { TableUpdate } from './update.js';

/** In place of an id: that of the schema, spec or order which this commit added last. */
export const LAST_ADDED = -1;

/**
 * The metadata after a commit. A pure function: requirements have been checked, the metadata log is the catalog's.
 * @param base the table as it is now; null to create one (the updates then have to give a uuid, location, schema, spec and order)
 * @param nowMs milliseconds since the epoch, for updates that do not carry a time of their own
 * @throws MoraineError `SCHEMA_INVALID` for a schema, spec or order that is not valid, `COMMIT_CONFLICT` for a sequence number
 *   that is not above the table's last, `INVALID_ARGUMENT` for anything else that cannot be applied
 */
export function applyUpdates(
  base: TableMetadata | null,
  updates: readonly TableUpdate[],
  nowMs: bigint,
): TableMetadata {
  const draft = draftOf(base, nowMs);
  for (const update of updates) applyUpdate(draft, update);
  if (!draft.changed && base !== null) return base;
  finishSnapshotLog(draft);
  const { metadata } = draft;
  if (metadata.tableUuid === '' && metadata.formatVersion > 1) invalid('A table needs a uuid.');
  if (metadata.location === '') invalid('A table needs a location.');
  for (const [what, id] of [
    ['schema', metadata.currentSchemaId],
    ['partition spec', metadata.defaultSpecId],
    ['sort order', metadata.defaultSortOrderId],
  ] as const) {
    if (id === LAST_ADDED) invalid(`A table needs a ${what}.`);
  }
  return { ...metadata, lastUpdatedMs: draft.updatedMs ?? nowMs };
}

function applyUpdate(draft: MetadataDraft, update: TableUpdate): void {
  const before = draft.metadata;
  switch (update.action) {
    case 'assign-uuid':
      assignUuid(draft, update.uuid);
      break;
    case 'upgrade-format-version':
      upgradeFormatVersion(draft, update.formatVersion);
      break;
    case 'add-schema':
      addSchema(draft, update.schema, update.lastColumnId);
      break;
    case 'set-current-schema':
      setCurrentSchema(draft, update.schemaId);
      break;
    case 'add-spec':
      addSpec(draft, update.spec);
      break;
    case 'set-default-spec':
      setDefaultSpec(draft, update.specId);
      break;
    case 'add-sort-order':
      addSortOrder(draft, update.sortOrder);
      break;
    case 'set-default-sort-order':
      setDefaultSortOrder(draft, update.sortOrderId);
      break;
    case 'add-snapshot':
      addSnapshot(draft, update.snapshot);
      break;
    case 'set-snapshot-ref':
      setRef(draft, update.refName, update.ref);
      break;
    case 'remove-snapshot-ref':
      removeRef(draft, update.refName);
      break;
    case 'remove-snapshots':
      removeSnapshots(draft, update.snapshotIds);
      break;
    case 'set-location':
      if (before.location !== update.location) draft.metadata = { ...before, location: update.location };
      break;
    case 'set-properties':
      draft.metadata = { ...before, properties: new Map([...before.properties, ...update.updates]) };
      break;
    case 'remove-properties': {
      const removals = new Set(update.removals);
      const kept = [...before.properties].filter(([key]) => !removals.has(key));
      if (kept.length < before.properties.size) draft.metadata = { ...before, properties: new Map(kept) };
      break;
    }
  }
  if (draft.metadata !== before) draft.changed = true;
}

function assignUuid(draft: MetadataDraft, uuid: string): void {
  const { tableUuid } = draft.metadata;
  if (tableUuid.toLowerCase() === uuid.toLowerCase()) return;
  if (tableUuid !== '') invalid(`The table has the uuid ${tableUuid}; a table's uuid never changes.`);
  draft.metadata = { ...draft.metadata, tableUuid: uuid.toLowerCase() };
}

function upgradeFormatVersion(draft: MetadataDraft, formatVersion: 1 | 2 | 3): void {
  const { metadata } = draft;
  if (formatVersion === metadata.formatVersion) return;
  if (formatVersion < metadata.formatVersion) {
    invalid(`The table has format version ${metadata.formatVersion} and cannot go back to ${formatVersion}.`);
  }
  draft.metadata = {
    ...metadata,
    formatVersion,
    ...(formatVersion === 3 && { nextRowId: metadata.nextRowId ?? 0n }),
  };
}

function addSchema(draft: MetadataDraft, schema: Schema, lastColumnId: number | undefined): void {
  checkSchema(schema);
  const { metadata } = draft;
  if (lastColumnId !== undefined && lastColumnId < metadata.lastColumnId) {
    invalid(`last-column-id ${lastColumnId} is below the table's, ${metadata.lastColumnId}.`);
  }
  const newLastColumnId = Math.max(metadata.lastColumnId, lastColumnId ?? 0, highestFieldId(schema));
  const same = metadata.schemas.find((known) => sameSchema(known, schema));
  const schemaId =
    same?.schemaId ??
    1 +
      largest(
        metadata.schemas.map((known) => known.schemaId),
        -1,
      );
  draft.lastAddedSchemaId = schemaId;
  if (same !== undefined && newLastColumnId === metadata.lastColumnId) return;
  draft.metadata = {
    ...metadata,
    lastColumnId: newLastColumnId,
    schemas: same === undefined ? [...metadata.schemas, { ...schema, schemaId }] : metadata.schemas,
  };
}

function sameSchema(left: Schema, right: Schema): boolean {
  const text = (schema: Schema): string => stringifyJson(schemaToJson({ ...schema, schemaId: 0 }));
  return text(left) === text(right);
}

function setCurrentSchema(draft: MetadataDraft, id: number): void {
  const schemaId = id === LAST_ADDED ? (draft.lastAddedSchemaId ?? noneAdded('schema')) : id;
  if (!draft.metadata.schemas.some((schema) => schema.schemaId === schemaId))
    invalid(`There is no schema ${schemaId}.`);
  if (draft.metadata.currentSchemaId !== schemaId) draft.metadata = { ...draft.metadata, currentSchemaId: schemaId };
}

/** The schema that new specs and orders refer to. */
function schemaForSpecs({ metadata, lastAddedSchemaId }: MetadataDraft): Schema {
  const id = metadata.currentSchemaId === LAST_ADDED ? lastAddedSchemaId : metadata.currentSchemaId;
  return (
    metadata.schemas.find((schema) => schema.schemaId === id) ??
    invalid('A table needs a schema before its partition spec.')
  );
}

function addSpec(draft: MetadataDraft, spec: PartitionSpec): void {
  const { metadata } = draft;
  const fields = withFieldIds(spec.fields, metadata);
  checkPartitionSpec({ ...spec, fields }, schemaForSpecs(draft));
  const same = metadata.partitionSpecs.find((known) => sameFields(known.fields, fields));
  const specId =
    same?.specId ??
    1 +
      largest(
        metadata.partitionSpecs.map((known) => known.specId),
        -1,
      );
  draft.lastAddedSpecId = specId;
  if (same !== undefined) return;
  draft.metadata = {
    ...metadata,
    partitionSpecs: [...metadata.partitionSpecs, { ...spec, specId, fields }],
    lastPartitionId: largest(
      fields.map((field) => field.fieldId),
      metadata.lastPartitionId,
    ),
  };
}

/** Gives ids to fields that came without: that of the same transform of the same column in another spec, else the next free one. */
function withFieldIds(fields: readonly PartitionField[], metadata: TableMetadata): readonly PartitionField[] {
  const known = new Map(
    metadata.partitionSpecs.flatMap((spec) => spec.fields.map((field) => [sourceKey(field), field.fieldId])),
  );
  let nextId =
    largest([metadata.lastPartitionId, ...fields.map((field) => field.fieldId)], FIRST_PARTITION_FIELD_ID - 1) + 1;
  return fields.map((field) => ({
    ...field,
    fieldId: field.fieldId >= 0 ? field.fieldId : (known.get(sourceKey(field)) ?? nextId++),
  }));
}

function setDefaultSpec(draft: MetadataDraft, id: number): void {
  const specId = id === LAST_ADDED ? (draft.lastAddedSpecId ?? noneAdded('partition spec')) : id;
  if (!draft.metadata.partitionSpecs.some((spec) => spec.specId === specId))
    invalid(`There is no partition spec ${specId}.`);
  if (draft.metadata.defaultSpecId !== specId) draft.metadata = { ...draft.metadata, defaultSpecId: specId };
}

function addSortOrder(draft: MetadataDraft, order: SortOrder): void {
  const { metadata } = draft;
  checkSortOrder(order, schemaForSpecs(draft));
  const textOf = (one: SortOrder): string => stringifyJson(sortOrderToJson({ ...one, orderId: 0 }));
  const text = textOf(order);
  const same = metadata.sortOrders.find((known) => textOf(known) === text);
  // Order 0 is always the unsorted one.
  const orderId =
    same?.orderId ?? (order.fields.length === 0 ? 0 : 1 + largest(metadata.sortOrders.map((known) => known.orderId)));
  draft.lastAddedSortOrderId = orderId;
  if (same === undefined) draft.metadata = { ...metadata, sortOrders: [...metadata.sortOrders, { ...order, orderId }] };
}

function setDefaultSortOrder(draft: MetadataDraft, id: number): void {
  const orderId = id === LAST_ADDED ? (draft.lastAddedSortOrderId ?? noneAdded('sort order')) : id;
  if (!draft.metadata.sortOrders.some((order) => order.orderId === orderId))
    invalid(`There is no sort order ${orderId}.`);
  if (draft.metadata.defaultSortOrderId !== orderId)
    draft.metadata = { ...draft.metadata, defaultSortOrderId: orderId };
}

function noneAdded(what: string): never {
  return invalid(`The last added ${what} is asked for, but this commit adds none.`);
}

function invalid(message: string): never {
  throw new MoraineError('INVALID_ARGUMENT', message);
}
