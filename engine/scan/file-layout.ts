/** The schemas that data files carry themselves, read from their footers. */
import type { DuckDBListType, DuckDBMapType, DuckDBStructType, DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../../errors/index.js';
import type { Connection } from '../connection.js';
import { nameDamagedFile } from './damaged-file.js';
import { parquetReader, parquetSchemaReader } from './file-readers.js';

/** A column of a file at any depth. */
export interface FileColumn {
  readonly name: string;
  /** Its name in the file itself, where the engine, or a copy that is read in its place, has another name for it. */
  readonly sourceName?: string;
  /** Missing in files that were written outside Iceberg. */
  readonly fieldId: number | undefined;
  readonly shape: 'primitive' | 'struct' | 'list' | 'map';
  /** The DuckDB type that a primitive is read as. */
  readonly type: string;
  /** Whether it holds nanoseconds with a zone, which DuckDB cuts to microseconds. */
  readonly isZonedNanoseconds: boolean;
  /** Fields of a struct; the element of a list; key and value of a map. */
  readonly children: readonly FileColumn[];
  /** Given: DuckDB reads the struct as its only field. */
  readonly isUnwrapped?: true;
}

/** A format that DuckDB does not read: the file is read as a Parquet copy. */
export type FileConversion = 'avro' | 'hadoop-lz4';

/** How a file is laid out. Files with equal fingerprints can be read by one reader. */
export interface FileLayout {
  readonly columns: readonly FileColumn[];
  readonly hasFieldIds: boolean;
  readonly fingerprint: string;
  /** Given: DuckDB takes the bounds of bytes in the footers for others than they are. */
  readonly hasSignedBounds?: true;
  /** Conversion that reading the file needs. The layout is that of the copy. */
  readonly conversion?: FileConversion;
  /** A copy to read in the file's place, which this layout is of. */
  readonly readFrom?: string;
}

/** The layout of a file that is read as a copy of the same columns. */
export function convertedLayout(layout: FileLayout, conversion: FileConversion): FileLayout {
  return { ...layout, fingerprint: `${conversion} ${layout.fingerprint}`, conversion };
}

/** The layout of a file whose footer has bounds of bytes in the order of signed ones. */
export function signedLayout(layout: FileLayout): FileLayout {
  return { ...layout, fingerprint: `signed ${layout.fingerprint}`, hasSignedBounds: true };
}

/** The layout of a copy, in which nanoseconds have no zone. */
export function copiedLayout({ columns, hasFieldIds, hasSignedBounds }: FileLayout, readFrom: string): FileLayout {
  const unzoned = columns.map(unzonedColumn);
  const copy = { columns: unzoned, hasFieldIds, fingerprint: JSON.stringify(unzoned), readFrom };
  return hasSignedBounds === true ? signedLayout(copy) : copy;
}

function unzonedColumn(column: FileColumn): FileColumn {
  const children = column.children.map(unzonedColumn);
  if (!column.isZonedNanoseconds) return { ...column, children };
  return { ...column, type: 'TIMESTAMP_NS', isZonedNanoseconds: false, children };
}

/** Text that DuckDB prints for such a logical type. */
const ZONED_NANOSECONDS = /^TimestampType\(isAdjustedToUTC=1, .*NANOS=NanoSeconds\(\)/;

/** Footers read by one statement. */
const FILES_PER_STATEMENT = 500;

/**
 * Reads the footers of files.
 * @throws DATA_FILE_CORRUPT or FILE_NOT_FOUND naming the file
 */
export async function readFileLayouts(
  connection: Connection,
  paths: readonly string[],
): Promise<ReadonlyMap<string, FileLayout>> {
  const layouts = new Map<string, FileLayout>();
  for (let start = 0; start < paths.length; start += FILES_PER_STATEMENT) {
    const some = paths.slice(start, start + FILES_PER_STATEMENT);
    const rows = await footerRows(connection, some);
    for (const [path, nodes] of groupByPath(rows)) layouts.set(path, layoutOf(nodes));
  }
  return layouts;
}

/**
 * The layout under the names that DuckDB has for the columns of a file. It ignores letter case, and gives the second of two names that differ by it alone a
 * number, at any depth; under its own name the values of the first would be read.
 */
export async function withEngineNames(connection: Connection, path: string, layout: FileLayout): Promise<FileLayout> {
  if (!hasClash(layout.columns)) return layout;
  const { names, types } = await connection.describe(`FROM ${parquetReader([path])}`);
  const columns = layout.columns.map((column, index) => named(column, names[index], types[index]));
  return { ...layout, columns, fingerprint: JSON.stringify(columns) };
}

function hasClash(columns: readonly FileColumn[]): boolean {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()));
  return names.size < columns.length || columns.some(({ children }) => hasClash(children));
}

function named(column: FileColumn, name: string | undefined, type: DuckDBType | undefined): FileColumn {
  const own = name === undefined || name === column.name ? {} : { name, sourceName: column.name };
  return { ...column, ...own, children: namedChildren(column, type) };
}

function namedChildren(column: FileColumn, type: DuckDBType | undefined): readonly FileColumn[] {
  const { children, shape, isUnwrapped } = column;
  // A repeated field of a group that is not marked as a list is for DuckDB no list in the group's place.
  if (type === undefined || shape === 'primitive') return children;
  if (isUnwrapped === true) return children.map((child) => named(child, undefined, type));
  if (shape === 'list') return children.map((child) => named(child, undefined, (type as DuckDBListType).valueType));
  if (shape === 'map') {
    const { keyType, valueType } = type as DuckDBMapType;
    return children.map((child, index) => named(child, undefined, index === 0 ? keyType : valueType));
  }
  const { entryNames, entryTypes } = type as DuckDBStructType;
  return children.map((child, index) => named(child, entryNames[index], entryTypes[index]));
}

/** A node of Parquet's flattened schema tree. */
interface SchemaNode {
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly repetition: string;
  readonly childCount: number;
  readonly isMap: boolean;
  readonly isZonedNanoseconds: boolean;
  readonly fieldId: number | undefined;
}

async function footerRows(connection: Connection, paths: readonly string[]): Promise<SchemaNode[]> {
  const columns = 'file_name, name, duckdb_type, repetition_type, num_children, converted_type, logical_type, field_id';
  try {
    const rows = await connection.rows(`SELECT ${columns} FROM ${parquetSchemaReader(paths)}`);
    return rows.map(([path, name, type, repetition, children, converted, logical, id]) => ({
      path: String(path),
      name: String(name),
      type: String(type ?? ''),
      repetition: String(repetition),
      childCount: Number(children ?? 0),
      isMap: String(converted ?? '').startsWith('MAP') || String(logical ?? '').startsWith('Map'),
      isZonedNanoseconds: ZONED_NANOSECONDS.test(String(logical ?? '')),
      fieldId: id === null || id === undefined ? undefined : Number(id),
    }));
  } catch (error) {
    throw await nameDamagedFile(connection, paths, error);
  }
}

function groupByPath(nodes: readonly SchemaNode[]): ReadonlyMap<string, SchemaNode[]> {
  const groups = new Map<string, SchemaNode[]>();
  for (const node of nodes) {
    const group = groups.get(node.path);
    if (group === undefined) groups.set(node.path, [node]);
    else group.push(node);
  }
  return groups;
}

function layoutOf(nodes: readonly SchemaNode[]): FileLayout {
  const [root] = nodes;
  const cursor = { next: 1 };
  const columns = Array.from({ length: root?.childCount ?? 0 }, () => readNode(nodes, cursor));
  const hasFieldIds = nodes.some((node) => node.fieldId !== undefined);
  return { columns, hasFieldIds, fingerprint: JSON.stringify(columns) };
}

interface Tree extends SchemaNode {
  readonly children: readonly Tree[];
}

function readTree(nodes: readonly SchemaNode[], cursor: { next: number }): Tree {
  const node = nodes[cursor.next];
  if (node === undefined) throw new MoraineError('DATA_FILE_CORRUPT', 'A data file has a broken schema.');
  cursor.next += 1;
  const children = Array.from({ length: node.childCount }, () => readTree(nodes, cursor));
  return { ...node, children };
}

function readNode(nodes: readonly SchemaNode[], cursor: { next: number }): FileColumn {
  return toColumn(readTree(nodes, cursor));
}

/** Undoes Parquet's wrapping of lists and maps, old forms included. Source: Parquet format, "LogicalTypes: Nested Types". */
function toColumn(tree: Tree): FileColumn {
  const base = { name: tree.name, fieldId: tree.fieldId, type: '', isZonedNanoseconds: tree.isZonedNanoseconds };
  const [only] = tree.children;
  if (tree.children.length === 0) return { ...base, shape: 'primitive', type: tree.type, children: [] };
  if (tree.children.length === 1 && only?.repetition === 'REPEATED') {
    if (tree.isMap) {
      return { ...base, shape: 'map', children: only.children.map(toColumn) };
    }
    const [inside] = only.children;
    // A group whose one field is repeated is a list or a map, of writers that have no group between a list and its elements.
    const isWhole = inside === undefined || only.children.length > 1 || inside.repetition === 'REPEATED';
    if (isWhole) return { ...base, shape: 'list', children: [toColumn(only)] };
    // A repeated group of one field that is not named as the element itself is only a wrapper, and for DuckDB any such group is.
    const isWrapper = only.name !== 'array' && only.name !== `${tree.name}_tuple`;
    return { ...base, shape: 'list', children: [isWrapper ? toColumn(inside) : structOfOne(only, inside)] };
  }
  return { ...base, shape: 'struct', children: tree.children.map(toColumn) };
}

/** The element of a list of old writers (parquet-avro, Thrift): a struct of one field. */
function structOfOne({ name, fieldId, type }: Tree, inside: Tree): FileColumn {
  const children = [toColumn(inside)];
  return { name, fieldId, shape: 'struct', type, isZonedNanoseconds: false, children, isUnwrapped: true };
}
