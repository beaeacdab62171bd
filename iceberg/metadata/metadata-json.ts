/** Table metadata in its JSON form, versions 1 to 3. Source: Apache Iceberg specification, "Table Metadata" and Appendix C. */
import { isMoraineError, largest, MoraineError } from '../../errors/index.js';
import { isJsonObject, type JsonValue, jsonObject, parseJson, stringifyJson } from '../json.js';
import { JsonFields } from '../json-fields.js';
import {
  FIRST_PARTITION_FIELD_ID,
  type PartitionSpec,
  parsePartitionFields,
  parsePartitionSpecJson,
  partitionFieldsToJson,
  partitionSpecToJson,
} from '../partitions/partition-spec.js';
import { parseSchema, schemaToJson } from '../schema/schema-json.js';
import type { Schema } from '../schema/types.js';
import type { Snapshot, SnapshotRef, TableMetadata } from './metadata.js';
import { MAIN_BRANCH } from './refs.js';
import {
  metadataLogText,
  parseMetadataLogEntry,
  parseSnapshot,
  parseSnapshotLogEntry,
  parseSnapshotRef,
  snapshotLogText,
  snapshotRefToJson,
  snapshotText,
} from './snapshot-json.js';
import { parseSortOrder, type SortOrder, sortOrderToJson, UNSORTED } from './sort-order.js';

const NO_SNAPSHOT = -1n;
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  'format-version',
  'table-uuid',
  'location',
  'last-sequence-number',
  'last-updated-ms',
  'last-column-id',
  'schema',
  'schemas',
  'current-schema-id',
  'partition-spec',
  'partition-specs',
  'default-spec-id',
  'last-partition-id',
  'sort-orders',
  'default-sort-order-id',
  'properties',
  'current-snapshot-id',
  'snapshots',
  'snapshot-log',
  'metadata-log',
  'refs',
  'next-row-id',
]);

/**
 * Reads a metadata file's content (not compressed).
 * @throws MoraineError `METADATA_CORRUPT` naming what is wrong, `FORMAT_VERSION_UNSUPPORTED` for a version above 3
 */
export function parseTableMetadata(content: Uint8Array | string): TableMetadata {
  return parsed(() => {
    const text = typeof content === 'string' ? content : new TextDecoder('utf-8', { fatal: true }).decode(content);
    return parseJson(text);
  });
}

/**
 * Reads metadata that stands in other JSON, such as the answer of a REST catalog.
 * @throws MoraineError as {@link parseTableMetadata}
 */
export function tableMetadataFromJson(json: JsonValue): TableMetadata {
  return parsed(() => json);
}

function parsed(json: () => JsonValue): TableMetadata {
  try {
    return readMetadata(new JsonFields(json(), 'table metadata', 'METADATA_CORRUPT'));
  } catch (cause) {
    if (isMoraineError(cause, 'METADATA_CORRUPT', 'FORMAT_VERSION_UNSUPPORTED')) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MoraineError('METADATA_CORRUPT', `Table metadata: ${reason}`, { cause });
  }
}

function readMetadata(fields: JsonFields): TableMetadata {
  const formatVersion = readFormatVersion(fields);
  const schemas = readSchemas(fields, formatVersion);
  const partitionSpecs = readPartitionSpecs(fields, formatVersion);
  const sortOrders = readSortOrders(fields, formatVersion);
  const currentSnapshotId = readCurrentSnapshotId(fields);
  const metadata: TableMetadata = {
    formatVersion,
    tableUuid: formatVersion === 1 ? (fields.optionalString('table-uuid') ?? '') : fields.string('table-uuid'),
    location: fields.string('location'),
    lastSequenceNumber: formatVersion === 1 ? 0n : fields.long('last-sequence-number'),
    lastUpdatedMs: fields.long('last-updated-ms'),
    lastColumnId: fields.int('last-column-id'),
    schemas,
    currentSchemaId:
      fields.optionalInt('current-schema-id') ?? onlyId(fields, 'current-schema-id', schemas, 'schemaId'),
    partitionSpecs,
    defaultSpecId: fields.optionalInt('default-spec-id') ?? onlyId(fields, 'default-spec-id', partitionSpecs, 'specId'),
    lastPartitionId: fields.optionalInt('last-partition-id') ?? highestPartitionFieldId(partitionSpecs),
    sortOrders,
    defaultSortOrderId:
      fields.optionalInt('default-sort-order-id') ?? onlyId(fields, 'default-sort-order-id', sortOrders, 'orderId'),
    properties: fields.stringMap('properties'),
    currentSnapshotId,
    snapshots: (fields.optionalArray('snapshots') ?? []).map(parseSnapshot),
    snapshotLog: (fields.optionalArray('snapshot-log') ?? []).map(parseSnapshotLogEntry),
    metadataLog: (fields.optionalArray('metadata-log') ?? []).map(parseMetadataLogEntry),
    refs: readRefs(fields, currentSnapshotId),
    ...(formatVersion === 3 && { nextRowId: fields.long('next-row-id') }),
    otherFields: fields.others(KNOWN_KEYS),
  };
  checkReferences(metadata, fields);
  return metadata;
}

function readFormatVersion(fields: JsonFields): 1 | 2 | 3 {
  const version = fields.int('format-version');
  if (version === 1 || version === 2 || version === 3) return version;
  if (version < 1) return fields.fail(`format-version ${version} is not a version`);
  throw new MoraineError(
    'FORMAT_VERSION_UNSUPPORTED',
    `The table has format version ${version}; versions 1, 2 and 3 can be read.`,
  );
}

function readSchemas(fields: JsonFields, formatVersion: number): readonly Schema[] {
  const schemas = fields.optionalArray('schemas');
  if (schemas !== undefined && schemas.length > 0) return schemas.map(parseSchema);
  return formatVersion === 1
    ? [parseSchema(fields.required('schema'))]
    : fields.fail("field 'schemas' is missing or empty");
}

function readPartitionSpecs(fields: JsonFields, formatVersion: number): readonly PartitionSpec[] {
  const specs = fields.optionalArray('partition-specs');
  if (specs !== undefined && specs.length > 0) return specs.map(parsePartitionSpecJson);
  if (formatVersion !== 1) return fields.fail("field 'partition-specs' is missing or empty");
  return [{ specId: 0, fields: parsePartitionFields(fields.array('partition-spec')) }];
}

function readSortOrders(fields: JsonFields, formatVersion: number): readonly SortOrder[] {
  const orders = fields.optionalArray('sort-orders');
  if (orders !== undefined && orders.length > 0) return orders.map(parseSortOrder);
  return formatVersion === 1 ? [UNSORTED] : fields.fail("field 'sort-orders' is missing or empty");
}

/** The id of the default among several is only left out by old v1 writers, which knew a single one. */
function onlyId<K extends string>(
  fields: JsonFields,
  key: string,
  items: readonly Readonly<Record<K, number>>[],
  idKey: K,
): number {
  const [only, ...others] = items;
  return only !== undefined && others.length === 0 ? only[idKey] : fields.fail(`required field '${key}' is missing`);
}

function highestPartitionFieldId(specs: readonly PartitionSpec[]): number {
  const ids = specs.flatMap((spec) => spec.fields.map((field) => field.fieldId));
  return largest(ids, FIRST_PARTITION_FIELD_ID - 1);
}

function readCurrentSnapshotId(fields: JsonFields): bigint | null {
  const id = fields.optionalLong('current-snapshot-id');
  return id === undefined || id === NO_SNAPSHOT ? null : id;
}

/** The refs; metadata from before refs has the main branch only. */
function readRefs(fields: JsonFields, currentSnapshotId: bigint | null): ReadonlyMap<string, SnapshotRef> {
  const refs = new Map<string, SnapshotRef>();
  const json = fields.optional('refs') ?? {};
  if (!isJsonObject(json)) return fields.fail("field 'refs' should be an object");
  for (const [name, ref] of Object.entries(json)) refs.set(name, parseSnapshotRef(ref, name));
  if (currentSnapshotId !== null && !refs.has(MAIN_BRANCH)) {
    refs.set(MAIN_BRANCH, { snapshotId: currentSnapshotId, type: 'branch' });
  }
  return refs;
}

/** Checks that the rest of Moraine relies on: every current or default thing exists, and the main branch is the current snapshot. */
function checkReferences(metadata: TableMetadata, fields: JsonFields): void {
  const { currentSchemaId, defaultSpecId, defaultSortOrderId, currentSnapshotId } = metadata;
  if (!metadata.schemas.some((schema) => schema.schemaId === currentSchemaId)) {
    fields.fail(`current-schema-id ${currentSchemaId} is not among the schemas`);
  }
  if (!metadata.partitionSpecs.some((spec) => spec.specId === defaultSpecId)) {
    fields.fail(`default-spec-id ${defaultSpecId} is not among the partition specs`);
  }
  if (
    defaultSortOrderId !== UNSORTED.orderId &&
    !metadata.sortOrders.some((order) => order.orderId === defaultSortOrderId)
  ) {
    fields.fail(`default-sort-order-id ${defaultSortOrderId} is not among the sort orders`);
  }
  const snapshotIds = new Set(metadata.snapshots.map((snapshot) => snapshot.snapshotId));
  if (snapshotIds.size < metadata.snapshots.length) fields.fail('two snapshots have the same id');
  if (currentSnapshotId !== null && !snapshotIds.has(currentSnapshotId)) {
    fields.fail(`current-snapshot-id ${currentSnapshotId} is not among the snapshots`);
  }
  const main = metadata.refs.get(MAIN_BRANCH);
  if (main !== undefined && main.snapshotId !== currentSnapshotId) {
    fields.fail(
      `the main branch points at snapshot ${main.snapshotId}, but current-snapshot-id is ${currentSnapshotId ?? 'not set'}`,
    );
  }
}

/** Writes a metadata file's content. Unknown members of whatever it has are written back as they came. */
export function tableMetadataToJson(metadata: TableMetadata): string {
  const { formatVersion } = metadata;
  const members: [string, JsonValue | undefined][] = [
    ['format-version', formatVersion],
    ['table-uuid', metadata.tableUuid === '' ? undefined : metadata.tableUuid],
    ['location', metadata.location],
    ['last-sequence-number', formatVersion === 1 ? undefined : metadata.lastSequenceNumber],
    ['last-updated-ms', metadata.lastUpdatedMs],
    ['last-column-id', metadata.lastColumnId],
    ['current-schema-id', metadata.currentSchemaId],
    ['schemas', metadata.schemas.map(schemaToJson)],
    ['default-spec-id', metadata.defaultSpecId],
    ['partition-specs', metadata.partitionSpecs.map(partitionSpecToJson)],
    ['last-partition-id', metadata.lastPartitionId],
    ['default-sort-order-id', metadata.defaultSortOrderId],
    ['sort-orders', metadata.sortOrders.map(sortOrderToJson)],
    ['properties', jsonObject(metadata.properties)],
    // Readers of versions 1 and 2 know -1 as "none"; version 3 writes null.
    ['current-snapshot-id', metadata.currentSnapshotId ?? (formatVersion === 3 ? null : NO_SNAPSHOT)],
    ['refs', jsonObject([...metadata.refs].map(([name, ref]) => [name, snapshotRefToJson(ref)]))],
    ['next-row-id', metadata.nextRowId],
    ...(formatVersion === 1 ? membersOfV1(metadata) : []),
    ...(metadata.otherFields as ReadonlyMap<string, JsonValue>),
  ];
  const snapshots = metadata.snapshots.map((snapshot: Snapshot) => snapshotText(snapshot, formatVersion));
  const snapshotLog = metadata.snapshotLog.map(snapshotLogText);
  const metadataLog = metadata.metadataLog.map(metadataLogText);
  return `${stringifyJson(jsonObject(members)).slice(0, -1)},${[
    `"snapshots":[${snapshots.join(',')}]`,
    `"snapshot-log":[${snapshotLog.join(',')}]`,
    `"metadata-log":[${metadataLog.join(',')}]`,
  ].join(',')}}`;
}

/** Version 1 also has the current schema and default spec in the fields that came first. */
function membersOfV1(metadata: TableMetadata): [string, JsonValue | undefined][] {
  const schema = metadata.schemas.find((candidate) => candidate.schemaId === metadata.currentSchemaId);
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === metadata.defaultSpecId);
  return [
    ['schema', schema && schemaToJson(schema)],
    ['partition-spec', spec && partitionFieldsToJson(spec)],
  ];
}
