/** Columns whose value the partition tells. Source: Apache Iceberg specification, "Column Projection". */
import { type PartitionSpec, type PartitionTuple, sourceTypeOf } from './partition-spec.js';
import { isPrimitive } from './schema.js';
import type { PrimitiveType, PrimitiveValue, Schema } from './types.js';

/** The value that a column has in every row of a file. */
export interface IdentityValue {
  readonly type: PrimitiveType;
  readonly value: PrimitiveValue | null;
}

/** By the column's field id. */
export type IdentityValues = ReadonlyMap<number, IdentityValue>;

/**
 * What identity partition fields say about a file's columns. Imported files (`add_files` of a Hive layout) lack these columns:
 * then these are their values.
 * @param schemas those of the table, the one whose types count first
 * @returns undefined if the spec has no such field
 */
export function identityValues(
  spec: PartitionSpec,
  tuple: PartitionTuple,
  schemas: readonly [Schema, ...Schema[]],
): IdentityValues | undefined {
  const values = new Map<number, IdentityValue>();
  const [schema, ...others] = schemas;
  for (const [position, { transform, sourceId }] of spec.fields.entries()) {
    if (transform.kind !== 'identity') continue;
    const type = sourceTypeOf({ sourceId }, schema, others);
    if (isPrimitive(type)) values.set(sourceId, { type, value: tuple[position] ?? null });
  }
  return values.size === 0 ? undefined : values;
}
