/** Values of the worlds' rows: which there are, how DuckDB writes them into files, and how it gives them back. */
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { IcebergType, PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import { compareValue } from './order.js';
import type { Random } from './random.js';

/** A struct as its files have it: by field id, so that renamed and dropped members are found or not found by that. */
export interface StructValue {
  readonly members: ReadonlyMap<number, Value>;
}

/** A stored value. Maps are lists of pairs. */
export type Value = PrimitiveValue | StructValue | readonly Value[] | null;

export const isStruct = (value: Value): value is StructValue =>
  value !== null && typeof value === 'object' && 'members' in value;

/** The values that the rows of a column are drawn from: edges of the type, and values that are easily mistaken for each other. */
const DOMAINS: Readonly<Record<string, readonly PrimitiveValue[]>> = {
  boolean: [false, true],
  int: [0, 1, -1, 7, -(2 ** 31), 2 ** 31 - 1],
  long: [0n, 1n, -1n, 7n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n],
  float: [0, -0, 1.5, Math.fround(0.1), NaN, Infinity, -Infinity],
  double: [0, -0, 1.5, 0.1, NaN, Infinity, -Infinity],
  date: [0, -1, 1, 11_388, -719_162],
  time: [0n, 1n, 43_200_000_000n, 86_399_999_999n],
  timestamp: [0n, -1n, 1_000_000_001n, -62_135_596_800_000_000n],
  timestamptz: [0n, -1n, 1_000_000_001n, -62_135_596_800_000_000n],
  timestamp_ns: [0n, -1n, 999n, 1_000_000_000_000_000_001n],
  timestamptz_ns: [0n, -1n, 999n, 1_000_000_000_000_000_001n],
  // The last two differ in order between UTF-16 units and code points; two others only in how they are composed.
  string: ['', 'a', 'A', `b'"\\`, '1', '01', ' 1', '\u00e9', 'e\u0301', '\uffee', '\u{1f600}'],
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    '7fffffff-ffff-ffff-ffff-ffffffffffff',
    '80000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-fffffffffffe',
  ],
  binary: [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(0, 255), Uint8Array.of(128)],
};

function domain(type: PrimitiveType): readonly PrimitiveValue[] {
  if (type.kind === 'decimal') return [0n, 1n, -1n, 10n ** BigInt(type.precision) - 1n, -150n];
  return DOMAINS[type.kind] as readonly PrimitiveValue[];
}

/** Any value of a type, now and then null. Few values are common, so that rows tie. */
export function randomValue(random: Random, type: IcebergType, nulls = 0.15): Value {
  if (random.chance(nulls)) return null;
  if (type.kind === 'list') return Array.from({ length: random.int(0, 2) }, () => randomValue(random, type.element));
  if (type.kind === 'struct') {
    return { members: new Map(type.fields.map((field) => [field.id, randomValue(random, field.type)])) };
  }
  if (type.kind === 'map') {
    // Ties compare maps by their sorted entries; sorted as they are, they are compared as they are.
    const keys = random.some(domain(type.key as PrimitiveType), 0, 2).sort(compareValue);
    return keys.map((key) => [key, randomValue(random, type.value)]);
  }
  const values = domain(type as PrimitiveType);
  return random.chance(0.5) ? random.pick(values.slice(0, 2)) : random.pick(values);
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const SIMPLE_SQL: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  timestamp_ns: 'TIMESTAMP_NS',
  timestamptz_ns: 'TIMESTAMP_NS',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
  fixed: 'BLOB',
};

/** The type that DuckDB writes a column with. */
export function typeSql(type: IcebergType): string {
  if (type.kind === 'decimal') return `DECIMAL(${type.precision}, ${type.scale})`;
  if (type.kind === 'list') return `${typeSql(type.element)}[]`;
  if (type.kind === 'map') return `MAP(${typeSql(type.key)}, ${typeSql(type.value)})`;
  if (type.kind === 'struct') {
    return `STRUCT(${type.fields.map((field) => `${quoteName(field.name)} ${typeSql(field.type)}`).join(', ')})`;
  }
  return SIMPLE_SQL[type.kind] as string;
}

/** A value as an expression of {@link typeSql}. */
export function valueSql(type: IcebergType, value: Value): string {
  if (value === null) return `NULL::${typeSql(type)}`;
  if (type.kind === 'list') {
    return `[${(value as Value[]).map((item) => valueSql(type.element, item)).join(', ')}]::${typeSql(type)}`;
  }
  if (type.kind === 'struct') {
    const { members } = value as StructValue;
    const packed = type.fields.map((f) => `${quoteName(f.name)} := ${valueSql(f.type, members.get(f.id) ?? null)}`);
    return `struct_pack(${packed.join(', ')})`;
  }
  if (type.kind === 'map') {
    const pairs = value as readonly (readonly [Value, Value])[];
    const keys = pairs.map(([key]) => valueSql(type.key, key)).join(', ');
    const values = pairs.map(([, item]) => valueSql(type.value, item)).join(', ');
    return `map([${keys}]::${typeSql(type.key)}[], [${values}]::${typeSql(type.value)}[])`;
  }
  return primitiveSql(type as PrimitiveType, value as PrimitiveValue);
}

function primitiveSql(type: PrimitiveType, value: PrimitiveValue): string {
  switch (type.kind) {
    case 'date':
      return `(DATE '1970-01-01' + (${String(value)}))`;
    case 'time':
      return `(TIME '00:00:00' + to_microseconds(${String(value)}))`;
    case 'timestamp':
      return `make_timestamp(${String(value)})`;
    case 'timestamptz':
      return `make_timestamptz(${String(value)})`;
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return `make_timestamp_ns(${String(value)})`;
    case 'binary':
    case 'fixed':
      return `from_hex('${Buffer.from(value as Uint8Array).toString('hex')}')`;
    case 'decimal':
      return `${quote(decimalText(value as bigint, type.scale))}::${typeSql(type)}`;
    default:
      return `${quote(Object.is(value, -0) ? '-0.0' : String(value))}::${typeSql(type)}`;
  }
}

/** Exact decimal text of an unscaled value. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const sign = unscaled < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A value of an answer, nested ones as lists of their members, in the form that the oracle has it. */
export type PlainValue = PrimitiveValue | readonly PlainValue[] | null;

/** A value as DuckDB's binding gives it. */
export function fromDuckDb(value: DuckDBValue): PlainValue {
  if (value instanceof DuckDBListValue) return value.items.map(fromDuckDb);
  if (value instanceof DuckDBStructValue) return Object.values(value.entries).map(fromDuckDb);
  if (value instanceof DuckDBMapValue) return value.entries.map(({ key, value: item }) => [key, item].map(fromDuckDb));
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return value.micros;
  if (value instanceof DuckDBTimestampNanosecondsValue) return value.nanos;
  if (value instanceof DuckDBTimeValue) return value.micros;
  if (value instanceof DuckDBDateValue) return value.days;
  if (value instanceof DuckDBDecimalValue) return value.value;
  if (value instanceof DuckDBUUIDValue) return value.toString();
  if (value instanceof DuckDBBlobValue) return Uint8Array.from(value.bytes);
  return value as PrimitiveValue | null;
}
