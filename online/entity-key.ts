/**
 * `_entity_key`: several join keys (or one that Iceberg cannot bucket the same way everywhere) as one text.
 *
 * Each key, in the view's order, becomes `<tag><bytes>:<text>`; the parts are joined without a separator. `bytes` is the
 * length of `text` in UTF-8, so the encoding is injective: (1, 23) is `i1:1i2:23`, (12, 3) is `i2:12i1:3`, ('1', 23) is `s1:1i2:23`.
 * A view without keys has the empty text. Null keys have no encoding: such rows belong to no entity.
 *
 * | tag | types | text |
 * |---|---|---|
 * | `i` | int, long | decimal digits |
 * | `s` | string | itself |
 * | `b` | boolean | `true`, `false` |
 * | `d` | date | days since 1970-01-01 |
 * | `t` | time, timestamp, timestamptz | microseconds since midnight or 1970-01-01 UTC |
 * | `n` | timestamp_ns, timestamptz_ns | nanoseconds since 1970-01-01 UTC |
 * | `u` | uuid | canonical, lower case |
 * | `x` | binary, fixed | lower-case hex |
 * | `m` | decimal | the number with all digits of its scale |
 *
 * int and long share a tag (as do decimals of one scale), so that widening a key changes no stored value.
 */
import { MoraineError, nearestNames } from '../errors/index.js';
import {
  formatDecimal,
  type IcebergType,
  type PrimitiveType,
  type PrimitiveValue,
  typeToString,
  valueFromJson,
} from '../iceberg/index.js';

/** One component of an entity's identity. */
export interface EntityKeyPart {
  readonly name: string;
  readonly type: IcebergType;
}

/** The encoding of one entity. `values` are in the order of `parts`, none null. */
export function encodeEntityKey(parts: readonly EntityKeyPart[], values: readonly PrimitiveValue[]): string {
  return parts
    .map((part, index) => {
      const value = values[index];
      if (value === undefined) throw new TypeError(`No value for the join key ${part.name}`);
      const text = keyText(part, value);
      return `${keyTag(part)}${Buffer.byteLength(text)}:${text}`;
    })
    .join('');
}

/** A SQL expression that gives the same text; `columns` are SQL expressions in the order of `parts`. */
export function entityKeySql(parts: readonly EntityKeyPart[], columns: readonly string[]): string {
  if (parts.length === 0) return `''`;
  return parts
    .map((part, index) => {
      const text = keyTextSql(part, columns[index] ?? 'NULL');
      return `'${keyTag(part)}' || strlen(${text}) || ':' || ${text}`;
    })
    .join(' || ');
}

function keyTag(part: EntityKeyPart): string {
  switch (part.type.kind) {
    case 'int':
    case 'long':
      return 'i';
    case 'string':
      return 's';
    case 'boolean':
      return 'b';
    case 'date':
      return 'd';
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return 't';
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return 'n';
    case 'uuid':
      return 'u';
    case 'binary':
    case 'fixed':
      return 'x';
    case 'decimal':
      return 'm';
    default:
      throw new MoraineError(
        'DEFINITION_INVALID',
        `The join key '${part.name}' has type ${part.type.kind}, which cannot identify an entity; use an integer, string, date, time, uuid, decimal or binary column.`,
      );
  }
}

function keyText(part: EntityKeyPart, value: PrimitiveValue): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (part.type.kind === 'decimal' && typeof value === 'bigint') return formatDecimal(value, part.type.scale);
  return String(value);
}

function keyTextSql(part: EntityKeyPart, column: string): string {
  switch (part.type.kind) {
    case 'date':
      return `CAST(${column} - DATE '1970-01-01' AS VARCHAR)`;
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return `CAST(epoch_us(${column}) AS VARCHAR)`;
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return `CAST(epoch_ns(${column}) AS VARCHAR)`;
    case 'binary':
    case 'fixed':
      return `lower(hex(${column}))`;
    default:
      return `CAST(${column} AS VARCHAR)`;
  }
}

/** One entity of a request: join key to value. Extra keys are for other views. */
export type EntityRow = ReadonlyMap<string, unknown>;

const MICROS_PER_MILLI = 1000n;
const NANOS_PER_MILLI = 1_000_000n;
const MICROS_PER_DAY = 86_400_000_000n;

/** Reads a value of a join key, which is not null. Undefined: it is not of the type. */
export type ReadKeyValue = (type: IcebergType, value: unknown) => PrimitiveValue | undefined;

/**
 * The key values of an entity in the order of the parts; null if one of them is null (which matches nothing).
 * @throws INVALID_ARGUMENT for a missing key, with the nearest name that is given; TYPE_MISMATCH for a value of another type
 */
export function entityKeyValues(
  parts: readonly EntityKeyPart[],
  entity: EntityRow | Readonly<Record<string, unknown>>,
  read: ReadKeyValue = keyValue,
): readonly PrimitiveValue[] | null {
  const values: PrimitiveValue[] = [];
  let hasNull = false;
  for (const part of parts) {
    const value = entity instanceof Map ? (entity as EntityRow).get(part.name) : ownValue(entity, part.name);
    if (value === undefined) {
      throw missingKey(part.name, [
        ...((entity instanceof Map ? entity.keys() : Object.keys(entity)) as Iterable<string>),
      ]);
    }
    if (value === null) hasNull = true;
    else values.push(readKeyValue(part, value, read));
  }
  return hasNull ? null : values;
}

function missingKey(name: string, given: readonly string[]): MoraineError {
  const [near] = nearestNames(name, given, 1);
  return new MoraineError(
    'INVALID_ARGUMENT',
    `An entity has no value for the join key '${name}' (it has: ${given.length === 0 ? 'nothing' : given.join(', ')}).${
      near === undefined ? '' : ` Should '${near}' be '${name}'?`
    }`,
  );
}

function ownValue(entity: object, name: string): unknown {
  return Object.hasOwn(entity, name) ? (entity as Readonly<Record<string, unknown>>)[name] : undefined;
}

/**
 * A value of a join key by its type.
 * @throws TYPE_MISMATCH
 */
export function readKeyValue({ name, type }: EntityKeyPart, value: unknown, read: ReadKeyValue): PrimitiveValue {
  const found = read(type, value);
  if (found !== undefined) return found;
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The value ${describe(value)} of the join key '${name}' is not of type ${typeToString(type)}.`,
  );
}

/** Reads values as typed on a command line: numbers and booleans are parsed, too. */
export function keyValueOfText(type: IcebergType, value: unknown): PrimitiveValue | undefined {
  if (typeof value !== 'string') return keyValue(type, value);
  if (type.kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : undefined;
  if (type.kind === 'int' || type.kind === 'long')
    return /^[+-]?\d+$/.test(value) ? keyValue(type, BigInt(value)) : undefined;
  return keyValue(type, value);
}

/**
 * Reads values in the in-memory form of the type (`PrimitiveValue`), its JSON form (ISO text for dates and times, text for uuid and
 * decimal, hex for binary), an integral number for integers, a `Date` for timestamps.
 */
export function keyValue(type: IcebergType, value: unknown): PrimitiveValue | undefined {
  switch (type.kind) {
    case 'int':
    case 'long':
      if (typeof value !== 'bigint' && typeof value !== 'number') return undefined;
      return fromInteger(value, type.kind === 'int' ? 32 : 64);
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'date':
      return typeof value === 'number' ? fromInteger(value, 32) : fromJson(type, value);
    case 'time':
      return typeof value === 'bigint' ? fromUnits(value, 0n, MICROS_PER_DAY - 1n) : fromTemporalText(type, value);
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns': {
      const unit = value instanceof Date ? BigInt(value.getTime()) * perMilli(type) : value;
      const found = typeof unit === 'bigint' ? unit : fromTemporalText(type, value);
      return typeof found === 'bigint' ? fromInteger(found, 64) : undefined;
    }
    case 'decimal': {
      const unscaled =
        typeof value === 'bigint' ? value : fromJson(type, typeof value === 'number' ? String(value) : value);
      return typeof unscaled === 'bigint' ? fromUnscaled(unscaled, type.precision) : undefined;
    }
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

function fromUnscaled(value: bigint, precision: number): PrimitiveValue | undefined {
  const most = 10n ** BigInt(precision) - 1n;
  return fromUnits(value, -most, most);
}

function fromUnits(value: bigint, least: bigint, most: bigint): PrimitiveValue | undefined {
  return value >= least && value <= most ? value : undefined;
}

/** ISO text; a zone that is missing is UTC, one that a zone-less type does not have is converted away. */
const isNanos = ({ kind }: PrimitiveType): boolean => kind === 'timestamp_ns' || kind === 'timestamptz_ns';
const perMilli = (type: PrimitiveType): bigint => (isNanos(type) ? NANOS_PER_MILLI : MICROS_PER_MILLI);

function fromTemporalText(type: PrimitiveType, value: unknown): PrimitiveValue | undefined {
  if (typeof value !== 'string') return undefined;
  if (type.kind === 'time') return fromJson(type, value);
  const hasZone = /(?:Z|[+-]\d\d:\d\d)$/.test(value);
  return fromJson({ kind: isNanos(type) ? 'timestamptz_ns' : 'timestamptz' }, hasZone ? value : `${value}Z`);
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
