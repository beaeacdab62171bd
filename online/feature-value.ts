/** Feature values as they leave an online read: exact, one JavaScript type for each Iceberg type. */
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
  type DuckDBValue,
} from '@duckdb/node-api';
import {
  formatDecimal,
  type IcebergType,
  type JsonValue,
  jsonObject,
  type PrimitiveValue,
  temporalText,
} from '../iceberg/index.js';

/**
 * A value: primitives as `PrimitiveValue` describes (long, decimal, time and timestamps are bigints), a list as an array,
 * a struct as a map from field name to value, a map as an array of `[key, value]` pairs.
 */
export type FeatureValue = null | PrimitiveValue | readonly FeatureValue[] | ReadonlyMap<string, FeatureValue>;

/** Converts what the engine returned for a column of an Iceberg type. */
export function featureValue(type: IcebergType, value: DuckDBValue): FeatureValue {
  if (value === null) return null;
  if (type.kind === 'list' && value instanceof DuckDBListValue) {
    return value.items.map((item) => featureValue(type.element, item));
  }
  if (type.kind === 'map' && value instanceof DuckDBMapValue) {
    return value.entries.map((entry) => [featureValue(type.key, entry.key), featureValue(type.value, entry.value)]);
  }
  if (type.kind === 'struct' && value instanceof DuckDBStructValue) {
    return new Map(
      type.fields.map((field) => [field.name, featureValue(field.type, value.entries[field.name] ?? null)]),
    );
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

/**
 * A value as JSON: 64-bit integers exact, decimals as exact numbers in text, ISO-8601 times (`Z` with a zone), bytes in
 * lower-case hex, NaN and infinities as `NaN`, `Infinity`, `-Infinity`.
 */
export function featureValueToJson(type: IcebergType, value: FeatureValue): JsonValue {
  if (value === null) return null;
  if (type.kind === 'list' && Array.isArray(value)) {
    return (value as readonly FeatureValue[]).map((item) => featureValueToJson(type.element, item));
  }
  if (type.kind === 'map' && Array.isArray(value)) {
    return (value as readonly (readonly [FeatureValue, FeatureValue])[]).map(([key, item]) => [
      featureValueToJson(type.key, key),
      featureValueToJson(type.value, item),
    ]);
  }
  if (type.kind === 'struct' && value instanceof Map) {
    const struct = value as ReadonlyMap<string, FeatureValue>;
    return jsonObject(
      type.fields.map((field) => [field.name, featureValueToJson(field.type, struct.get(field.name) ?? null)] as const),
    );
  }
  return primitiveToJson(type, value as PrimitiveValue);
}

function primitiveToJson(type: IcebergType, value: PrimitiveValue): JsonValue {
  const time = temporalText(type, value, 'Z');
  if (time !== undefined) return time;
  switch (type.kind) {
    case 'float':
    case 'double':
      return Number.isFinite(value) ? (value as number) : String(value);
    case 'decimal':
      return formatDecimal(value as bigint, type.scale);
    case 'fixed':
    case 'binary':
      return Buffer.from(value as Uint8Array).toString('hex');
    default:
      return value as boolean | number | bigint | string;
  }
}
