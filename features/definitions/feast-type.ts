/** Feast's value type of a feature: for answers that follow Feast, which has fewer types than Iceberg. */
import type { IcebergType } from '../../iceberg/index.js';

/**
 * Value types as Feast's Iceberg source maps them (feast 0.67, `iceberg_source.py`, `_iceberg_type_to_feast_value_type`). It does not
 * know nanoseconds and lists, which here are what they are nearest to: INT64 like microseconds, and the `_LIST` of a primitive.
 */
const VALUE_TYPES: Readonly<Record<string, string>> = {
  boolean: 'BOOL',
  int: 'INT32',
  long: 'INT64',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'STRING',
  binary: 'BYTES',
  date: 'INT32',
  timestamp: 'INT64',
  timestamptz: 'INT64',
  decimal: 'DOUBLE',
  uuid: 'STRING',
  timestamp_ns: 'INT64',
  timestamptz_ns: 'INT64',
  fixed: 'BYTES',
};

/** The name of Feast's `ValueType` for a type; UNKNOWN for those that Feast does not know. */
export function feastValueType(type: IcebergType): string {
  if (type.kind !== 'list') return VALUE_TYPES[type.kind] ?? 'UNKNOWN';
  const element = VALUE_TYPES[type.element.kind];
  return element === undefined ? 'UNKNOWN' : `${element}_LIST`;
}
