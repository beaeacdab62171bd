/** Schemas in their JSON form. Source: Apache Iceberg specification, Appendix C, "Schemas". */
import { MoraineError } from '../../errors/index.js';
import { type JsonObject, type JsonValue, jsonObject } from '../json.js';
import { JsonFields } from '../json-fields.js';
import { allFields, findField } from './schema.js';
import { fieldToJson, parseFields } from './type-json.js';
import type { Schema } from './types.js';

const KNOWN_KEYS: ReadonlySet<string> = new Set(['type', 'schema-id', 'identifier-field-ids', 'fields']);

/**
 * Reads a schema. One without an id (v1) has id 0.
 * @throws MoraineError `SCHEMA_INVALID` naming the field: a missing member, an impossible id, two fields of one id, two of one name
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

/** Ids above are the specification's own ("Reserved Field IDs"). */
const MAX_FIELD_ID = 2147483447;
/** Columns inside columns; what a query costs, and its stack, grow with them. */
const MAX_DEPTH = 100;

/**
 * Checks that field ids are possible, that ids and names are unique, and that identifier fields exist.
 * Ids begin at 0, as those of old writers do. Fields lie at most 100 levels deep.
 * @throws MoraineError `SCHEMA_INVALID` naming the field
 */
export function checkSchema(schema: Schema): void {
  const pathOfId = new Map<number, string>();
  const siblings = new Set<string>();
  for (const { field, path, parentIds } of allFields(schema)) {
    if (!Number.isInteger(field.id) || field.id < 0 || field.id > MAX_FIELD_ID) {
      const message = `Field '${path}' has the id ${field.id}. A field id is a whole number from 0 to ${MAX_FIELD_ID}.`;
      throw new MoraineError('SCHEMA_INVALID', message);
    }
    if (parentIds.length > MAX_DEPTH) {
      const column = findField(schema, parentIds[0] ?? field.id)?.name ?? '';
      const message = `Column '${column}' nests types more than ${MAX_DEPTH} levels deep. Flatten the column.`;
      throw new MoraineError('SCHEMA_INVALID', message);
    }
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
