/** Feature types in definitions: Iceberg's own names, and `list<..>`, `map<..,..>`, `struct<name: ..>` for nested ones. */
import { type IcebergType, type NestedField, parseType, typeToString } from '../../iceberg/index.js';

/** Deepest nesting that is accepted. */
const MAX_DEPTH = 16;

/**
 * Parses a type as written in a definition. Nested types have no field ids here (all 0): they are only compared by
 * {@link sameType} and {@link acceptsType}, which ignore ids. Undefined if it is not a type.
 */
export function parseFeatureType(text: string, depth = 0): IcebergType | undefined {
  const trimmed = text.trim();
  if (depth > MAX_DEPTH) return undefined;
  const nested = /^(list|map|struct)\s*<(.*)>$/s.exec(trimmed);
  return nested === null
    ? parsePrimitive(trimmed)
    : parseNested(nested[1] ?? '', splitTopLevel(nested[2] ?? ''), depth + 1);
}

function parsePrimitive(text: string): IcebergType | undefined {
  try {
    const type = parseType(text);
    return type.kind === 'unsupported' || type.kind === 'unknown' ? undefined : type;
  } catch {
    return undefined;
  }
}

function parseNested(kind: string, parts: readonly string[], depth: number): IcebergType | undefined {
  if (kind === 'struct') {
    const fields = parts.map((part) => parseStructField(part, depth));
    return fields.every((field) => field !== undefined) ? { kind: 'struct', fields } : undefined;
  }
  const types = parts.map((part) => parseFeatureType(part, depth));
  const [first, second] = types;
  if (kind === 'list' && types.length === 1 && first !== undefined) {
    return { kind: 'list', elementId: 0, elementRequired: false, element: first };
  }
  if (kind === 'map' && types.length === 2 && first !== undefined && second !== undefined) {
    return { kind: 'map', keyId: 0, key: first, valueId: 0, valueRequired: false, value: second };
  }
  return undefined;
}

function parseStructField(part: string, depth: number): NestedField | undefined {
  const colon = part.indexOf(':');
  const type = colon < 0 ? undefined : parseFeatureType(part.slice(colon + 1), depth);
  const name = part.slice(0, Math.max(colon, 0)).trim();
  return type === undefined || name === '' ? undefined : { id: 0, name, required: false, type };
}

/** Splits at commas that are inside no brackets. */
function splitTopLevel(text: string): readonly string[] {
  const parts: string[] = [];
  let level = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '<' || char === '(') level++;
    else if (char === '>' || char === ')') level--;
    else if (char === ',' && level === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...parts, text.slice(start)];
}

/** The text that {@link parseFeatureType} reads. */
export function featureTypeToString(type: IcebergType): string {
  if (type.kind === 'list') return `list<${featureTypeToString(type.element)}>`;
  if (type.kind === 'map') return `map<${featureTypeToString(type.key)}, ${featureTypeToString(type.value)}>`;
  if (type.kind === 'struct') {
    return `struct<${type.fields.map((field) => `${field.name}: ${featureTypeToString(field.type)}`).join(', ')}>`;
  }
  return typeToString(type);
}

/** Whether two types are the same, field ids and nullability aside. */
export function sameType(a: IcebergType, b: IcebergType): boolean {
  return featureTypeToString(a) === featureTypeToString(b);
}

/**
 * Whether a column of type `from` can be read as `to`: the same type, or a promotion of the specification
 * ("Schema Evolution": int to long, float to double, a decimal of higher precision and the same scale).
 */
export function acceptsType(to: IcebergType, from: IcebergType): boolean {
  if (from.kind === 'int' && to.kind === 'long') return true;
  if (from.kind === 'float' && to.kind === 'double') return true;
  if (from.kind === 'decimal' && to.kind === 'decimal')
    return from.scale === to.scale && from.precision <= to.precision;
  return sameType(to, from);
}

/** Whether values of this type are points in time. */
export function isTimestampType(type: IcebergType): boolean {
  return type.kind === 'timestamp' || type.kind === 'timestamptz' || isNanosecondType(type);
}

/** Whether values of this type are points in time with nanoseconds. */
export function isNanosecondType(type: IcebergType): boolean {
  return type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns';
}

/** Whether a column of this type may be a join key: equality of the value must be exact and the same in every engine. */
export function isJoinKeyType(type: IcebergType): boolean {
  return !['float', 'double', 'list', 'map', 'struct', 'unknown', 'unsupported'].includes(type.kind);
}
