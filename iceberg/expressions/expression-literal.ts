/** Where a literal lies among the values of a column's type. Nothing is rounded, but for float and double columns. */
import { MoraineError } from '../../errors/index.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveValue } from '../schema/types.js';
import { floorDivide } from '../values/calendar.js';
import { bytesToUuid, uuidToBytes } from '../values/single-value.js';
import { parseDateText, parseTimestampText, parseTimeText } from '../values/temporal-literal.js';
import type { Literal } from './expression.js';

/**
 * `at`: the literal is that value. `after`: it is not a value of the type, but lies between this one and the next.
 * `below` and `above`: it lies below or above every value of the type (NaN, which is above every number, apart).
 */
export type Place =
  | { readonly kind: 'at' | 'after'; readonly value: PrimitiveValue }
  | { readonly kind: 'below' | 'above' };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MAX_FLOAT32 = 3.4028234663852886e38;
const NANOS_PER_DAY = 86_400_000_000_000n;

/**
 * Places a literal. Numbers compared with float or double columns are first rounded to the column's type, so that 0.1 finds the
 * 0.1 that was stored there; text is read as the column's type for uuid and temporal columns.
 * @param column names the column in errors
 * @throws MoraineError `TYPE_MISMATCH` when the literal cannot be compared with the type
 */
export function placeLiteral(type: IcebergType, literal: Literal, column: string): Place {
  const place = placeAs(type, literal);
  if (place !== undefined) return place;
  throw new MoraineError(
    'TYPE_MISMATCH',
    `Column '${column}' (${typeToString(type)}) cannot be compared with ${describe(literal)}${remedy(type)}.`,
  );
}

function placeAs(type: IcebergType, literal: Literal): Place | undefined {
  switch (type.kind) {
    case 'boolean':
      return literal.kind === 'boolean' ? at(literal.value) : undefined;
    case 'int':
      return literal.kind === 'number' ? placeInteger(literal, 0, intRange(32), Number) : undefined;
    case 'long':
      return literal.kind === 'number' ? placeInteger(literal, 0, intRange(64), same) : undefined;
    case 'decimal':
      return literal.kind === 'number'
        ? placeInteger(literal, type.scale, decimalRange(type.precision), same)
        : undefined;
    case 'float':
    case 'double':
      return literal.kind === 'number' ? placeFloat(literal, type.kind) : undefined;
    case 'string':
      return literal.kind === 'text' ? at(literal.value) : undefined;
    case 'uuid':
      return literal.kind === 'text' && UUID.test(literal.value)
        ? at(bytesToUuid(uuidToBytes(literal.value)))
        : undefined;
    case 'binary':
      return literal.kind === 'binary' ? at(literal.value) : undefined;
    case 'fixed':
      return literal.kind === 'binary' && literal.value.length === type.length ? at(literal.value) : undefined;
    default:
      return placeTemporal(type, literal);
  }
}

function placeTemporal(type: IcebergType, literal: Literal): Place | undefined {
  if (type.kind === 'time') {
    const nanos =
      literal.kind === 'text' ? parseTimeText(literal.value) : literal.kind === 'time' ? literal.nanos : undefined;
    return nanos === undefined ? undefined : placeUnits(nanos, 1000n, intRange(64), same);
  }
  const nanos = instantOf(literal);
  if (nanos === undefined) return undefined;
  switch (type.kind) {
    case 'date':
      return placeUnits(nanos, NANOS_PER_DAY, intRange(32), Number);
    case 'timestamp':
    case 'timestamptz':
      return placeUnits(nanos, 1000n, intRange(64), same);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return placeUnits(nanos, 1n, intRange(64), same);
    default:
      return undefined;
  }
}

/** Nanoseconds since the epoch; a date is its midnight in UTC. */
function instantOf(literal: Literal): bigint | undefined {
  switch (literal.kind) {
    case 'date':
      return BigInt(literal.days) * NANOS_PER_DAY;
    case 'timestamp':
      return literal.nanos;
    case 'text': {
      const days = parseDateText(literal.value);
      return days === undefined ? parseTimestampText(literal.value) : BigInt(days) * NANOS_PER_DAY;
    }
    default:
      return undefined;
  }
}

interface Range {
  readonly min: bigint;
  readonly max: bigint;
}

type Convert = (value: bigint) => PrimitiveValue;

const same: Convert = (value) => value;

function intRange(bits: number): Range {
  const half = 1n << BigInt(bits - 1);
  return { min: -half, max: half - 1n };
}

function decimalRange(precision: number): Range {
  const limit = 10n ** BigInt(precision) - 1n;
  return { min: -limit, max: limit };
}

function at(value: PrimitiveValue): Place {
  return { kind: 'at', value };
}

function placeUnits(nanos: bigint, nanosPerUnit: bigint, range: Range, convert: Convert): Place {
  return placeFloor(floorDivide(nanos, nanosPerUnit), nanos % nanosPerUnit === 0n, range, convert);
}

function placeFloor(floor: bigint, exact: boolean, { min, max }: Range, convert: Convert): Place {
  if (floor < min) return { kind: 'below' };
  if (floor > max) return { kind: 'above' };
  return { kind: exact ? 'at' : 'after', value: convert(floor) };
}

type NumberLiteral = Extract<Literal, { kind: 'number' }>;

/** Powers of ten beyond this lie outside every integer type, so they are never computed. */
const MAX_POWER = 1000;

/** Places a number among integers that count 10^-`scale` each. */
function placeInteger({ digits, exponent }: NumberLiteral, scale: number, range: Range, convert: Convert): Place {
  const power = exponent + scale;
  if (digits === 0n) return placeFloor(0n, true, range, convert);
  if (power > MAX_POWER) return { kind: digits < 0n ? 'below' : 'above' };
  if (power < -MAX_POWER) return placeFloor(digits < 0n ? -1n : 0n, false, range, convert);
  if (power >= 0) return placeFloor(digits * 10n ** BigInt(power), true, range, convert);
  const divisor = 10n ** BigInt(-power);
  return placeFloor(floorDivide(digits, divisor), digits % divisor === 0n, range, convert);
}

function placeFloat({ digits, exponent }: NumberLiteral, kind: 'float' | 'double'): Place {
  const wide = Number(`${digits}e${exponent}`);
  const value = kind === 'float' ? Math.fround(wide) : wide;
  if (Number.isFinite(value)) return at(value);
  const largest = kind === 'float' ? MAX_FLOAT32 : Number.MAX_VALUE;
  // A number too large for the type lies between the largest one and infinity.
  return { kind: 'after', value: value > 0 ? largest : Number.NEGATIVE_INFINITY };
}

function describe(literal: Literal): string {
  switch (literal.kind) {
    case 'text':
      return `the text '${literal.value}'`;
    case 'boolean':
      return literal.value ? 'TRUE' : 'FALSE';
    case 'binary':
      return `${literal.value.length} bytes`;
    case 'number':
      return 'a number';
    default:
      return `a ${literal.kind}`;
  }
}

function remedy(type: IcebergType): string {
  switch (type.kind) {
    case 'string':
      return ": write text in single quotes, '..'";
    case 'uuid':
      return ": write a uuid in single quotes, 'f79c3e09-677c-4bbd-a479-3f349cb785e7'";
    case 'binary':
      return ": write bytes as X'..'";
    case 'fixed':
      return `: write ${type.length} bytes as X'..'`;
    case 'date':
      return ": write DATE '2001-03-09'";
    case 'time':
      return ": write TIME '17:05:01'";
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return ": write TIMESTAMP '2001-03-09T17:05:01'";
    case 'boolean':
      return ': write TRUE or FALSE';
    case 'struct':
    case 'list':
    case 'map':
      return ': only IS NULL and IS NOT NULL can be asked of it';
    default:
      return '';
  }
}
