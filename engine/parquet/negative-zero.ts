/**
 * Zeros of both signs in Parquet files. DuckDB's dictionaries hold one of them, whichever comes first, and give it back for the other.
 * See docs/adr/0011-negative-zeros.md.
 */
import { allFields, type IcebergType, type Schema } from '../../iceberg/index.js';
import { sqlType } from '../sql/sql-type.js';

/** The COPY option that keeps every value as it is. */
export const NO_DICTIONARIES = 'DICTIONARY_SIZE_LIMIT 0';

const MARK = 'moraine: a negative zero';

const isFloat = (type: IcebergType): boolean => type.kind === 'float' || type.kind === 'double';

/** Whether there are floating-point numbers inside structs, lists or maps, which {@link withoutNegativeZero} does not look at. */
export function hasNestedFloats(schema: Schema): boolean {
  const columns = new Set(schema.fields.map(({ id }) => id));
  return allFields(schema).some(({ field }) => isFloat(field.type) && !columns.has(field.id));
}

/** SQL that gives a value of a column, or fails with what {@link isNegativeZero} knows. */
export function withoutNegativeZero(type: IcebergType, value: string): string {
  if (!isFloat(type)) return value;
  // Not with AND: DuckDB compares the conditions of a thousand columns each with each other when it plans the statement.
  const zero = `CASE WHEN signbit(${value}) THEN error('${MARK}')::${sqlType(type)} ELSE ${value} END`;
  return `CASE WHEN ${value} = 0 THEN ${zero} ELSE ${value} END`;
}

/** SQL to order rows by a column: DuckDB gives the sorted column itself back with positive zeros. */
export function orderKey(type: IcebergType, column: string): string {
  return isFloat(type) ? `CASE WHEN ${column} = 0 THEN 0 ELSE ${column} END` : column;
}

/** Whether a statement failed because there is a negative zero. */
export function isNegativeZero(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && error.cause.message.includes(MARK);
}
