/** Partition specs. Source: Apache Iceberg specification, "Partitioning". */

import type { JsonObject, JsonValue } from '../json.js';
import { JsonFields } from '../json-fields.js';
import { findField } from '../schema/schema.js';
import type { IcebergType, NestedField, PrimitiveValue, Schema } from '../schema/types.js';
import { formatDate, formatYear } from '../values/calendar.js';
import { formatDecimal, temporalText } from '../values/single-value-json.js';
import { parseTransform, type Transform, transformResultType, transformToString } from './transforms.js';

/** One field of a partition spec. */
export interface PartitionField {
  readonly sourceId: number;
  readonly fieldId: number;
  readonly name: string;
  readonly transform: Transform;
}

/** How the rows of a file were partitioned. */
export interface PartitionSpec {
  readonly specId: number;
  readonly fields: readonly PartitionField[];
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

/**
 * Reads a partition spec.
 * @throws MoraineError `SCHEMA_INVALID` naming what is wrong
 */
export function parsePartitionSpecJson(json: JsonValue): PartitionSpec {
  const fields = new JsonFields(json, 'partition spec', 'SCHEMA_INVALID');
  return { specId: fields.optionalInt('spec-id') ?? 0, fields: parsePartitionFields(fields.array('fields')) };
}

/**
 * Reads the fields of a partition spec.
 * @param missingFieldId the id of fields that come without one; unless given they count from 1000, as in old v1 metadata
 */
export function parsePartitionFields(json: readonly JsonValue[], missingFieldId?: number): readonly PartitionField[] {
  return json.map((item, position) => {
    const fields = new JsonFields(item, 'partition field', 'SCHEMA_INVALID');
    return {
      sourceId: sourceIdOf(fields),
      fieldId: fields.optionalInt('field-id') ?? missingFieldId ?? FIRST_PARTITION_FIELD_ID + position,
      name: fields.string('name'),
      transform: parseTransform(fields.string('transform')),
    };
  });
}

/** v3 may write a list of source ids; a list of one is the same as a single id. */
export function sourceIdOf(fields: JsonFields): number {
  const sourceIds = fields.ints('source-ids');
  if (sourceIds.length > 1) fields.fail('transforms of several source columns are not supported');
  return fields.optionalInt('source-id') ?? sourceIds[0] ?? fields.int('source-id');
}

/** The JSON form of a partition spec. */
export function partitionSpecToJson(spec: PartitionSpec): JsonObject {
  return { 'spec-id': spec.specId, fields: partitionFieldsToJson(spec) };
}

/** The JSON form of a partition spec's fields. */
export function partitionFieldsToJson(spec: PartitionSpec): readonly JsonObject[] {
  return spec.fields.map((field) => ({
    name: field.name,
    transform: transformToString(field.transform),
    'source-id': field.sourceId,
    'field-id': field.fieldId,
  }));
}

/** Whether two specs have the same fields, their ids and names included. */
export function sameFields(left: readonly PartitionField[], right: readonly PartitionField[]): boolean {
  const text = (fields: readonly PartitionField[]): string =>
    JSON.stringify(partitionFieldsToJson({ specId: 0, fields }));
  return text(left) === text(right);
}
