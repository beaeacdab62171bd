/** Types in their JSON form. Source: Apache Iceberg specification, Appendix C, "Schemas". */
import { MoraineError } from '../../errors/index.js';
import { isJsonObject, type JsonObject, type JsonValue, jsonObject } from '../json.js';
import { JsonFields } from '../json-fields.js';
import type { IcebergType, NestedField, SimplePrimitiveKind } from './types.js';

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
  if (kind === 'struct') return { kind, fields: parseFields(fields.array('fields')) };
  if (kind === 'list') {
    return {
      kind,
      elementId: fields.int('element-id'),
      elementRequired: fields.boolean('element-required'),
      element: parseType(fields.required('element')),
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
    };
  });
}

/** The JSON form of a type. */
export function typeToJson(type: IcebergType): JsonValue {
  switch (type.kind) {
    case 'struct':
      return { type: 'struct', fields: type.fields.map(fieldToJson) };
    case 'list':
      return {
        type: 'list',
        'element-id': type.elementId,
        element: typeToJson(type.element),
        'element-required': type.elementRequired,
      };
    case 'map':
      return {
        type: 'map',
        'key-id': type.keyId,
        key: typeToJson(type.key),
        'value-id': type.valueId,
        value: typeToJson(type.value),
        'value-required': type.valueRequired,
      };
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
  return JSON.stringify(typeToJson(left)) === JSON.stringify(typeToJson(right));
}
