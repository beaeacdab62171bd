/**
 * Which of several rows of one entity wins: the newest event time, then the newest `created` (null loses), then the higher
 * data sequence number, then the larger feature tuple by value. Features compare in the view's order; null is below every
 * value, NaN above every number, -0 below 0, text by code points, nested values by DuckDB's sort key (null inside them is above all).
 * All features of the view count, whichever were asked for: the winning row must not depend on the question.
 */
import type { IcebergType } from '../../iceberg/index.js';

/** SQL expressions of one feature row, by which rows of one entity are ordered. */
export interface OrderColumns {
  readonly timestamp: string;
  readonly created?: string | undefined;
  readonly sequenceNumber?: string | undefined;
  readonly features: readonly { readonly sql: string; readonly type: IcebergType }[];
}

/** Expressions without nulls that order like the column, the most significant first. */
function totalOrder(sql: string, type: IcebergType): readonly string[] {
  if (type.kind === 'list' || type.kind === 'struct') return [`create_sort_key(${sql}, 'ASC NULLS FIRST')`];
  if (type.kind === 'map') return [`create_sort_key(list_sort(map_entries(${sql})), 'ASC NULLS FIRST')`];
  if (type.kind === 'unknown' || type.kind === 'unsupported') return [];
  // DuckDB rebuilds a sorted column from its sort key, which has one zero; adding zero keeps the column itself out of the key.
  if (isFloat(type)) return [`${sql} IS NOT NULL`, `${sql} + 0`, `NOT signbit(${sql})`];
  return [`${sql} IS NOT NULL`, sql];
}

/** The order among rows of one event time, as expressions that all order ascending; the largest row wins. */
function tieBreakers(columns: OrderColumns): readonly string[] {
  const nullLoses = (sql: string | undefined): readonly string[] =>
    sql === undefined ? [] : [`${sql} IS NOT NULL`, sql];
  return [
    ...nullLoses(columns.created),
    ...nullLoses(columns.sequenceNumber),
    ...columns.features.flatMap((feature) => totalOrder(feature.sql, feature.type)),
  ];
}

/** A value that is larger for the row that wins, for `arg_max`. */
export function orderTuple(columns: OrderColumns): string {
  return `ROW(${[columns.timestamp, ...tieBreakers(columns)].join(', ')})`;
}

/** `ORDER BY` terms that put the winning row first; without the event time if rows are known to share it. */
export function newestFirst(columns: OrderColumns, options: { readonly sameTime?: boolean } = {}): readonly string[] {
  const terms = options.sameTime === true ? tieBreakers(columns) : [columns.timestamp, ...tieBreakers(columns)];
  return terms.map((sql) => `${sql} DESC NULLS LAST`);
}

function isFloat(type: IcebergType): boolean {
  return type.kind === 'float' || type.kind === 'double';
}

/**
 * Whether `arg_max` gives a value of this type back bit by bit. It keeps rows as sort keys, which have one zero;
 * {@link packFields} mends that for numbers, but not for numbers inside nested values.
 */
export function survivesPacking(type: IcebergType): boolean {
  return type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'struct';
}

/** Members of a `struct_pack` that hold a value through `arg_max`; undo with {@link unpackField}. */
export function packFields(name: string, sql: string, type?: IcebergType): readonly string[] {
  const value = `${name} := ${sql}`;
  return type !== undefined && isFloat(type) ? [value, `${name}_negative := signbit(${sql})`] : [value];
}

/** The value that {@link packFields} put into a struct. */
export function unpackField(struct: string, name: string, type?: IcebergType): string {
  const value = `${struct}.${name}`;
  if (type === undefined || !isFloat(type)) return value;
  return `CASE WHEN ${value} = 0 AND ${value}_negative THEN -${value} ELSE ${value} END`;
}
