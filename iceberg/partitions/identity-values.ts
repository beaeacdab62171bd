/** Columns whose value the partition tells. Source: Apache Iceberg specification, "Column Projection". */

import { isPrimitive } from '../schema/schema.js';
import type { PrimitiveType, PrimitiveValue, Schema } from '../schema/types.js';
import { type PartitionSpec, type PartitionTuple, sourceTypeOf } from './partition-spec.js';

/** The value that a column has in every row of a file. */
export interface IdentityValue {
  readonly type: PrimitiveType;
  readonly value: PrimitiveValue | null;
}

/** By the column's field id. */
export type IdentityValues = ReadonlyMap<number, IdentityValue>;

/**
 * Column values of a file from its identity partition fields. Imported files (`add_files` of a Hive layout) lack these columns:
 * then these are their values.
 * @param schemas those of the table, the one whose types count first
 * @returns gives the values of a file from its partition; undefined if the spec has no such field
 */
export function identityValuesOf(
  spec: PartitionSpec,
  schemas: readonly [Schema, ...Schema[]],
): ((tuple: PartitionTuple) => IdentityValues) | undefined {
  const [schema, ...others] = schemas;
  const columns = spec.fields.flatMap(({ transform, sourceId }, position) => {
    if (transform.kind !== 'identity') return [];
    const type = sourceTypeOf({ sourceId }, schema, others);
    return isPrimitive(type) ? [{ sourceId, type, position }] : [];
  });
  if (columns.length === 0) return undefined;
  return (tuple) =>
    new Map(columns.map(({ sourceId, type, position }) => [sourceId, { type, value: tuple[position] ?? null }]));
}
