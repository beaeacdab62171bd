/**
 * Scanning a planned list of data files as one relation, columns matched by field id.
 * Source: Apache Iceberg specification, "Column Projection" and "Schema Evolution".
 */
import { MoraineError } from '../../errors/index.js';
import {
  type BoundExpression,
  childFields,
  fieldPath,
  type IcebergType,
  type IdentityValues,
  type NameMapping,
  type NestedField,
  type Schema,
} from '../../iceberg/index.js';
import type { LocalPath } from '../../locations/index.js';
import {
  type DeletedRows,
  deleteColumns,
  deletedRowsSql,
  deleteFields,
  deletesFingerprint,
  liveRowsSql,
  perFileSql,
  type ScanDeletes,
} from '../deletes/scan-deletes.js';
import type { FileFooter, FilePart } from '../parquet/part-of-file.js';
import { expressionSql, referencedIds } from '../sql/expression-sql.js';
import { refuseDeepNesting } from '../sql/nesting-limit.js';
import { columnAlias, quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import { fieldDefaultSql, missingColumnSql } from './column-default.js';
import { fieldSql } from './column-path.js';
import type { FileLayout } from './file-layout.js';
import { parquetReader, READER_COLUMNS } from './file-readers.js';
import { cutFields, layoutProjection } from './layout-projection.js';
import { GUARDS } from './out-of-reach.js';

/** A data file that is not on this machine. */
export interface RemoteFile {
  readonly footer: FileFooter;
  /** A file of this machine that has this part, and nothing else that could be read. */
  fetch(part: FilePart): Promise<LocalPath>;
}

/** A data file to scan. */
export interface ScanFile {
  readonly path: LocalPath;
  /** Given: only the footer is at `path`, and the parts that a scan reads are fetched by `withReadableCopies`. */
  readonly remote?: RemoteFile;
  readonly recordCount: bigint;
  /** Data sequence number, for `extras.sequenceNumber`. */
  readonly sequenceNumber?: bigint;
  /** Row id of the first row in tables with row lineage, for `extras.rowId`. */
  readonly firstRowId?: bigint;
  /** Values of columns that the file may lack. */
  readonly identityValues?: IdentityValues;
}

/** Columns beside those of the schema. A name given here must not be a name in the schema, ignoring case. */
export interface ScanExtras {
  /** VARCHAR: the path of the row's file. */
  readonly fileName?: string;
  /** BIGINT: the place of the row's file in `files`, from 0. */
  readonly fileNumber?: string;
  /** BIGINT: the row's position in its file, from 0. */
  readonly rowNumber?: string;
  /** BIGINT: the row's own `_last_updated_sequence_number`, else the data sequence number of its file. */
  readonly sequenceNumber?: string;
  /** BIGINT: the row's own `_row_id`, else its file's first row id and its position; null where the file has none. */
  readonly rowId?: string;
}

/** Row lineage that rows of v3 tables keep when they are rewritten. Source: Iceberg specification, "Reserved Field IDs". */
export const LAST_UPDATED: NestedField = {
  id: 2147483539,
  name: '_last_updated_sequence_number',
  required: false,
  type: { kind: 'long' },
};
export const ROW_ID: NestedField = { id: 2147483540, name: '_row_id', required: false, type: { kind: 'long' } };

/** Files and columns to scan. */
export interface Scan {
  readonly schema: Schema;
  readonly files: readonly ScanFile[];
  /** Rows for which this is not true are left out; row groups are skipped by it. */
  readonly filter?: BoundExpression;
  /** Ids of the top-level columns wanted, in this order; all by default. */
  readonly columns?: readonly number[];
  /** Rows without a match in another relation are left out. */
  readonly matching?: Matching;
  /**
   * How output columns are called: as in the schema (default), or `c<id>`, which is what to use inside a larger
   * statement when names may differ only by case.
   */
  readonly naming?: 'name' | 'id';
  readonly extras?: ScanExtras;
  /**
   * The files' own layouts, from `readFileLayouts` or `checkFiles`. Without them every file must have field ids, nested fields are
   * matched by name, and uuids must be marked as such: right for files that Moraine wrote, as long as nested fields were not renamed.
   */
  readonly layouts?: ReadonlyMap<string, FileLayout>;
  /** Names of fields in files without field ids (needs `layouts`). */
  readonly nameMapping?: NameMapping;
  /** The deletes of the files, from `prepareDeletes` on the connection that runs the scan. Without it every row is given. */
  readonly deletes?: ScanDeletes;
  /** `alone`: of the rows only those that the deletes take, each at least once; of files without deletes none. */
  readonly deletedRows?: DeletedRows;
}

/** Rows of a relation that a scan's rows are to be equal to in some columns. */
export interface Matching {
  /** Stands after FROM. */
  readonly relation: string;
  /** Column ids of the scan, which are among those wanted, and columns of the relation. */
  readonly on: readonly { readonly id: number; readonly column: string }[];
}

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
 * @throws UNSUPPORTED_FEATURE for a column of an unsupported type, or a file without field ids
 */
export function scanSql(scan: Scan): string {
  const fields = scanFields(scan);
  for (const field of withFilterFields(scan, fields)) {
    refuseUnsupported(field, field.type);
    refuseDeepNesting(field.name, field.type);
  }
  const outputs = fields.map((field) => {
    const name = scan.naming === 'id' ? columnAlias(field.id) : field.name;
    return `${columnAlias(field.id)} AS ${quoteIdentifier(name)}`;
  });
  for (const [extra, column] of wantedExtras(scan)) {
    outputs.push(`${column} AS ${quoteIdentifier(scan.extras?.[extra] ?? column)}`);
  }
  if (outputs.length === 0) outputs.push('1 AS moraine_none');
  return `(SELECT ${outputs.join(', ')} FROM ${sourceSql(scan, readFields(scan))}${whereSql(scan)})`;
}

/** The top-level fields that a scan reads, those that only its filter or deletes need included. @throws COLUMN_NOT_FOUND */
export function readFields(scan: Scan): readonly NestedField[] {
  const fields = withFilterFields(scan, scanFields(scan));
  const known = new Set(fields.map((field) => field.id));
  return [...fields, ...deleteFields(scan.deletes, scan.schema).filter((field) => !known.has(field.id))];
}

function refuseUnsupported(column: NestedField, type: IcebergType): void {
  if (type.kind === 'unsupported') {
    const message = `The column ${column.name} has the type ${type.text}, which cannot be read. Select other columns.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }
  for (const child of childFields(type)) refuseUnsupported(column, child.type);
}

/** DuckDB reads zoned nanoseconds as microseconds, unless the scan was prepared by `withReadableCopies`. */
function refuseCut(scan: Scan, fields: readonly NestedField[], layout: FileLayout | undefined): void {
  const isZoned = (type: IcebergType): boolean =>
    type.kind === 'timestamptz_ns' || childFields(type).some((child) => isZoned(child.type));
  const [field] =
    layout === undefined ? fields.filter(({ type }) => isZoned(type)) : cutFields(layout, fields, scan.nameMapping);
  if (field === undefined) return;
  throw new MoraineError(
    'UNSUPPORTED_FEATURE',
    `The column ${field.name} holds timestamptz_ns, which cannot be read exactly here. Select other columns.`,
  );
}

/** Columns that the filter needs come along inside, whether wanted or not. */
function withFilterFields(scan: Scan, fields: readonly NestedField[]): readonly NestedField[] {
  if (scan.filter === undefined) return fields;
  const wanted = new Set(fields.map((field) => field.id));
  const needed = new Set([...referencedIds(scan.filter)].map((id) => fieldPath(scan.schema, id)?.parentIds[0] ?? id));
  return [...fields, ...scan.schema.fields.filter((field) => needed.has(field.id) && !wanted.has(field.id))];
}

function whereSql(scan: Scan): string {
  if (scan.filter === undefined) return '';
  const referenceSql = (id: number): string => fieldSql(scan.schema, id, (top) => columnAlias(top.id));
  return ` WHERE ${expressionSql(scan.filter, (ref) => referenceSql(ref.fieldId))}`;
}

function sourceSql(scan: Scan, fields: readonly NestedField[]): string {
  const { deletes, deletedRows } = scan;
  const files = deletedRows === 'alone' ? scan.files.filter(({ path }) => deletes?.files.has(path)) : scan.files;
  if (files.length === 0) return emptySql(fields);
  const parts = groupFiles({ ...scan, files }).map((group) => groupSql(scan, fields, group));
  return parts.length === 1 ? (parts[0] as string) : `(${parts.join(' UNION ALL ')})`;
}

function emptySql(fields: readonly NestedField[]): string {
  const columns = fields.map((field) => `NULL::${sqlType(field.type)} AS ${columnAlias(field.id)}`);
  const extras = Object.values(EXTRA_COLUMNS).map(
    (column) => `NULL::${column === EXTRA_COLUMNS.fileName ? 'VARCHAR' : 'BIGINT'} AS ${column}`,
  );
  return `(SELECT ${[...columns, ...extras].join(', ')} WHERE false)`;
}

interface FileGroup {
  readonly layout: FileLayout | undefined;
  readonly files: readonly ScanFile[];
}

/** Files of the same layout and with deletes of the same kinds are read by one reader. */
function groupFiles(scan: Scan): readonly FileGroup[] {
  const groups = new Map<string, { layout: FileLayout | undefined; files: ScanFile[] }>();
  for (const file of scan.files) {
    const layout = scan.layouts?.get(file.path);
    if (layout === undefined && scan.layouts !== undefined)
      throw new MoraineError('INTERNAL', `The layout of ${file.path} was not read.`);
    const key = `${deletesFingerprint(scan.deletes, file.path)} ${layout?.fingerprint ?? ''}`;
    const group = groups.get(key) ?? { layout, files: [] };
    group.files.push(file);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function groupSql(scan: Scan, fields: readonly NestedField[], group: FileGroup): string {
  if (group.layout?.conversion !== undefined) {
    throw new MoraineError('INTERNAL', `The file ${group.files[0]?.path} was not converted before it is read.`);
  }
  if (group.files.some((file) => file.remote !== undefined && readPath(scan, file) === file.path)) {
    throw new MoraineError('INTERNAL', `The file ${group.files[0]?.path} was not fetched before it is read.`);
  }
  refuseCut(scan, fields, group.layout);
  const lineage = lineageFields(scan, group.layout);
  const read = [...fields, ...lineage];
  const { schemaSql, columns } =
    group.layout === undefined
      ? plainProjection(scan.schema, fields)
      : layoutProjection(group.layout, read, scan.nameMapping, (field) => missingColumnSql(field, group.files));
  const applied = group.files.flatMap((file) => scan.deletes?.files.get(file.path) ?? []);
  const paths = group.files.map((file) => readPath(scan, file));
  const reader = parquetReader(paths, schemaSql);
  const selected = [...columns, ...extraColumns(scan, group), ...deleteColumns(applied)];
  const all = `(SELECT ${selected.length === 0 ? '1 AS moraine_none' : selected.join(', ')} FROM ${reader})`;
  const excluded = lineage.map(({ id }) => columnAlias(id)).join(', ');
  const rows = matchingSql(scan, lineage.length === 0 ? all : `(SELECT * EXCLUDE (${excluded}) FROM ${all})`);
  const { deletes } = scan;
  const [first] = applied;
  if (deletes === undefined || first === undefined) return rows;
  const outputs = [...fields.map(({ id }) => columnAlias(id)), ...wantedExtras(scan).map(([, column]) => column)];
  const rowsSql = scan.deletedRows === 'alone' ? deletedRowsSql : liveRowsSql;
  return rowsSql({ ...scan, deletes }, first, rows, outputs);
}

/** Below the deletes, which have fewer rows to look at then. */
function matchingSql({ matching }: Scan, rows: string): string {
  if (matching === undefined) return rows;
  const equal = matching.on.map(({ id, column }) => `scanned.${columnAlias(id)} = wanted.${quoteIdentifier(column)}`);
  return `(SELECT * FROM ${rows} AS scanned SEMI JOIN ${matching.relation} AS wanted ON ${equal.join(' AND ')})`;
}

/** Internal names of the extra columns. */
const EXTRA_COLUMNS = {
  fileName: 'moraine_file',
  fileNumber: 'moraine_file_number',
  rowNumber: 'moraine_row',
  sequenceNumber: 'moraine_sequence',
  rowId: 'moraine_row_id',
} as const satisfies Record<keyof ScanExtras, string>;

function wantedExtras({ extras }: Scan): readonly (readonly [keyof ScanExtras, string])[] {
  const all = Object.entries(EXTRA_COLUMNS) as [keyof ScanExtras, string][];
  return all.filter(([extra]) => extras?.[extra] !== undefined);
}

/** Top-level columns by field id, nested ones by name. */
function plainProjection(
  schema: Schema,
  fields: readonly NestedField[],
): { schemaSql: string | undefined; columns: string[] } {
  const isStored = (field: NestedField): boolean => field.type.kind !== 'unknown';
  const wanted = fields.filter(isStored);
  // Some column is named, so that none of the file's own names hides one of the reader's.
  const stored = wanted.length > 0 ? wanted : schema.fields.filter(isStored).slice(0, 1);
  const columns = fields.map((field) => {
    const alias = columnAlias(field.id);
    return `${isStored(field) ? (GUARDS(field.type)?.(alias) ?? alias) : fieldDefaultSql(field)} AS ${alias}`;
  });
  return { schemaSql: stored.length === 0 ? undefined : readSchemaSql(stored), columns };
}

/** The `schema` of `parquetReader` that matches columns by field id and names them by it. */
export function readSchemaSql(fields: readonly NestedField[]): string {
  const entries = fields.map((field) => {
    const name = quoteLiteral(columnAlias(field.id));
    const type = quoteLiteral(sqlType(field.type));
    // As text: the values of one MAP have one type.
    const missing = field.initialDefault === undefined ? 'NULL' : `(${fieldDefaultSql(field)})::VARCHAR`;
    return `${field.id}: {name: ${name}, type: ${type}, default_value: ${missing}}`;
  });
  return `MAP {${entries.join(', ')}}`;
}

/** Values that rows may have brought along from other files, when they were rewritten unchanged. */
export function lineageFields(
  { extras }: Pick<Scan, 'extras'>,
  layout: FileLayout | undefined,
): readonly NestedField[] {
  const wanted = [
    ...(extras?.sequenceNumber === undefined ? [] : [LAST_UPDATED]),
    ...(extras?.rowId === undefined ? [] : [ROW_ID]),
  ];
  return wanted.filter(({ id }) => layout?.columns.some(({ fieldId }) => fieldId === id) === true);
}

function extraColumns(scan: Scan, { files, layout }: FileGroup): string[] {
  const lineage = lineageFields(scan, layout);
  const ownOr = (field: NestedField, ofFile: string): string =>
    lineage.includes(field) ? `coalesce(${columnAlias(field.id)}, ${ofFile})` : ofFile;
  const sql: Record<keyof ScanExtras, () => string> = {
    fileName: () => fileNameSql(scan, files),
    fileNumber: () => fileNumberSql(scan, files),
    rowNumber: () => READER_COLUMNS.position,
    sequenceNumber: () => ownOr(LAST_UPDATED, perFileSql(files.map((file) => file.sequenceNumber ?? 0n))),
    rowId: () =>
      ownOr(ROW_ID, `${perFileSql(files.map((file) => file.firstRowId ?? null))} + ${READER_COLUMNS.position}`),
  };
  return wantedExtras(scan).map(([extra, column]) => `${sql[extra]()} AS ${column}`);
}

function fileNumberSql(scan: Scan, files: readonly ScanFile[]): string {
  const places = new Map(scan.files.map((file, place) => [file, BigInt(place)]));
  return perFileSql(files.map((file) => places.get(file) ?? 0n));
}

/** Where the rows of a file are read. */
const readPath = (scan: Scan, file: ScanFile): string => scan.layouts?.get(file.path)?.readFrom ?? file.path;

/** The row's file, also where a copy is read in its place. */
function fileNameSql(scan: Scan, files: readonly ScanFile[]): string {
  if (files.every((file) => readPath(scan, file) === file.path)) return READER_COLUMNS.path;
  return `list_extract([${files.map((file) => quoteLiteral(file.path)).join(', ')}], ${READER_COLUMNS.place}::BIGINT + 1)`;
}
