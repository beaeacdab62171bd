/**
 * Values that no filter may reach inside DuckDB's reader, since it would leave out rows that the filter keeps. It does not see through functions.
 */
import type { IcebergType } from '../../iceberg/index.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';

/** SQL that gives a value as a function's result. */
type Guard = (sql: string) => string;

/** The guard that values of a type need; undefined: filters may reach them. */
export type Guards = (type: IcebergType) => Guard | undefined;

/** DuckDB 1.5 looks for the text of bytes in the Bloom filter of a column, not for the bytes, and leaves out rows that are equal (duckdb/duckdb#23053). */
const ofBytes: Guard = (sql) => `(${sql} || ''::BLOB)`;

/** A function that says nothing of the bounds of its results. */
const ofAny: Guard = (sql) => `greatest(${sql}, ${sql})`;

/** Kinds that files may have as bytes, or as times of 96 bits. */
const MAY_BE_BYTES: ReadonlySet<IcebergType['kind']> = new Set([
  'string',
  'uuid',
  'decimal',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

export const NO_GUARDS: Guards = () => undefined;

/** The guards of columns of files whose bounds are what DuckDB takes them for. */
export const GUARDS: Guards = (type) => (isPrimitive(type) && sqlType(type) === 'BLOB' ? ofBytes : undefined);

/** The guards of files with bounds of bytes in the order of signed ones, members of structs included. */
export const SIGNED_GUARDS: Guards = (type) => GUARDS(type) ?? (MAY_BE_BYTES.has(type.kind) ? ofAny : undefined);

/** Whether a value, or one inside of its structs, needs a guard. */
export function needsGuard(type: IcebergType, guards: Guards): boolean {
  if (type.kind === 'struct') return type.fields.some((field) => needsGuard(field.type, guards));
  return guards(type) !== undefined;
}
