/** Partition specs in their JSON form. Source: Apache Iceberg specification, Appendix C, "Partition Specs". */
import type { JsonObject, JsonValue } from '../json.js';
import { JsonFields } from '../json-fields.js';
import { FIRST_PARTITION_FIELD_ID, type PartitionField, type PartitionSpec } from './partition-spec.js';
import { parseTransform, transformToString } from './transforms.js';

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
