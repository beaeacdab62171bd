/** Values of DuckDB's binding as plain values of JavaScript, and back: exact, one JavaScript type for each Iceberg type. */
import type {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
  DuckDBValue,
} from '@duckdb/node-api';
import type { IcebergType, PrimitiveValue } from '../../iceberg/index.js';
import { duckdb } from '../duckdb.js';

/**
 * A value: primitives as `PrimitiveValue` describes (long, decimal, time and timestamps are bigints), a list as an array,
 * a struct as a map from field name to value, a map as an array of `[key, value]` pairs.
 */
export type PlainValue = null | PrimitiveValue | readonly PlainValue[] | ReadonlyMap<string, PlainValue>;

/** Value that DuckDB returned for a column of an Iceberg type. */
export function plainValue(type: IcebergType, value: DuckDBValue): PlainValue {
  if (value === null) return null;
  if (type.kind === 'list' && value instanceof duckdb.api.DuckDBListValue) {
    return value.items.map((item) => plainValue(type.element, item));
  }
  if (type.kind === 'map' && value instanceof duckdb.api.DuckDBMapValue) {
    return value.entries.map((entry) => [plainValue(type.key, entry.key), plainValue(type.value, entry.value)]);
  }
  if (type.kind === 'struct' && value instanceof duckdb.api.DuckDBStructValue) {
    return new Map(type.fields.map((field) => [field.name, plainValue(field.type, value.entries[field.name] ?? null)]));
  }
  return primitiveValue(value);
}

type ReadObject = (value: never) => PrimitiveValue;
let readers: ReadonlyMap<unknown, ReadObject> | undefined;

/** How the objects of the binding are read, by their classes. */
function objectReaders(): ReadonlyMap<unknown, ReadObject> {
  const { api } = duckdb;
  readers ??= new Map<unknown, ReadObject>([
    [api.DuckDBTimestampTZValue, (value: DuckDBTimestampTZValue) => value.micros],
    [api.DuckDBTimestampValue, (value: DuckDBTimestampValue) => value.micros],
    [api.DuckDBTimestampNanosecondsValue, (value: DuckDBTimestampNanosecondsValue) => value.nanos],
    [api.DuckDBTimeValue, (value: DuckDBTimeValue) => value.micros],
    [api.DuckDBDateValue, (value: DuckDBDateValue) => value.days],
    [api.DuckDBDecimalValue, (value: DuckDBDecimalValue) => value.value],
    [api.DuckDBUUIDValue, (value: DuckDBUUIDValue) => value.toString()],
    [api.DuckDBBlobValue, (value: DuckDBBlobValue) => value.bytes],
  ]);
  return readers;
}

function primitiveValue(value: NonNullable<DuckDBValue>): PrimitiveValue {
  if (
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'string'
  ) {
    return value;
  }
  const read = objectReaders().get(value.constructor);
  if (read !== undefined) return read(value as never);
  throw new TypeError(`The engine returned a value of an unexpected kind: ${String(value)}`);
}

/** A plain value of an Iceberg type as DuckDB takes it. */
export function duckDbValue(type: IcebergType, value: PlainValue): DuckDBValue {
  if (value === null) return null;
  switch (type.kind) {
    case 'list':
      return new duckdb.api.DuckDBListValue(
        (value as readonly PlainValue[]).map((item) => duckDbValue(type.element, item)),
      );
    case 'map':
      return new duckdb.api.DuckDBMapValue(
        (value as readonly (readonly [PlainValue, PlainValue])[]).map(([key, item]) => ({
          key: duckDbValue(type.key, key),
          value: duckDbValue(type.value, item),
        })),
      );
    case 'struct': {
      const fields = value as ReadonlyMap<string, PlainValue>;
      return new duckdb.api.DuckDBStructValue(
        Object.fromEntries(type.fields.map(({ name, type: of }) => [name, duckDbValue(of, fields.get(name) ?? null)])),
      );
    }
    case 'date':
      return new duckdb.api.DuckDBDateValue(value as number);
    case 'time':
      return new duckdb.api.DuckDBTimeValue(value as bigint);
    case 'timestamp':
      return new duckdb.api.DuckDBTimestampValue(value as bigint);
    case 'timestamptz':
      return new duckdb.api.DuckDBTimestampTZValue(value as bigint);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return new duckdb.api.DuckDBTimestampNanosecondsValue(value as bigint);
    case 'decimal':
      return new duckdb.api.DuckDBDecimalValue(value as bigint, type.precision, type.scale);
    case 'uuid':
      return duckdb.api.DuckDBUUIDValue.fromUint128(BigInt(`0x${(value as string).replaceAll('-', '')}`));
    case 'binary':
    case 'fixed':
      return new duckdb.api.DuckDBBlobValue(value as Uint8Array);
    default:
      return value as boolean | number | bigint | string;
  }
}
