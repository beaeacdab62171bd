/** Join-key values of a request, checked against the types of the online table. */
import { MoraineError } from '../errors/index.js';
import {
  type IcebergType,
  type PrimitiveType,
  type PrimitiveValue,
  typeToString,
  valueFromJson,
} from '../iceberg/index.js';
import type { EntityKeyPart } from './entity-key.js';

/** One entity of a request: join key to value. Extra keys are for other views. */
export type EntityRow = ReadonlyMap<string, unknown>;

const MICROS_PER_MILLI = 1000n;

/**
 * The key values of an entity in the order of the parts; null if one of them is null (which matches nothing).
 * Accepted: the in-memory form of the type (`PrimitiveValue`), its JSON form (ISO text for dates and times, text for uuid and
 * decimal, hex for binary), an integral number for integers, a `Date` for timestamps.
 * @param asText every value is text, as typed on a command line: numbers and booleans are parsed too
 * @throws INVALID_ARGUMENT for a missing key, TYPE_MISMATCH for a value of another type
 */
export function entityKeyValues(
  parts: readonly EntityKeyPart[],
  entity: EntityRow,
  asText = false,
): readonly PrimitiveValue[] | null {
  const values: PrimitiveValue[] = [];
  let hasNull = false;
  for (const part of parts) {
    const value = entity.get(part.name);
    if (value === undefined) {
      const given = [...entity.keys()].join(', ');
      throw new MoraineError(
        'INVALID_ARGUMENT',
        `An entity has no value for the join key '${part.name}' (it has: ${given === '' ? 'nothing' : given}).`,
      );
    }
    if (value === null) hasNull = true;
    else values.push(keyValue(part, value, asText));
  }
  return hasNull ? null : values;
}

function keyValue(part: EntityKeyPart, value: unknown, asText: boolean): PrimitiveValue {
  const type = part.type;
  const found = asText && typeof value === 'string' ? fromText(type, value) : fromValue(type, value);
  if (found !== undefined) return found;
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The value ${describe(value)} of the join key '${part.name}' is not of type ${typeToString(type)}.`,
  );
}

function fromText(type: IcebergType, text: string): PrimitiveValue | undefined {
  if (type.kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (type.kind === 'int' || type.kind === 'long')
    return /^[+-]?\d+$/.test(text) ? fromValue(type, BigInt(text)) : undefined;
  return fromValue(type, text);
}

function fromValue(type: IcebergType, value: unknown): PrimitiveValue | undefined {
  switch (type.kind) {
    case 'int':
      return typeof value === 'bigint'
        ? fromInteger(value, 32)
        : typeof value === 'number'
          ? fromInteger(value, 32)
          : undefined;
    case 'long':
      return typeof value === 'bigint' || typeof value === 'number' ? fromInteger(value, 64) : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'date':
      return typeof value === 'number' && Number.isInteger(value) ? value : fromJson(type, value);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      if (value instanceof Date) return BigInt(value.getTime()) * MICROS_PER_MILLI;
      return typeof value === 'bigint' ? value : fromTemporalText(type, value);
    case 'decimal':
      return typeof value === 'bigint' ? value : fromJson(type, typeof value === 'number' ? String(value) : value);
    case 'binary':
    case 'fixed':
      return value instanceof Uint8Array ? value : fromJson(type, value);
    default:
      return fromJson(type, value);
  }
}

function fromInteger(value: bigint | number, bits: 32 | 64): PrimitiveValue | undefined {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return undefined;
  const whole = BigInt(value);
  if (BigInt.asIntN(bits, whole) !== whole) return undefined;
  return bits === 32 ? Number(whole) : whole;
}

/** ISO text; a zone that is missing is UTC, one that a zone-less type does not have is converted away. */
function fromTemporalText(type: PrimitiveType, value: unknown): PrimitiveValue | undefined {
  if (typeof value !== 'string') return undefined;
  if (type.kind === 'time') return fromJson(type, value);
  const hasZone = /(?:Z|[+-]\d\d:\d\d)$/.test(value);
  return fromJson({ kind: 'timestamptz' }, hasZone ? value : `${value}Z`);
}

function fromJson(type: IcebergType, value: unknown): PrimitiveValue | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return valueFromJson(type, value);
  } catch {
    return undefined;
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 100)}'`;
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return `of JavaScript type ${typeof value}`;
}
