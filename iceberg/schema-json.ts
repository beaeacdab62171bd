/** Schemas in their JSON form. Source: Apache Iceberg specification, Appendix C, "Schemas". */
import { MoraineError } from '../errors/index.js';
import { type JsonObject, type JsonValue, jsonObject } from './json.js';
import { JsonFields } from './json-fields.js';
import { allFields } from './schema.js';
import { fieldToJson, parseFields } from './type-json.js';
import type { Schema } from './types.js';

const KNOWN_KEYS: ReadonlySet<string> = new Set(['type', 'schema-id', 'identifier-field-ids', 'fields']);

/**
 * Reads a schema. One without an id (v1) has id 0.
 * @throws MoraineError `SCHEMA_INVALID` naming the field: a missing member, two fields of one id, two of one name
 */
export function parseSchema(json: JsonValue): Schema {
  const fields = new JsonFields(json, 'schema', 'SCHEMA_INVALID');
  const kind = fields.optionalString('type') ?? 'struct';
  if (kind !== 'struct') fields.fail(`its type should be 'struct', got '${kind}'`);
  const others = fields.others(KNOWN_KEYS);
  const schema: Schema = {
    schemaId: fields.optionalInt('schema-id') ?? 0,
    fields: parseFields(fields.array('fields')),
    identifierFieldIds: fields.ints('identifier-field-ids'),
    ...(others.size > 0 && { otherFields: others }),
  };
  checkSchema(schema);
  return schema;
}

/** The JSON form of a schema. */
export function schemaToJson(schema: Schema): JsonObject {
  return jsonObject([
    ['type', 'struct'],
    ['schema-id', schema.schemaId],
    ['identifier-field-ids', schema.identifierFieldIds.length > 0 ? schema.identifierFieldIds : undefined],
    ['fields', schema.fields.map(fieldToJson)],
    ...((schema.otherFields ?? new Map()) as ReadonlyMap<string, JsonValue>),
  ]);
}

/** Checks that field ids and names are unique and that identifier fields exist. */
export function checkSchema(schema: Schema): void {
  const pathOfId = new Map<number, string>();
  const siblings = new Set<string>();
  for (const { field, path, parentIds } of allFields(schema)) {
    const other = pathOfId.get(field.id);
    if (other !== undefined) {
      throw new MoraineError('SCHEMA_INVALID', `Fields '${other}' and '${path}' have the same id, ${field.id}.`);
    }
    pathOfId.set(field.id, path);
    const sibling = JSON.stringify([parentIds.at(-1) ?? null, field.name]);
    if (siblings.has(sibling)) throw new MoraineError('SCHEMA_INVALID', `There are two fields named '${path}'.`);
    siblings.add(sibling);
  }
  for (const id of schema.identifierFieldIds) {
    if (!pathOfId.has(id)) throw new MoraineError('SCHEMA_INVALID', `Identifier field id ${id} is not in the schema.`);
  }
}
