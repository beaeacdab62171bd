/**
 * Scanning a planned list of data files as one relation, columns matched by field id.
 * Source: Apache Iceberg specification, "Column Projection" and "Schema Evolution".
 */
import { MoraineError } from '../errors/index.js';
import { type JsonValue, type NestedField, type Schema, valueFromJson } from '../iceberg/index.js';
import { quoteIdentifier, quoteLiteral, quotePaths } from './sql-text.js';
import { isPrimitive, sqlLiteral, sqlType } from './sql-type.js';

/** A data file to scan. `path` is what the file system opens, as `FileIO.resolve` gives it. */
export interface ScanFile {
  readonly path: string;
  readonly recordCount: bigint;
  /** Data sequence number, for `extras.sequenceNumber`. */
  readonly sequenceNumber?: bigint;
}

/** Columns beside those of the schema. A name given here must not be a name in the schema, ignoring case. */
export interface ScanExtras {
  /** VARCHAR: the path of the row's file. */
  readonly fileName?: string;
  /** BIGINT: the row's position in its file, from 0. */
  readonly rowNumber?: string;
  /** BIGINT: the data sequence number of the row's file. */
  readonly sequenceNumber?: string;
}

/** What to scan. */
export interface Scan {
  readonly schema: Schema;
  readonly files: readonly ScanFile[];
  /** Ids of the top-level columns wanted, in this order; all by default. */
  readonly columns?: readonly number[];
  /**
   * How output columns are called: as in the schema (default), or `c<id>`, which is what to use inside a larger
   * statement when names may differ only by case.
   */
  readonly naming?: 'name' | 'id';
  readonly extras?: ScanExtras;
}

/** The internal, collision-free name of a column. */
export const columnAlias = (id: number): string => `c${id}`;

/** The top-level fields that a scan gives, in order. @throws COLUMN_NOT_FOUND */
export function scanFields(scan: Pick<Scan, 'schema' | 'columns'>): readonly NestedField[] {
  if (scan.columns === undefined) return scan.schema.fields;
  return scan.columns.map((id) => {
    const field = scan.schema.fields.find((candidate) => candidate.id === id);
    if (field === undefined) throw new MoraineError('COLUMN_NOT_FOUND', `The schema has no column with the id ${id}.`);
    return field;
  });
}

/**
 * A relation for a FROM clause, parentheses included: one row for each row of the files that the filter keeps.
 * Column types are those of the schema; a column that a file lacks is its initial default or null.
 * @throws UNSUPPORTED_FEATURE for a column of an unsupported type
 */
export function scanSql(scan: Scan): string {
  const fields = scanFields(scan);
  const outputs = fields.map((field) => {
    const name = scan.naming === 'id' ? columnAlias(field.id) : field.name;
    return `${columnAlias(field.id)} AS ${quoteIdentifier(name)}`;
  });
  const { fileName, rowNumber, sequenceNumber } = scan.extras ?? {};
  if (fileName !== undefined) outputs.push(`moraine_file AS ${quoteIdentifier(fileName)}`);
  if (rowNumber !== undefined) outputs.push(`moraine_row AS ${quoteIdentifier(rowNumber)}`);
  if (sequenceNumber !== undefined) outputs.push(`moraine_sequence AS ${quoteIdentifier(sequenceNumber)}`);
  if (outputs.length === 0) outputs.push('NULL AS moraine_none');
  return `(SELECT ${outputs.join(', ')} FROM ${sourceSql(scan, fields)})`;
}

function sourceSql(scan: Scan, fields: readonly NestedField[]): string {
  const where = '';
  if (scan.files.length === 0) return `(${emptySql(fields)})`;
  const parts = groupFiles(scan).map((group) => groupSql(scan, fields, group, where));
  return parts.length === 1 ? (parts[0] as string) : `(${parts.join(' UNION ALL ')})`;
}

function emptySql(fields: readonly NestedField[]): string {
  const columns = fields.map((field) => `NULL::${sqlType(field.type)} AS ${columnAlias(field.id)}`);
  const extras = ['NULL::VARCHAR AS moraine_file', 'NULL::BIGINT AS moraine_row', 'NULL::BIGINT AS moraine_sequence'];
  return `SELECT ${[...columns, ...extras].join(', ')} WHERE false`;
}

interface FileGroup {
  readonly files: readonly ScanFile[];
}

/** Files of the same layout are read by one `read_parquet`. */
function groupFiles(scan: Scan): readonly FileGroup[] {
  return [{ files: scan.files }];
}

function groupSql(scan: Scan, fields: readonly NestedField[], group: FileGroup, where: string): string {
  const paths = quotePaths(group.files.map((file) => file.path));
  const extras = extraColumns(scan, group);
  const options = extraOptions(scan);
  const typed = fields.filter((field) => field.type.kind !== 'unknown');
  const unknown = fields.filter((field) => field.type.kind === 'unknown');
  const columns = fields.map((field) =>
    unknown.includes(field) ? `NULL::${sqlType(field.type)} AS ${columnAlias(field.id)}` : columnAlias(field.id),
  );
  const schema = typed.length === 0 ? [] : [`schema = ${readSchemaSql(typed)}`];
  const reader = `read_parquet(${[paths, ...schema, ...options].join(', ')})`;
  const selected = [...columns, ...extras];
  return `(SELECT ${selected.length === 0 ? '1 AS moraine_none' : selected.join(', ')} FROM ${reader}${where})`;
}

/** The `schema` option of `read_parquet` that matches columns by field id and names them by it. */
export function readSchemaSql(fields: readonly NestedField[]): string {
  return `MAP {${fields.map(schemaEntry).join(', ')}}`;
}

function schemaEntry(field: NestedField): string {
  const name = quoteLiteral(columnAlias(field.id));
  return `${field.id}: {name: ${name}, type: ${quoteLiteral(sqlType(field.type))}, default_value: ${defaultSql(field)}}`;
}

/** The value of a column in files that lack it. */
export function defaultSql(field: NestedField): string {
  const type = field.type;
  if (field.initialDefault === undefined || field.initialDefault === null) return 'NULL';
  if (!isPrimitive(type)) {
    throw new MoraineError('UNSUPPORTED_FEATURE', `The column ${field.name} has a nested default value.`);
  }
  return sqlLiteral(type, valueFromJson(type, field.initialDefault as JsonValue));
}

function extraColumns(scan: Scan, group: FileGroup): string[] {
  const { fileName, rowNumber, sequenceNumber } = scan.extras ?? {};
  return [
    ...(fileName === undefined ? [] : ['filename AS moraine_file']),
    ...(rowNumber === undefined ? [] : ['file_row_number AS moraine_row']),
    ...(sequenceNumber === undefined ? [] : [`${sequenceNumberSql(group.files)} AS moraine_sequence`]),
  ];
}

function extraOptions(scan: Scan): string[] {
  return [
    ...(scan.extras?.fileName === undefined ? [] : ['filename = true']),
    ...(scan.extras?.rowNumber === undefined ? [] : ['file_row_number = true']),
  ];
}

/** One number for all files is a literal; else the file's index (constant for a vector of rows) chooses from a list. */
function sequenceNumberSql(files: readonly ScanFile[]): string {
  const numbers = files.map((file) => file.sequenceNumber ?? 0n);
  if (new Set(numbers).size === 1) return `${numbers[0]}::BIGINT`;
  return `list_extract([${numbers.join(', ')}]::BIGINT[], file_index::BIGINT + 1)`;
}
