/**
 * Reading files of one layout as the table's columns, nested fields matched by id.
 * DuckDB matches only top-level columns by field id, and nested ones by name: so a nested column is read under the file's own
 * names and rebuilt. Source: Apache Iceberg specification, "Column Projection".
 */
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, NameMapping, NestedField } from '../../iceberg/index.js';
import { listTransformSql } from '../sql/lambda-sql.js';
import { columnAlias, quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';
import { fieldDefaultSql } from './column-default.js';
import type { FileColumn, FileLayout } from './file-layout.js';
import { hidesReaderColumn } from './file-readers.js';
import { GUARDS, type Guards, NO_GUARDS, needsGuard, SIGNED_GUARDS } from './out-of-reach.js';

/** How to read the files of a layout. */
export interface LayoutProjection {
  /** The `schema` of `parquetReader`; undefined to read the files as they are. */
  readonly schemaSql: string | undefined;
  /** SELECT items, one for each field, under their aliases. */
  readonly columns: readonly string[];
}

/** SQL of a top-level column that the files do not have. */
type MissingSql = (field: NestedField) => string;

/**
 * @param mapping for files without field ids
 * @throws UNSUPPORTED_FEATURE for such files when there is no mapping: guessing could read wrong columns
 */
export function layoutProjection(
  layout: FileLayout,
  fields: readonly NestedField[],
  mapping: NameMapping | undefined,
  missing: MissingSql = fieldDefaultSql,
): LayoutProjection {
  const find = finder(layout, mapping);
  const hidesReader = layout.columns.some(({ name }) => hidesReaderColumn(name));
  const isRenamed = hidesReader || (layout.hasFieldIds && !canReadByName(layout, fields));
  return isRenamed ? projectRenamed(layout, fields, find, missing) : projectByName(layout, fields, find, missing);
}

/**
 * The fields whose values, or values inside, are nanoseconds in the table and zoned nanoseconds in files of this layout: DuckDB
 * would cut them. The parameters and errors are those of {@link layoutProjection}.
 */
export function cutFields(
  layout: FileLayout,
  fields: readonly NestedField[],
  mapping: NameMapping | undefined,
): readonly NestedField[] {
  const find = finder(layout, mapping);
  const isCut = (type: IcebergType, column: FileColumn | undefined): boolean => {
    if (column === undefined) return false;
    const [first, second] = column.children;
    if (type.kind === 'list') return isCut(type.element, first);
    if (type.kind === 'map') return isCut(type.key, first) || isCut(type.value, second);
    if (type.kind === 'struct') return type.fields.some((field) => isCut(field.type, find(column.children, field.id)));
    return column.isZonedNanoseconds && (type.kind === 'timestamptz_ns' || type.kind === 'timestamp_ns');
  };
  return fields.filter((field) => isCut(field.type, find(layout.columns, field.id)));
}

const NARROW: ReadonlySet<string> = new Set(['BOOLEAN', 'INTEGER', 'FLOAT', 'DATE', 'BIGINT', 'DOUBLE', 'TIMESTAMP']);

/** Place of the column that stands for the rows where no column is read. */
export function cheapestColumn({ columns }: FileLayout): number {
  return Math.max(
    0,
    columns.findIndex(({ shape, type }) => shape === 'primitive' && NARROW.has(type)),
  );
}

/** Place of the top-level column that a field is read from; undefined if the files have none. The errors are those of {@link layoutProjection}. */
export function columnFinder(
  layout: FileLayout,
  mapping: NameMapping | undefined,
): (fieldId: number) => number | undefined {
  const find = finder(layout, mapping);
  return (fieldId) => {
    const column = find(layout.columns, fieldId);
    return column === undefined ? undefined : layout.columns.indexOf(column);
  };
}

/**
 * Places of the columns that a part of a file needs so that those which are read have the names of the layout: the engine numbers names that
 * differ by letter case alone (`a` and `A_1`) by the columns that are there.
 */
export function withNumbered({ columns }: FileLayout, read: readonly number[]): number[] {
  const numbered = new Set(columns.flatMap(({ sourceName }) => sourceName?.toLowerCase() ?? []));
  const isOfThem = ({ name, sourceName = name }: FileColumn): boolean => {
    const own = sourceName.toLowerCase();
    // A name that another would get by its number moves that on.
    return numbered.has(own) || [...numbered].some((base) => own.startsWith(`${base}_`));
  };
  const all = columns.flatMap((column, place) => (numbered.size > 0 && isOfThem(column) ? [place] : []));
  return [...new Set(read.some((place) => all.includes(place)) ? [...read, ...all] : read)];
}

function finder(layout: FileLayout, mapping: NameMapping | undefined): Find {
  if (layout.hasFieldIds) return findById;
  if (mapping === undefined) {
    throw new MoraineError(
      'UNSUPPORTED_FEATURE',
      'A data file has no field ids, so its columns cannot be told. Set the table property schema.name-mapping.default.',
    );
  }
  return (columns, id) => {
    const names = mapping.get(id) ?? [];
    return columns.find((column) => names.includes(column.sourceName ?? column.name));
  };
}

type Find = (columns: readonly FileColumn[], id: number) => FileColumn | undefined;

const findById: Find = (columns, id) => columns.find((column) => column.fieldId === id);

/**
 * Whether the files can be read under their own names: DuckDB, which ignores case, tells the columns apart without numbering them, and no primitive column
 * needs a cast, through which no filter reaches the row groups' statistics.
 */
function canReadByName(layout: FileLayout, fields: readonly NestedField[]): boolean {
  const names = new Set(layout.columns.map(({ name, sourceName = name }) => sourceName.toLowerCase()));
  if (names.size !== layout.columns.length) return false;
  return fields.every((field) => {
    const column = findById(layout.columns, field.id);
    return column === undefined || !isPrimitive(field.type) || column.type === sqlType(field.type);
  });
}

/**
 * Columns under their aliases, renamed and cast inside the reader: row groups are still skipped, but DuckDB no longer knows how many rows
 * there are.
 */
function projectRenamed(
  layout: FileLayout,
  fields: readonly NestedField[],
  find: Find,
  missing: MissingSql,
): LayoutProjection {
  const reading = readingOf(layout, find);
  const entries: string[] = [];
  const add = (column: FileColumn, alias: string, type: string): void => {
    const key = column.fieldId === undefined ? quoteLiteral(column.name) : String(column.fieldId);
    entries.push(`${key}: {name: ${quoteLiteral(alias)}, type: ${quoteLiteral(type)}, default_value: NULL}`);
  };
  const columns = fields.map((field) => {
    const alias = columnAlias(field.id);
    const column = find(layout.columns, field.id);
    if (column === undefined || field.type.kind === 'unknown') return `${missing(field)} AS ${alias}`;
    const type = readType(field.type, column, find);
    // Inside the reader a filter's value would be rounded to the file's type, not the column's values to the table's.
    const isRounded = ROUNDING.has(column.type) && column.type !== type;
    add(column, alias, isRounded ? column.type : type);
    const typed = isRounded ? `${alias}::${type}` : alias;
    return `${rebuild(field.type, column, typed, reading, 0)} AS ${alias}`;
  });
  const other = layout.columns[cheapestColumn(layout)];
  // Some column is named, so that none of the file's own names hides one of the reader's.
  if (entries.length === 0 && other !== undefined) add(other, 'moraine_unread', anyType(other));
  return { schemaSql: entries.length === 0 ? undefined : `MAP {${entries.join(', ')}}`, columns };
}

/** Columns under the file's own names, which the files of one layout share. */
function projectByName(
  layout: FileLayout,
  fields: readonly NestedField[],
  find: Find,
  missing: MissingSql,
): LayoutProjection {
  const reading = readingOf(layout, find);
  const columns = fields.map((field) => {
    const alias = columnAlias(field.id);
    const column = find(layout.columns, field.id);
    if (column === undefined || field.type.kind === 'unknown') return `${missing(field)} AS ${alias}`;
    const type = readType(field.type, column, find);
    const name = quoteIdentifier(column.name);
    const typed = column.type === type ? name : `${name}::${type}`;
    return `${rebuild(field.type, column, typed, reading, 0)} AS ${alias}`;
  });
  return { schemaSql: undefined, columns };
}

/** Types of files that do not have all values of the table's column, or the other way about. */
const ROUNDING: ReadonlySet<string> = new Set(['FLOAT', 'DATE', 'TIME_NS']);

/** Some writers mark a uuid as nothing but sixteen bytes. */
const isPlainUuid = (type: IcebergType, column: FileColumn): boolean => type.kind === 'uuid' && column.type !== 'UUID';

/** Some writers (Impala, Hive of old) mark text as nothing but bytes. */
const isPlainText = (type: IcebergType, column: FileColumn): boolean =>
  type.kind === 'string' && column.type === 'BLOB';

const isPlain = (type: IcebergType, column: FileColumn): boolean =>
  isPlainUuid(type, column) || isPlainText(type, column);

/** The type to read a column as: the wanted leaf types under the file's own names. */
function readType(type: IcebergType, column: FileColumn, find: Find): string {
  if (isPlain(type, column)) return 'BLOB';
  if (isPrimitive(type)) {
    if (column.shape === 'primitive') return sqlType(type);
    throw shapeMismatch(type, column);
  }
  if (type.kind !== column.shape) throw shapeMismatch(type, column);
  const [first, second] = column.children;
  if (type.kind === 'list' && first !== undefined) return `${readType(type.element, first, find)}[]`;
  if (type.kind === 'map' && first !== undefined && second !== undefined) {
    return `MAP(${readType(type.key, first, find)}, ${readType(type.value, second, find)})`;
  }
  if (type.kind !== 'struct') throw shapeMismatch(type, column);
  if (column.isUnwrapped === true && first !== undefined) {
    const field = type.fields.find(({ id }) => find(column.children, id) !== undefined);
    return field === undefined || field.type.kind === 'unknown' ? anyType(first) : readType(field.type, first, find);
  }
  const members = type.fields.flatMap((field) => {
    const child = find(column.children, field.id);
    if (child === undefined || field.type.kind === 'unknown') return [];
    return [`${quoteIdentifier(child.name)} ${readType(field.type, child, find)}`];
  });
  return `STRUCT(${members.length > 0 ? members.join(', ') : anyMember(column)})`;
}

/** A struct none of whose fields is wanted is still null or not: one of its fields is read to know. */
function anyMember(column: FileColumn): string {
  const [child] = column.children;
  return child === undefined ? '"" VARCHAR' : `${quoteIdentifier(child.name)} ${anyType(child)}`;
}

function anyType(column: FileColumn): string {
  const [first, second] = column.children;
  if (column.isUnwrapped === true && first !== undefined) return anyType(first);
  if (column.shape === 'list' && first !== undefined) return `${anyType(first)}[]`;
  if (column.shape === 'map' && first !== undefined && second !== undefined) {
    return `MAP(${anyType(first)}, ${anyType(second)})`;
  }
  return column.shape === 'struct' ? `STRUCT(${anyMember(column)})` : 'VARCHAR';
}

function shapeMismatch(type: IcebergType, column: FileColumn): MoraineError {
  return new MoraineError(
    'DATA_FILE_CORRUPT',
    `A data file has a ${column.shape} as its column ${column.name}, where the table has a ${type.kind}.`,
  );
}

/** Whether a column read under the file's names has exactly the wanted type. */
function isSame(type: IcebergType, column: FileColumn, find: Find): boolean {
  if (isPlain(type, column) || column.isUnwrapped === true) return false;
  const [first, second] = column.children;
  switch (type.kind) {
    case 'struct':
      return type.fields.every((field) => {
        const child = find(column.children, field.id);
        return child !== undefined && child.name === field.name && isSame(field.type, child, find);
      });
    case 'list':
      return first !== undefined && isSame(type.element, first, find);
    case 'map':
      return (
        first !== undefined && second !== undefined && isSame(type.key, first, find) && isSame(type.value, second, find)
      );
    default:
      return type.kind !== 'unknown';
  }
}

/** How the columns of a layout are read. */
interface Reading {
  readonly find: Find;
  readonly guards: Guards;
  /** Those of members of structs. */
  readonly guardsInside: Guards;
}

function readingOf({ hasSignedBounds }: FileLayout, find: Find): Reading {
  return hasSignedBounds === true
    ? { find, guards: SIGNED_GUARDS, guardsInside: SIGNED_GUARDS }
    : { find, guards: GUARDS, guardsInside: NO_GUARDS };
}

/** SQL that turns a column read under the file's names into the wanted type, out of the reach of filters where it has to be. */
function rebuild(type: IcebergType, column: FileColumn, sql: string, reading: Reading, depth: number): string {
  const { find, guards, guardsInside } = reading;
  if (isPlainUuid(type, column)) return `hex(${sql})::UUID`;
  if (isPlainText(type, column)) return `decode(${sql})`;
  const guard = guards(type);
  if (guard !== undefined) return guard(sql);
  if (isSame(type, column, find) && !needsGuard(type, guardsInside)) return sql;
  const [first, second] = column.children;
  const item = `e${depth}`;
  // No filter reaches into lists and maps.
  const inside = { find, guards: NO_GUARDS, guardsInside: NO_GUARDS };
  if (type.kind === 'list' && first !== undefined) {
    return listTransformSql(sql, [item], rebuild(type.element, first, item, inside, depth + 1));
  }
  if (type.kind === 'map' && first !== undefined && second !== undefined) {
    const key = rebuild(type.key, first, `struct_extract(${item}, 'key')`, inside, depth + 1);
    const value = rebuild(type.value, second, `struct_extract(${item}, 'value')`, inside, depth + 1);
    return `map_from_entries(${listTransformSql(`map_entries(${sql})`, [item], `{'key': ${key}, 'value': ${value}}`)})`;
  }
  if (type.kind !== 'struct') throw shapeMismatch(type, column);
  const ofMembers = { ...reading, guards: guardsInside };
  const isUnwrapped = column.isUnwrapped === true;
  const members = type.fields.map((field) => {
    const child = find(column.children, field.id);
    if (child === undefined || field.type.kind === 'unknown')
      return `${quoteLiteral(field.name)}: ${fieldDefaultSql(field)}`;
    const member = isUnwrapped ? sql : `struct_extract(${sql}, ${quoteLiteral(child.name)})`;
    return `${quoteLiteral(field.name)}: ${rebuild(field.type, child, member, ofMembers, depth)}`;
  });
  // Such an element is never null: its field is.
  if (isUnwrapped) return `{${members.join(', ')}}`;
  return `CASE WHEN ${sql} IS NULL THEN NULL ELSE {${members.join(', ')}} END`;
}
