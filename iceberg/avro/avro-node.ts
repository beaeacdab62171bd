/**
 * A writer's Avro schema, reduced to what reading and writing need. Field ids are kept, names are not used to find anything.
 * Source: Apache Avro specification 1.12, "Schema Declaration"; Iceberg specification, "Appendix A: Avro".
 */
import { MoraineError } from '../../errors/index.js';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, parseJson } from '../json.js';

export type AvroPrimitiveName = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';

/** The meaning of a schema beyond its physical type. */
export interface AvroLogicalType {
  readonly name: string;
  readonly adjustToUtc?: boolean;
  readonly precision?: number;
  readonly scale?: number;
}

export interface AvroField {
  readonly name: string;
  readonly fieldId: number | undefined;
  readonly node: AvroNode;
}

/** A schema with names resolved; `pairs` is an Avro map, or an array of key-value records with the logical type `map`. */
export type AvroNode =
  | {
      readonly kind: 'primitive';
      readonly name: AvroPrimitiveName;
      readonly logicalType?: AvroLogicalType;
      /** Symbols of an enum; its values are indexes of these. */
      readonly symbols?: readonly string[];
    }
  | { readonly kind: 'fixed'; readonly size: number; readonly logicalType?: AvroLogicalType }
  | { readonly kind: 'record'; readonly fields: readonly AvroField[] }
  | { readonly kind: 'array'; readonly items: AvroNode }
  | { readonly kind: 'pairs'; readonly key: AvroNode; readonly value: AvroNode }
  | { readonly kind: 'union'; readonly branches: readonly AvroNode[] };

const PRIMITIVES: ReadonlySet<string> = new Set<AvroPrimitiveName>([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);
const MAX_NODES = 20_000;
const MAX_DEPTH = 64;
const MAX_FIXED_BYTES = 1 << 20;

/**
 * Parses the schema in the header of an Avro file.
 * @param text JSON text of the schema
 * @throws MoraineError `MANIFEST_CORRUPT` when it is not a schema that an Iceberg manifest can have
 */
export function parseAvroSchema(text: string): AvroNode {
  return new SchemaReader().node(parseJson(text), '', 0);
}

/** One pass over a schema. Named types are written out where they are referred to, bounded in number and depth. */
class SchemaReader {
  private readonly named = new Map<string, JsonObject>();
  private nodeCount = 0;

  node(json: JsonValue, namespace: string, depth: number): AvroNode {
    if (++this.nodeCount > MAX_NODES || depth > MAX_DEPTH) throw corrupt('its Avro schema is too large or recursive');
    if (typeof json === 'string') return this.byName(json, namespace, depth);
    if (isJsonArray(json)) {
      return { kind: 'union', branches: json.map((branch) => this.node(branch, namespace, depth + 1)) };
    }
    if (!isJsonObject(json)) throw corrupt('its Avro schema has a type that is neither text, list nor object');
    return this.fromObject(json, namespace, depth);
  }

  private byName(name: string, namespace: string, depth: number): AvroNode {
    if (PRIMITIVES.has(name)) return { kind: 'primitive', name: name as AvroPrimitiveName };
    const definition = this.named.get(qualified(name, namespace)) ?? this.named.get(name);
    if (definition === undefined) throw corrupt(`its Avro schema refers to the unknown type '${name}'`);
    return this.fromObject(definition, namespace, depth + 1);
  }

  private fromObject(json: JsonObject, outer: string, depth: number): AvroNode {
    const type = member(json, 'type');
    const namespace = this.register(json, type, outer);
    switch (type) {
      case 'record':
        return this.record(json, namespace, depth);
      case 'array':
        return this.array(json, namespace, depth);
      case 'map':
        return {
          kind: 'pairs',
          key: { kind: 'primitive', name: 'string' },
          value: this.node(member(json, 'values') ?? null, namespace, depth + 1),
        };
      case 'fixed':
        return this.fixed(json);
      case 'enum':
        return { kind: 'primitive', name: 'int', symbols: this.symbols(json) };
      default:
        return withLogicalType(this.node(type ?? null, namespace, depth + 1), json);
    }
  }

  private register(json: JsonObject, type: JsonValue | undefined, outer: string): string {
    const name = member(json, 'name');
    if (typeof name !== 'string' || (type !== 'record' && type !== 'fixed' && type !== 'enum')) return outer;
    const own = member(json, 'namespace');
    const full = qualified(name, typeof own === 'string' ? own : outer);
    this.named.set(full, json);
    return full.slice(0, Math.max(full.lastIndexOf('.'), 0));
  }

  private record(json: JsonObject, namespace: string, depth: number): AvroNode {
    const fields = member(json, 'fields');
    if (fields === undefined || !isJsonArray(fields)) throw corrupt('its Avro schema has a record without fields');
    return {
      kind: 'record',
      fields: fields.map((field) => {
        if (!isJsonObject(field)) throw corrupt('its Avro schema has a field that is not an object');
        const name = member(field, 'name');
        const fieldId = member(field, 'field-id');
        return {
          name: typeof name === 'string' ? name : '',
          fieldId: typeof fieldId === 'number' ? fieldId : undefined,
          node: this.node(member(field, 'type') ?? null, namespace, depth + 1),
        };
      }),
    };
  }

  private array(json: JsonObject, namespace: string, depth: number): AvroNode {
    const items = this.node(member(json, 'items') ?? null, namespace, depth + 1);
    if (minimumBytes(items) === 0) throw corrupt('its Avro schema has an array whose items take no bytes');
    const [key, value] = items.kind === 'record' ? items.fields : [];
    const isMap = member(json, 'logicalType') === 'map' && items.kind === 'record' && items.fields.length === 2;
    if (isMap && key !== undefined && value !== undefined) return { kind: 'pairs', key: key.node, value: value.node };
    return { kind: 'array', items };
  }

  private symbols(json: JsonObject): readonly string[] {
    const symbols = member(json, 'symbols');
    if (symbols === undefined || !isJsonArray(symbols)) throw corrupt('its Avro schema has an enum without symbols');
    return symbols.map(String);
  }

  private fixed(json: JsonObject): AvroNode {
    const size = member(json, 'size');
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > MAX_FIXED_BYTES) {
      throw corrupt('its Avro schema has a fixed type of an impossible size');
    }
    return withLogicalType({ kind: 'fixed', size }, json);
  }
}

/** The other branch of a union of null and one type; the node itself when it is not a union. */
export function nonNull(node: AvroNode): AvroNode {
  if (node.kind !== 'union') return node;
  const branches = node.branches.filter((branch) => !(branch.kind === 'primitive' && branch.name === 'null'));
  const [branch] = branches;
  if (branch === undefined || branches.length > 1) throw corrupt('its Avro schema has a union of several types');
  return branch;
}

/** The fewest bytes that a value can take (0 or 1 is all that matters: it bounds the counts that a file may claim). */
function minimumBytes(node: AvroNode): 0 | 1 {
  switch (node.kind) {
    case 'primitive':
      return node.name === 'null' ? 0 : 1;
    case 'fixed':
      return node.size === 0 ? 0 : 1;
    case 'record':
      return node.fields.some((field) => minimumBytes(field.node) === 1) ? 1 : 0;
    case 'array':
    case 'pairs':
    case 'union':
      return 1;
  }
}

function withLogicalType(node: AvroNode, json: JsonObject): AvroNode {
  const name = member(json, 'logicalType');
  if (typeof name !== 'string' || (node.kind !== 'primitive' && node.kind !== 'fixed')) return node;
  const adjustToUtc = member(json, 'adjust-to-utc');
  const precision = member(json, 'precision');
  const scale = member(json, 'scale');
  const logicalType: AvroLogicalType = {
    name,
    ...(typeof adjustToUtc === 'boolean' ? { adjustToUtc } : {}),
    ...(typeof precision === 'number' ? { precision } : {}),
    ...(typeof scale === 'number' ? { scale } : {}),
  };
  return { ...node, logicalType };
}

function qualified(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function member(json: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}

function corrupt(reason: string): MoraineError {
  return new MoraineError('MANIFEST_CORRUPT', reason);
}

/**
 * The name that Java's writer gives: an underscore before a leading digit, `_x2E` for a dot (upper-case hexadecimal UTF-16 unit).
 * Readers find fields by id; the name only has to be legal.
 */
export function sanitizeAvroName(name: string): string {
  let result = '';
  for (let index = 0; index < name.length; index++) {
    const char = name.charAt(index);
    if (/[A-Za-z_]/.test(char)) result += char;
    else if (/[0-9]/.test(char)) result += index === 0 ? `_${char}` : char;
    else result += `_x${name.charCodeAt(index).toString(16).toUpperCase()}`;
  }
  return result === '' ? '_' : result;
}

/** Legal names, in order; one that would repeat an earlier one gets its field id appended. */
export function uniqueAvroNames(fields: readonly { readonly name: string; readonly id: number }[]): readonly string[] {
  const used = new Set<string>();
  return fields.map(({ name, id }) => {
    let unique = sanitizeAvroName(name);
    while (used.has(unique)) unique += `_${String(id)}`;
    used.add(unique);
    return unique;
  });
}
