/** Schemas in their JSON form. Source: Apache Iceberg specification, Appendix C, "Schemas". */
import { MoraineError } from '../../errors/index.js';
import { isJsonObject, type JsonObject, type JsonValue, jsonObject, stringifyJson } from '../json.js';
import { JsonFields, membersOf } from '../json-fields.js';
import { allFields, findField } from './schema.js';
import { type IcebergType, type NestedField, type Schema, type SimplePrimitiveKind } from './types.js';

const KNOWN_KEYS: ReadonlySet<string> = new Set(['type', 'schema-id', 'identifier-field-ids', 'fields']);

/**
 * Reads a schema. One without an id (v1) has id 0.
 * @throws MoraineError `SCHEMA_INVALID` naming the field: a missing member, an impossible id, two fields of one id, two of one name
 */
export function parseSchema(json: JsonValue): Schema {
  const fields = new JsonFields(json, 'schema', 'SCHEMA_INVALID');
  const kind = fields.optionalString('type') ?? 'struct';
  if (kind !== 'struct') fields.fail(`its type should be 'struct', got '${kind}'`);
  const schema: Schema = {
    schemaId: fields.optionalInt('schema-id') ?? 0,
    fields: parseFields(fields.array('fields')),
    identifierFieldIds: fields.ints('identifier-field-ids'),
    ...fields.unknownMembers(KNOWN_KEYS),
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
    ...membersOf(schema),
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

const STRUCT_KEYS: ReadonlySet<string> = new Set(['type', 'fields']);
const LIST_KEYS: ReadonlySet<string> = new Set(['type', 'element-id', 'element-required', 'element']);
const MAP_KEYS: ReadonlySet<string> = new Set(['type', 'key-id', 'key', 'value-id', 'value-required', 'value']);
const FIELD_KEYS: ReadonlySet<string> = new Set([
  'id',
  'name',
  'required',
  'type',
  'doc',
  'initial-default',
  'write-default',
]);

const SIMPLE_KINDS: ReadonlySet<string> = new Set<SimplePrimitiveKind>([
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'uuid',
  'binary',
  'unknown',
]);
const DECIMAL = /^decimal\(\s*(\d+)\s*,\s*(-?\d+)\s*\)$/;
const FIXED = /^fixed\[\s*(\d+)\s*\]$/;
const UNSUPPORTED = /^(variant|geometry|geography)\b/;
const MAX_DECIMAL_PRECISION = 38;

/**
 * Reads a type. `variant`, `geometry(..)` and `geography(..)` come back as `unsupported`, so that tables that have them can be opened.
 * @throws MoraineError `SCHEMA_INVALID` for anything that is not a type
 */
export function parseType(json: JsonValue): IcebergType {
  if (typeof json === 'string') return parsePrimitive(json);
  if (!isJsonObject(json)) throw new MoraineError('SCHEMA_INVALID', `Not a type: ${String(JSON.stringify(json))}.`);
  const fields = new JsonFields(json, 'type', 'SCHEMA_INVALID');
  const kind = fields.string('type');
  if (kind === 'struct')
    return { kind, fields: parseFields(fields.array('fields')), ...fields.unknownMembers(STRUCT_KEYS) };
  if (kind === 'list') {
    return {
      kind,
      elementId: fields.int('element-id'),
      elementRequired: fields.boolean('element-required'),
      element: parseType(fields.required('element')),
      ...fields.unknownMembers(LIST_KEYS),
    };
  }
  if (kind === 'map') {
    return {
      kind,
      keyId: fields.int('key-id'),
      key: parseType(fields.required('key')),
      valueId: fields.int('value-id'),
      valueRequired: fields.boolean('value-required'),
      value: parseType(fields.required('value')),
      ...fields.unknownMembers(MAP_KEYS),
    };
  }
  return fields.fail(`unknown nested type '${kind}'`);
}

function parsePrimitive(text: string): IcebergType {
  const name = text.trim().toLowerCase();
  if (SIMPLE_KINDS.has(name)) return { kind: name as SimplePrimitiveKind };
  const decimal = DECIMAL.exec(name);
  if (decimal !== null) {
    const precision = Number(decimal[1]);
    if (precision < 1 || precision > MAX_DECIMAL_PRECISION) {
      throw new MoraineError(
        'SCHEMA_INVALID',
        `Type ${text}: a decimal's precision is from 1 to ${MAX_DECIMAL_PRECISION}.`,
      );
    }
    return { kind: 'decimal', precision, scale: Number(decimal[2]) };
  }
  const fixed = FIXED.exec(name);
  if (fixed !== null) return { kind: 'fixed', length: Number(fixed[1]) };
  if (UNSUPPORTED.test(name)) return { kind: 'unsupported', text };
  throw new MoraineError('SCHEMA_INVALID', `Unknown type '${text}'.`);
}

/** Reads the fields of a struct. */
export function parseFields(json: readonly JsonValue[]): readonly NestedField[] {
  return json.map((item) => {
    const fields = new JsonFields(item, 'field', 'SCHEMA_INVALID');
    const name = fields.string('name');
    const inField = new JsonFields(item, `field '${name}'`, 'SCHEMA_INVALID');
    const doc = inField.optionalString('doc');
    const initialDefault = inField.optional('initial-default');
    const writeDefault = inField.optional('write-default');
    return {
      id: inField.int('id'),
      name,
      required: inField.boolean('required'),
      type: parseType(inField.required('type')),
      ...(doc !== undefined && { doc }),
      ...(initialDefault !== undefined && { initialDefault }),
      ...(writeDefault !== undefined && { writeDefault }),
      ...inField.unknownMembers(FIELD_KEYS),
    };
  });
}

/** The JSON form of a type. */
export function typeToJson(type: IcebergType): JsonValue {
  switch (type.kind) {
    case 'struct':
      return jsonObject([['type', 'struct'], ['fields', type.fields.map(fieldToJson)], ...membersOf(type)]);
    case 'list':
      return jsonObject([
        ['type', 'list'],
        ['element-id', type.elementId],
        ['element', typeToJson(type.element)],
        ['element-required', type.elementRequired],
        ...membersOf(type),
      ]);
    case 'map':
      return jsonObject([
        ['type', 'map'],
        ['key-id', type.keyId],
        ['key', typeToJson(type.key)],
        ['value-id', type.valueId],
        ['value', typeToJson(type.value)],
        ['value-required', type.valueRequired],
        ...membersOf(type),
      ]);
    default:
      return typeToString(type);
  }
}

/** The JSON form of a struct's field. */
export function fieldToJson(field: NestedField): JsonObject {
  return jsonObject([
    ['id', field.id],
    ['name', field.name],
    ['required', field.required],
    ['type', typeToJson(field.type)],
    ['doc', field.doc],
    ['initial-default', field.initialDefault as JsonValue | undefined],
    ['write-default', field.writeDefault as JsonValue | undefined],
    ...membersOf(field),
  ]);
}

/** A type as people write it: `decimal(9, 2)`, `fixed[16]`, `list<int>`, `map<string, long>`, `struct<a: int>`. */
export function typeToString(type: IcebergType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'fixed':
      return `fixed[${type.length}]`;
    case 'unsupported':
      return type.text;
    case 'list':
      return `list<${typeToString(type.element)}>`;
    case 'map':
      return `map<${typeToString(type.key)}, ${typeToString(type.value)}>`;
    case 'struct':
      return `struct<${type.fields.map((field) => `${field.name}: ${typeToString(field.type)}`).join(', ')}>`;
    default:
      return type.kind;
  }
}

/** Whether two types are the same, nested field ids, names and nullability included. */
export function sameType(left: IcebergType, right: IcebergType): boolean {
  return stringifyJson(typeToJson(left)) === stringifyJson(typeToJson(right));
}
