/** Requirements and updates in their JSON form. Source: Iceberg REST catalog specification, `CommitTableRequest`. */
import { MoraineError } from '../../errors/index.js';
import { type JsonObject, type JsonValue, jsonObject } from '../json.js';
import { JsonFields } from '../json-fields.js';
import { parseSnapshot, parseSnapshotRef, snapshotRefToJson, snapshotToJson } from '../metadata/snapshot-json.js';
import { parseSortOrder, sortOrderToJson } from '../metadata/sort-order.js';
import { parsePartitionFields, partitionSpecToJson } from '../partitions/partition-spec.js';
import { parseSchema, schemaToJson } from '../schema/schema-json.js';
import type { TableRequirement, TableUpdate } from './update.js';

/** In place of a partition field's id: to be assigned when the spec is added. */
const UNASSIGNED_FIELD_ID = -1;

/** The JSON form of a requirement. */
export function requirementToJson(requirement: TableRequirement): JsonObject {
  const { type } = requirement;
  switch (type) {
    case 'assert-create':
      return { type };
    case 'assert-table-uuid':
      return { type, uuid: requirement.uuid };
    case 'assert-ref-snapshot-id':
      return { type, ref: requirement.ref, 'snapshot-id': requirement.snapshotId };
    case 'assert-last-assigned-field-id':
      return { type, 'last-assigned-field-id': requirement.lastAssignedFieldId };
    case 'assert-current-schema-id':
      return { type, 'current-schema-id': requirement.currentSchemaId };
    case 'assert-last-assigned-partition-id':
      return { type, 'last-assigned-partition-id': requirement.lastAssignedPartitionId };
    case 'assert-default-spec-id':
      return { type, 'default-spec-id': requirement.defaultSpecId };
    case 'assert-default-sort-order-id':
      return { type, 'default-sort-order-id': requirement.defaultSortOrderId };
  }
}

/**
 * Reads a requirement.
 * @throws MoraineError `INVALID_ARGUMENT` for one that is malformed or not known
 */
export function requirementFromJson(json: JsonValue): TableRequirement {
  const fields = new JsonFields(json, 'requirement', 'INVALID_ARGUMENT');
  const type = fields.string('type') as TableRequirement['type'];
  switch (type) {
    case 'assert-create':
      return { type };
    case 'assert-table-uuid':
      return { type, uuid: fields.string('uuid') };
    case 'assert-ref-snapshot-id':
      return { type, ref: fields.string('ref'), snapshotId: fields.optionalLong('snapshot-id') ?? null };
    case 'assert-last-assigned-field-id':
      return { type, lastAssignedFieldId: fields.int('last-assigned-field-id') };
    case 'assert-current-schema-id':
      return { type, currentSchemaId: fields.int('current-schema-id') };
    case 'assert-last-assigned-partition-id':
      return { type, lastAssignedPartitionId: fields.int('last-assigned-partition-id') };
    case 'assert-default-spec-id':
      return { type, defaultSpecId: fields.int('default-spec-id') };
    case 'assert-default-sort-order-id':
      return { type, defaultSortOrderId: fields.int('default-sort-order-id') };
    default:
      return unknown('requirement', type);
  }
}

/** The JSON form of an update. */
export function updateToJson(update: TableUpdate): JsonObject {
  const { action } = update;
  switch (action) {
    case 'assign-uuid':
      return { action, uuid: update.uuid };
    case 'upgrade-format-version':
      return { action, 'format-version': update.formatVersion };
    case 'add-schema':
      return jsonObject([
        ['action', action],
        ['schema', schemaToJson(update.schema)],
        ['last-column-id', update.lastColumnId],
      ]);
    case 'set-current-schema':
      return { action, 'schema-id': update.schemaId };
    case 'add-spec':
      return { action, spec: partitionSpecToJson(update.spec) };
    case 'set-default-spec':
      return { action, 'spec-id': update.specId };
    case 'add-sort-order':
      return { action, 'sort-order': sortOrderToJson(update.sortOrder) };
    case 'set-default-sort-order':
      return { action, 'sort-order-id': update.sortOrderId };
    case 'add-snapshot':
      return { action, snapshot: snapshotToJson(update.snapshot, 2) };
    case 'set-snapshot-ref':
      return { action, 'ref-name': update.refName, ...snapshotRefToJson(update.ref) };
    case 'remove-snapshot-ref':
      return { action, 'ref-name': update.refName };
    case 'remove-snapshots':
      return { action, 'snapshot-ids': update.snapshotIds };
    case 'set-location':
      return { action, location: update.location };
    case 'set-properties':
      return { action, updates: jsonObject(update.updates) };
    case 'remove-properties':
      return { action, removals: update.removals };
  }
}

/**
 * Reads an update.
 * @throws MoraineError `INVALID_ARGUMENT` for one that is malformed or not known; the codes of the schema or snapshot inside
 */
export function updateFromJson(json: JsonValue): TableUpdate {
  const fields = new JsonFields(json, 'update', 'INVALID_ARGUMENT');
  const action = fields.string('action') as TableUpdate['action'];
  switch (action) {
    case 'assign-uuid':
      return { action, uuid: fields.string('uuid') };
    case 'upgrade-format-version':
      return { action, formatVersion: readFormatVersion(fields) };
    case 'add-schema': {
      const lastColumnId = fields.optionalInt('last-column-id');
      const schema = parseSchema(fields.required('schema'));
      return { action, schema, ...(lastColumnId !== undefined && { lastColumnId }) };
    }
    case 'set-current-schema':
      return { action, schemaId: fields.int('schema-id') };
    case 'add-spec': {
      const spec = new JsonFields(fields.required('spec'), 'spec', 'INVALID_ARGUMENT');
      const specFields = parsePartitionFields(spec.array('fields'), UNASSIGNED_FIELD_ID);
      return { action, spec: { specId: spec.optionalInt('spec-id') ?? 0, fields: specFields } };
    }
    case 'set-default-spec':
      return { action, specId: fields.int('spec-id') };
    case 'add-sort-order':
      return { action, sortOrder: parseSortOrder(fields.required('sort-order')) };
    case 'set-default-sort-order':
      return { action, sortOrderId: fields.int('sort-order-id') };
    case 'add-snapshot':
      return { action, snapshot: parseSnapshot(fields.required('snapshot')) };
    case 'set-snapshot-ref': {
      const refName = fields.string('ref-name');
      return { action, refName, ref: parseSnapshotRef(json, refName) };
    }
    case 'remove-snapshot-ref':
      return { action, refName: fields.string('ref-name') };
    case 'remove-snapshots':
      return { action, snapshotIds: fields.longs('snapshot-ids') };
    case 'set-location':
      return { action, location: fields.string('location') };
    case 'set-properties':
      return { action, updates: fields.stringMap('updates') };
    case 'remove-properties':
      return { action, removals: fields.strings('removals') };
    default:
      return unknown('update', action);
  }
}

function readFormatVersion(fields: JsonFields): 1 | 2 | 3 {
  const version = fields.int('format-version');
  if (version === 1 || version === 2 || version === 3) return version;
  throw new MoraineError('FORMAT_VERSION_UNSUPPORTED', `Format version ${version} is not supported; use 1, 2 or 3.`);
}

function unknown(what: string, name: never): never {
  throw new MoraineError('INVALID_ARGUMENT', `The ${what} '${String(name)}' is not known.`);
}
