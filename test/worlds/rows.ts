/** Rows of a table whose schema changes: values by field id, read with any later schema. */
import type { IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import { isStruct, type PlainValue, type Value } from './values.js';

/** A row as it was written. A column that it does not have was added later. */
export interface Row {
  readonly values: ReadonlyMap<number, Value>;
  /** v3 row lineage that the row brought along from an earlier file. */
  readonly rowId?: bigint;
  readonly lastUpdated?: bigint;
}

/** A row that is in a table at some snapshot. */
export interface LiveRow {
  readonly row: Row;
  /** `_last_updated_sequence_number`: of the file, unless the row brought its own along. */
  readonly sequence: bigint;
}

/** The value of a field; of one that was added after the row was written, its initial default. */
export function fieldValue(values: ReadonlyMap<number, Value>, field: NestedField): Value {
  const stored = values.get(field.id);
  if (stored !== undefined) return asType(stored, field.type);
  return field.initialDefault === undefined ? null : asType(field.initialDefault as Value, field.type);
}

/** A stored value as a value of a type that its own was promoted to, and of the members that a struct has now. */
export function asType(value: Value, type: IcebergType): Value {
  if (value === null) return null;
  if (type.kind === 'struct' && isStruct(value)) {
    return { members: new Map(type.fields.map((field) => [field.id, fieldValue(value.members, field)])) };
  }
  if (type.kind === 'list') return (value as Value[]).map((item) => asType(item, type.element));
  if (type.kind === 'map') {
    return (value as [Value, Value][]).map(([key, item]) => [asType(key, type.key), asType(item, type.value)]);
  }
  return type.kind === 'long' && typeof value === 'number' ? BigInt(value) : value;
}

/** The same with structs as lists of their members, in the order of the type. */
export function plain(value: Value, type: IcebergType): PlainValue {
  const typed = asType(value, type);
  if (typed === null) return null;
  if (type.kind === 'struct' && isStruct(typed)) {
    return type.fields.map((field) => plain(typed.members.get(field.id) ?? null, field.type));
  }
  if (type.kind === 'list') return (typed as Value[]).map((item) => plain(item, type.element));
  if (type.kind === 'map') {
    return (typed as [Value, Value][]).map(([key, item]) => [plain(key, type.key), plain(item, type.value)]);
  }
  return typed as PlainValue;
}

/** A row as another file would hold it now: only the columns of the schema, defaults filled in. */
export function rewritten(row: Row, schema: Schema): ReadonlyMap<number, Value> {
  return new Map(schema.fields.map((field) => [field.id, fieldValue(row.values, field)]));
}
