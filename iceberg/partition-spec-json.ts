/** Partition specs in their JSON form. Source: Apache Iceberg specification, Appendix C, "Partition Specs". */
import type { JsonObject, JsonValue } from './json.js';
import { JsonFields } from './json-fields.js';
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

/** Reads the fields of a partition spec. Old v1 metadata leaves out their ids, which then count from 1000. */
export function parsePartitionFields(json: readonly JsonValue[]): readonly PartitionField[] {
  return json.map((item, position) => {
    const fields = new JsonFields(item, 'partition field', 'SCHEMA_INVALID');
    return {
      sourceId: sourceIdOf(fields),
      fieldId: fields.optionalInt('field-id') ?? FIRST_PARTITION_FIELD_ID + position,
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
