/** Feature values as they leave an online read: exact, one JavaScript type for each Iceberg type. */
import type { PlainValue } from '../engine/index.js';
import {
  formatDecimal,
  type IcebergType,
  type JsonValue,
  jsonObject,
  type PrimitiveValue,
  temporalText,
} from '../iceberg/index.js';

/** A value as {@link PlainValue} describes it. */
export type FeatureValue = PlainValue;

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
