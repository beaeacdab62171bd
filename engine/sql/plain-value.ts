/** Values of DuckDB's binding as plain values of JavaScript, and back: exact, one JavaScript type for each Iceberg type. */
import type { DuckDBValue } from '@duckdb/node-api';
import type { IcebergType, PrimitiveValue } from '../../iceberg/index.js';
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
} from '../duckdb.js';

/**
 * A value: primitives as `PrimitiveValue` describes (long, decimal, time and timestamps are bigints), a list as an array,
 * a struct as a map from field name to value, a map as an array of `[key, value]` pairs.
 */
export type PlainValue = null | PrimitiveValue | readonly PlainValue[] | ReadonlyMap<string, PlainValue>;

/** Value that DuckDB returned for a column of an Iceberg type. */
export function plainValue(type: IcebergType, value: DuckDBValue): PlainValue {
  if (value === null) return null;
  if (type.kind === 'list' && value instanceof DuckDBListValue) {
    return value.items.map((item) => plainValue(type.element, item));
  }
  if (type.kind === 'map' && value instanceof DuckDBMapValue) {
    return value.entries.map((entry) => [plainValue(type.key, entry.key), plainValue(type.value, entry.value)]);
  }
  if (type.kind === 'struct' && value instanceof DuckDBStructValue) {
    return new Map(type.fields.map((field) => [field.name, plainValue(field.type, value.entries[field.name] ?? null)]));
  }
  return primitiveValue(value);
}

function primitiveValue(value: DuckDBValue): PrimitiveValue {
  if (
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'string'
  ) {
    return value;
  }
  if (
    value instanceof DuckDBTimestampTZValue ||
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimeValue
  ) {
    return value.micros;
  }
  if (value instanceof DuckDBDateValue) return value.days;
  if (value instanceof DuckDBDecimalValue) return value.value;
  if (value instanceof DuckDBUUIDValue) return value.toString();
  if (value instanceof DuckDBBlobValue) return value.bytes;
  throw new TypeError(`The engine returned a value of an unexpected kind: ${String(value)}`);
}

/** A plain value of an Iceberg type as DuckDB takes it. */
export function duckDbValue(type: IcebergType, value: PlainValue): DuckDBValue {
  if (value === null) return null;
  switch (type.kind) {
    case 'list':
      return new DuckDBListValue((value as readonly PlainValue[]).map((item) => duckDbValue(type.element, item)));
    case 'map':
      return new DuckDBMapValue(
        (value as readonly (readonly [PlainValue, PlainValue])[]).map(([key, item]) => ({
          key: duckDbValue(type.key, key),
          value: duckDbValue(type.value, item),
        })),
      );
    case 'struct': {
      const fields = value as ReadonlyMap<string, PlainValue>;
      return new DuckDBStructValue(
        Object.fromEntries(type.fields.map(({ name, type: of }) => [name, duckDbValue(of, fields.get(name) ?? null)])),
      );
    }
    case 'date':
      return new DuckDBDateValue(value as number);
    case 'time':
      return new DuckDBTimeValue(value as bigint);
    case 'timestamp':
      return new DuckDBTimestampValue(value as bigint);
    case 'timestamptz':
      return new DuckDBTimestampTZValue(value as bigint);
    case 'decimal':
      return new DuckDBDecimalValue(value as bigint, type.precision, type.scale);
    case 'uuid':
      return DuckDBUUIDValue.fromUint128(BigInt(`0x${(value as string).replaceAll('-', '')}`));
    case 'binary':
    case 'fixed':
      return new DuckDBBlobValue(value as Uint8Array);
    default:
      return value as boolean | number | bigint | string;
  }
}
