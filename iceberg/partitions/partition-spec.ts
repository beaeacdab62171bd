/** Partition specs. Source: Apache Iceberg specification, "Partitioning". */

import { type JsonObject, type JsonValue, jsonObject, stringifyJson } from '../json.js';
import { JsonFields, membersOf } from '../json-fields.js';
import { findField } from '../schema/schema.js';
import type { IcebergType, NestedField, PrimitiveValue, Schema } from '../schema/types.js';
import { formatDate, formatYear } from '../values/calendar.js';
import { formatDecimal, temporalText } from '../values/single-value-json.js';
import { parseTransform, type Transform, transformResultType, transformToString } from './transforms.js';

/** One field of a partition spec. */
export interface PartitionField {
  readonly sourceId: number;
  /** v3: all of the source columns, if there are several. No transform of several is known, so that the transform is `unknown`. */
  readonly sourceIds?: readonly number[];
  readonly fieldId: number;
  readonly name: string;
  readonly transform: Transform;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** How the rows of a file were partitioned. */
export interface PartitionSpec {
  readonly specId: number;
  readonly fields: readonly PartitionField[];
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A file's partition values, in the order of its spec's fields. */
export type PartitionTuple = readonly (PrimitiveValue | null)[];

/** The spec of tables without partitions. */
export const UNPARTITIONED: PartitionSpec = { specId: 0, fields: [] };

/** Ids of partition fields begin here. */
export const FIRST_PARTITION_FIELD_ID = 1000;

/**
 * The struct of a spec's partition values: one optional field for each partition field, with its field id and result type.
 * A source column that is not in `schema` any more is looked for in `otherSchemas` (give all of the table's); without it the type is `unknown`.
 */
export function partitionType(
  spec: PartitionSpec,
  schema: Schema,
  otherSchemas: readonly Schema[] = [],
): readonly NestedField[] {
  return spec.fields.map((field) => ({
    id: field.fieldId,
    name: field.name,
    required: false,
    type: transformResultType(field.transform, sourceTypeOf(field, schema, otherSchemas)),
  }));
}

/** The type of the column that a partition field comes from; `unknown` when no schema has it. */
export function sourceTypeOf(
  field: Pick<PartitionField, 'sourceId'>,
  schema: Schema,
  otherSchemas: readonly Schema[] = [],
): IcebergType {
  for (const candidate of [schema, ...otherSchemas]) {
    const source = findField(candidate, field.sourceId);
    if (source !== undefined) return source.type;
  }
  return { kind: 'unknown' };
}

/** A folder name longer than this is cut: file systems allow 255 bytes. The folder is for people; values come from manifests. */
const MAX_FOLDER_NAME_LENGTH = 200;

/** The folder of a partition below the data folder: `date_month=2001-03/origin=SFO`, URL-encoded; empty without partitions. */
export function partitionPath(spec: PartitionSpec, schema: Schema, tuple: PartitionTuple): string {
  const folders = spec.fields.map((field, position) => {
    const text = partitionValueToString(field, sourceTypeOf(field, schema), tuple[position] ?? null);
    return `${encode(field.name)}=${encode(text)}`.slice(0, MAX_FOLDER_NAME_LENGTH);
  });
  return folders.join('/');
}

/** A partition value as people read it: `2001`, `2001-03`, `2001-03-09`, `2001-03-09-17`; `null` for null. */
export function partitionValueToString(
  field: PartitionField,
  sourceType: IcebergType,
  value: PrimitiveValue | null,
): string {
  if (value === null) return 'null';
  switch (field.transform.kind) {
    case 'year':
      return formatYear(1970 + (value as number));
    case 'month':
      return `${formatYear(1970 + Math.floor((value as number) / 12))}-${twoDigits(floorModulo(value as number, 12) + 1)}`;
    case 'hour':
      return `${formatDate(Math.floor((value as number) / 24))}-${twoDigits(floorModulo(value as number, 24))}`;
    default:
      return valueToText(transformResultType(field.transform, sourceType), value);
  }
}

function valueToText(type: IcebergType, value: PrimitiveValue): string {
  const time = temporalText(type, value, 'Z');
  if (time !== undefined) return time;
  if (type.kind === 'decimal') return formatDecimal(value as bigint, type.scale);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
}

function encode(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString()).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function floorModulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

function twoDigits(value: number): string {
  return value.toString().padStart(2, '0');
}

const SPEC_KEYS: ReadonlySet<string> = new Set(['spec-id', 'fields']);
const FIELD_KEYS: ReadonlySet<string> = new Set(['source-id', 'source-ids', 'field-id', 'name', 'transform']);

/**
 * Reads a partition spec.
 * @throws MoraineError `SCHEMA_INVALID` naming what is wrong
 */
export function parsePartitionSpecJson(json: JsonValue): PartitionSpec {
  const fields = new JsonFields(json, 'partition spec', 'SCHEMA_INVALID');
  return {
    specId: fields.optionalInt('spec-id') ?? 0,
    fields: parsePartitionFields(fields.array('fields')),
    ...fields.unknownMembers(SPEC_KEYS),
  };
}

/**
 * Reads the fields of a partition spec.
 * @param missingFieldId the id of fields that come without one; unless given they count from 1000, as in old v1 metadata
 */
export function parsePartitionFields(json: readonly JsonValue[], missingFieldId?: number): readonly PartitionField[] {
  return json.map((item, position) => {
    const fields = new JsonFields(item, 'partition field', 'SCHEMA_INVALID');
    return {
      fieldId: fields.optionalInt('field-id') ?? missingFieldId ?? FIRST_PARTITION_FIELD_ID + position,
      name: fields.string('name'),
      ...parseSource(fields),
      ...fields.unknownMembers(FIELD_KEYS),
    };
  });
}

/** What a partition or sort field is computed from. */
export type TransformSource = Pick<PartitionField, 'sourceId' | 'sourceIds' | 'transform'>;

/** v3 may write a list of source ids; a list of one is the same as a single id. */
export function parseSource(fields: JsonFields): TransformSource {
  const sourceIds = fields.ints('source-ids');
  const text = fields.string('transform');
  const [first] = sourceIds;
  // Specification: readers ignore fields of transforms that they do not know.
  if (first !== undefined && sourceIds.length > 1)
    return { sourceId: first, sourceIds, transform: { kind: 'unknown', text } };
  return {
    sourceId: fields.optionalInt('source-id') ?? first ?? fields.int('source-id'),
    transform: parseTransform(text),
  };
}

/** The members that {@link parseSource} reads. */
export function sourceToJson({ sourceId, sourceIds, transform }: TransformSource): readonly [string, JsonValue][] {
  return [
    ['transform', transformToString(transform)],
    sourceIds === undefined ? ['source-id', sourceId] : ['source-ids', sourceIds],
  ];
}

/** The JSON form of a partition spec. */
export function partitionSpecToJson(spec: PartitionSpec): JsonObject {
  return jsonObject([['spec-id', spec.specId], ['fields', partitionFieldsToJson(spec)], ...membersOf(spec)]);
}

/** The JSON form of a partition spec's fields. */
export function partitionFieldsToJson(spec: Pick<PartitionSpec, 'fields'>): readonly JsonObject[] {
  return spec.fields.map((field) =>
    jsonObject([['name', field.name], ...sourceToJson(field), ['field-id', field.fieldId], ...membersOf(field)]),
  );
}

/** Whether two specs have the same fields, their ids and names included. */
export function sameFields(left: readonly PartitionField[], right: readonly PartitionField[]): boolean {
  const text = (fields: readonly PartitionField[]): string => stringifyJson(partitionFieldsToJson({ fields }));
  return text(left) === text(right);
}
