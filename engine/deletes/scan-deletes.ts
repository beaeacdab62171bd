/**
 * Leaving deleted rows out of a scan: anti joins of the files that have deletes with what their deletes name, by position and by
 * values. Source: Apache Iceberg specification, "Scan Planning" and "Row-level Deletes".
 */
import { MoraineError } from '../../errors/index.js';
import { fieldPath, type NestedField, type PrimitiveType, type Schema } from '../../iceberg/index.js';
import { fieldSql } from '../scan/column-path.js';
import { READER_COLUMNS } from '../scan/file-readers.js';
import { columnAlias, quoteIdentifier } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';

/** A position takes this many bits of a key, the number of its file the rest. */
export const POSITION_BITS = 40n;

/** A column that equality deletes go by. */
export interface DeleteKey {
  readonly id: number;
  /** The widest type that the table's schemas have given it: values of all of them are compared as this. */
  readonly type: PrimitiveType;
}

/** The equality deletes of one list of columns, in a temporary table `k0.., sequence`, of which `k0..` are unique. */
export interface EqualityDeletes {
  readonly table: string;
  readonly keys: readonly DeleteKey[];
  /** Whether the table has a column `scope`, too: the deletes of each partition are for the files of one number. */
  readonly isScoped: boolean;
}

/** Deletes that apply to a file. */
export interface AppliedDeletes {
  /** The file's number in the table of deleted positions. */
  readonly fileNumber: bigint | undefined;
  readonly equality: readonly { readonly deletes: EqualityDeletes; readonly scope: bigint }[];
  /** Data sequence number of the file. */
  readonly sequenceNumber: bigint;
}

/** The deletes of a scan's files, prepared on the scan's connection by `prepareDeletes`. */
export interface ScanDeletes {
  /** Temporary table of one column, `key`: the file's number and the position. */
  readonly positions: string | undefined;
  /** By path; the rows of other files are all live. */
  readonly files: ReadonlyMap<string, AppliedDeletes>;
  /** A schema that has every column that the deletes go by, also those that the table has dropped. */
  readonly schema: Schema;
  /** Drops the temporary tables; the scan cannot run any more. */
  release(): Promise<void>;
}

/** Files of which this is equal are read together. */
export function deletesFingerprint(deletes: ScanDeletes | undefined, path: string): string {
  const applied = deletes?.files.get(path);
  if (applied === undefined) return '';
  const tables = applied.equality.map((entry) => entry.deletes.table);
  return [applied.fileNumber === undefined ? 'values' : 'positions', ...tables].join(' ');
}

/** The top-level columns that the deletes go by, of the scan's schema where it has them. */
export function deleteFields(deletes: ScanDeletes | undefined, schema: Schema): readonly NestedField[] {
  if (deletes === undefined) return [];
  const keys = [...deletes.files.values()].flatMap(({ equality }) => equality.flatMap((entry) => entry.deletes.keys));
  const ids = new Set(keys.map(({ id }) => fieldPath(deletes.schema, id)?.parentIds[0] ?? id));
  return [...ids].flatMap((id) => {
    const isIt = (field: NestedField): boolean => field.id === id;
    return schema.fields.find(isIt) ?? deletes.schema.fields.find(isIt) ?? [];
  });
}

/** Further columns that a reader of some files selects, by which {@link liveRowsSql} leaves deleted rows out. */
export function deleteColumns(applied: readonly AppliedDeletes[]): readonly string[] {
  const [first] = applied;
  if (first === undefined) return [];
  const columns: string[] = [];
  if (first.fileNumber !== undefined)
    columns.push(`${positionSql(applied.map(({ fileNumber }) => fileNumber ?? 0n))} AS moraine_position`);
  if (first.equality.length > 0) {
    columns.push(`${perFileSql(applied.map(({ sequenceNumber }) => sequenceNumber))} AS moraine_age`);
  }
  for (const [index, { deletes }] of first.equality.entries()) {
    if (!deletes.isScoped) continue;
    columns.push(
      `${perFileSql(applied.map(({ equality }) => equality[index]?.scope ?? 0n))} AS moraine_scope_${index}`,
    );
  }
  return columns;
}

function positionSql(fileNumbers: readonly bigint[]): string {
  return `(${perFileSql(fileNumbers)} << ${POSITION_BITS}) | ${READER_COLUMNS.position}`;
}

/**
 * One number for all files is a literal. Numbers that ascend by one from file to file are computed from the file's index (constant
 * for a vector of rows); else it chooses from a list, which costs more.
 */
export function perFileSql(numbers: readonly (bigint | null)[]): string {
  const [first = null] = numbers;
  if (numbers.every((number) => number === first)) return first === null ? 'NULL::BIGINT' : `${first}::BIGINT`;
  if (first !== null && numbers.every((number, index) => number === first + BigInt(index))) {
    return `(${READER_COLUMNS.place}::BIGINT + ${first})`;
  }
  return `list_extract([${numbers.map((number) => number ?? 'NULL').join(', ')}]::BIGINT[], ${READER_COLUMNS.place}::BIGINT + 1)`;
}

/** Which rows of files that have deletes are given: those that no delete takes, or those that some do. */
export type DeletedRows = 'left-out' | 'alone';

/** The part of the scan that {@link liveRowsSql} and {@link deletedRowsSql} need. */
interface DeletingScan {
  readonly schema: Schema;
  readonly deletes: ScanDeletes;
}

/**
 * The rows of a relation that no delete takes. Filters above it reach the files below: joins only take rows away.
 * @param relation with the columns of {@link deleteColumns}
 * @param outputs columns of the relation to give
 */
export function liveRowsSql(
  scan: DeletingScan,
  applied: AppliedDeletes,
  relation: string,
  outputs: readonly string[],
): string {
  const joins = joinsSql(scan, applied).map((join) => `ANTI JOIN ${join}`);
  return `(SELECT ${selectedSql(outputs)} FROM ${relation} AS r ${joins.join(' ')})`;
}

/** The rows that some delete takes; one that several take may come several times. Parameters as for {@link liveRowsSql}. */
export function deletedRowsSql(
  scan: DeletingScan,
  applied: AppliedDeletes,
  relation: string,
  outputs: readonly string[],
): string {
  const parts = joinsSql(scan, applied).map(
    (join) => `SELECT ${selectedSql(outputs)} FROM ${relation} AS r SEMI JOIN ${join}`,
  );
  return `(${parts.join(' UNION ALL ')})`;
}

function selectedSql(outputs: readonly string[]): string {
  return outputs.length === 0 ? '1 AS moraine_none' : outputs.map((column) => `r.${column}`).join(', ');
}

/** The tables of deletes, each with the condition under which a row `r` is deleted. */
function joinsSql(scan: DeletingScan, applied: AppliedDeletes): readonly string[] {
  const joins: string[] = [];
  const { positions } = scan.deletes;
  if (applied.fileNumber !== undefined && positions !== undefined) {
    joins.push(`${quoteIdentifier(positions)} AS p ON r.moraine_position = p.key`);
  }
  for (const [index, { deletes }] of applied.equality.entries()) {
    const table = `e${index}`;
    const conditions = deletes.keys.flatMap((key, position) => {
      const ofRow = keySql(key.type, rowKeySql(scan, key));
      return ofRow.map((sql, part) => `${sql} IS NOT DISTINCT FROM ${table}.${keyColumn(position, part)}`);
    });
    if (deletes.isScoped) conditions.push(`r.moraine_scope_${index} = ${table}.scope`);
    conditions.push(`r.moraine_age < ${table}.sequence`);
    joins.push(`${quoteIdentifier(deletes.table)} AS ${table} ON ${conditions.join(' AND ')}`);
  }
  return joins;
}

/** The value of a delete column in a row of the data. */
function rowKeySql(scan: DeletingScan, { id, type }: DeleteKey): string {
  const path = fieldPath(scan.deletes.schema, id);
  const topLevelId = path?.parentIds[0] ?? id;
  const isScanned = scan.schema.fields.some((field) => field.id === topLevelId);
  const schema = isScanned ? scan.schema : scan.deletes.schema;
  if (fieldPath(schema, id) === undefined) {
    const message = `Rows were deleted by the values of ${path?.path ?? id}, which is gone from inside its column: this cannot be read.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }
  return `(${fieldSql(schema, id, (top) => `r.${columnAlias(top.id)}`)})::${sqlType(type)}`;
}

/** The name of a delete column in its temporary table. */
export const keyColumn = (position: number, part: number): string =>
  part === 0 ? `k${position}` : `k${position}_sign`;

/**
 * The values to compare for one delete column. Java compares floats as `Double.compare` does: NaN equals NaN, and -0 is not 0;
 * for DuckDB zeros are equal.
 */
export function keySql(type: PrimitiveType, sql: string): readonly string[] {
  if (type.kind !== 'float' && type.kind !== 'double') return [sql];
  return [sql, `(CASE WHEN isnan(${sql}) THEN false ELSE signbit(${sql}) END)`];
}
