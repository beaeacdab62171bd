/** Writing rows as data files: Parquet with Iceberg field ids, one file for each partition, or several of a size. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBValue } from '@duckdb/node-api';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import {
  allFields,
  type DataFile,
  findField,
  type IcebergType,
  type PartitionSpec,
  type PartitionTuple,
  type Schema,
  typeToString,
} from '../../iceberg/index.js';
import { type LocalPath, type Location, localPath } from '../../locations/index.js';
import { syncPath } from '../../processes/index.js';
import type { Connection } from '../connection.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import {
  hasNestedFloats,
  isNegativeZero,
  NO_DICTIONARIES,
  orderKey,
  withoutNegativeZero,
} from '../parquet/negative-zero.js';
import { zoneNanoseconds } from '../parquet/zoned-nanoseconds.js';
import { fieldIdsSql, fileColumnNames, type LeafColumn, leafColumns } from '../scan/column-path.js';
import { parquetReader, READER_COLUMNS } from '../scan/file-readers.js';
import { readSchemaSql } from '../scan/scan.js';
import { refuseDeepNesting } from '../sql/nesting-limit.js';
import { columnAlias, quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import { parseSqlText } from '../sql/sql-value.js';
import { readMetrics, textMap } from './parquet-statistics.js';
import { type PartitionColumn, partitionColumns } from './partition-column.js';
import { inPartitionGroups, mostPartitions, PARTITIONS_AT_ONCE } from './partition-groups.js';
import { partsOf, splitFile } from './split-file.js';

/** Rows to write, and where. */
export interface ParquetWrite {
  /** A statement whose columns are those of the schema: same number, same order; values are cast exactly or refused. */
  readonly select: string;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** An existing folder that the engine may write to. */
  readonly folder: LocalPath;
  /** Unique for this attempt: files are called `<namePrefix>-<n>.parquet`. */
  readonly namePrefix: string;
  /** Ids of top-level columns that the rows of each file are sorted by, ascending, nulls last. */
  readonly sortBy?: readonly number[];
  readonly sortOrderId?: number;
  readonly codec?: 'zstd' | 'snappy' | 'gzip' | 'brotli' | 'lz4_raw' | 'uncompressed';
  /** Of zstd: 1 to 22. */
  readonly compressionLevel?: number;
  /** Rows of a row group, about. */
  readonly rowGroupRows?: number;
  /**
   * Whether the rows are collected in a temporary table before they are ordered and written, or are in one already. Collecting uses all
   * threads and what follows one, so that no thread waits: a tenth less CPU for rows that are few beside what they are computed from, but
   * room for them. Collected rows may have any number of partitions: memory and open files do not grow with it.
   */
  readonly collected?: 'first' | 'already';
  /** Unsorted rows are split into files of about this many bytes; by default those of a partition become one file. */
  readonly targetFileBytes?: number;
  /** Whether no rows make a file without rows (a result file) instead of none (a table). */
  readonly keepEmpty?: boolean;
  /** Whether the entries have column statistics (default). One file without: DuckDB fails over those of the first nanoseconds. */
  readonly statistics?: boolean;
  /**
   * Gives the finished files their final places, or takes them over to do so later, and none if it fails; by default they are renamed into
   * the folder, durable on return.
   * @returns their locations, in the same order
   */
  readonly publish?: (files: readonly WrittenPath[]) => Promise<readonly Location[]>;
}

/** A file that is written. */
export interface WrittenPath {
  readonly path: LocalPath;
  /** Its name, `<namePrefix>-<n>.parquet`. */
  readonly name: string;
}

/**
 * Writes the rows and returns one entry for each file, durable on return; no rows, no files. On failure nothing of this
 * attempt remains.
 * @throws TYPE_MISMATCH when a value does not fit its column, UNSUPPORTED_FEATURE for a type that Parquet does not get, STORAGE_UNAVAILABLE, ENGINE_OUT_OF_MEMORY, CANCELLED
 */
export async function writeParquet(connection: Connection, write: ParquetWrite): Promise<DataFile[]> {
  refuseUnwritable(write.schema);
  const staging = join(write.folder, `.${write.namePrefix}.staging`);
  try {
    await mkdir(staging);
    const written: WrittenFile[] = [];
    const copies = await copyRows(connection, write, staging);
    for (const { plan, results } of copies) {
      const files = results
        .map((row) => readResult(row, plan))
        .filter((file) => file.rows > 0n || write.keepEmpty === true);
      if (plan.isSorted) await restoreOrder(connection, write, plan, files);
      for (const file of files) written.push(...(await splitBySize(connection, write, plan, file)));
    }
    return copies[0] === undefined ? [] : await publish(connection, write, copies[0].plan, written);
  } catch (error) {
    throw classifyDuckDbError(error);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The result of the statement, and its plan. */
interface Copied {
  readonly plan: WritePlan;
  readonly results: DuckDBValue[][];
}

/** Partitions of rows that are sorted by keys, too, which are written by one statement. */
const MAX_SORTED_PARTITIONS = 512;

type RunStatement = (sql: string) => Promise<DuckDBValue[][]>;

/** Rows to write; the caller knows whether they have few partitions. */
interface RowsToCopy extends ParquetWrite {
  /** All files are open at once: the rows need not come in the order of partitions. */
  readonly hasFewPartitions?: boolean;
}

/** One statement, or several for rows of very many partitions. */
async function copyRows(connection: Connection, write: ParquetWrite, staging: string): Promise<readonly Copied[]> {
  if (write.collected === 'already') return await copyCollected(connection, write, staging);
  if (write.collected === 'first') return await collectThenCopy(connection, write, staging);
  try {
    return [await copyExactly(write, staging, (sql) => connection.rows(sql))];
  } catch (error) {
    // The rows of each partition take memory.
    if (!isMoraineError(error, 'ENGINE_OUT_OF_MEMORY') || mostPartitions(write.spec) <= PARTITIONS_AT_ONCE) throw error;
  }
  await emptyFolder(staging);
  return await collectThenCopy(connection, write, staging);
}

async function collectThenCopy(
  connection: Connection,
  write: ParquetWrite,
  staging: string,
): Promise<readonly Copied[]> {
  const table = `rows_${randomUUID().replaceAll('-', '')}`;
  const aliases = write.schema.fields.map((field) => columnAlias(field.id)).join(', ');
  await connection.run(`CREATE TEMPORARY TABLE ${table} AS SELECT * FROM (${write.select}) AS source(${aliases})`);
  try {
    return await copyCollected(connection, { ...write, select: `FROM ${table}` }, staging);
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`);
  }
}

async function copyCollected(connection: Connection, write: ParquetWrite, staging: string): Promise<readonly Copied[]> {
  const run: RunStatement = (sql) => connection.rowsInBackground(sql);
  // Buckets of online tables: they are sorted anyway.
  if (write.sortBy !== undefined && write.sortBy.length > 0 && mostPartitions(write.spec) <= MAX_SORTED_PARTITIONS)
    return [await copyExactly(write, staging, run)];
  return await inPartitionGroups(connection, write, async (select, group) => {
    const folder = join(staging, String(group));
    await mkdir(folder);
    return await copyExactly({ ...write, select, hasFewPartitions: true }, folder, run);
  });
}

async function emptyFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true });
  await mkdir(folder);
}

/** With dictionaries, unless that would change a zero: then once more without. See docs/adr/0011-negative-zeros.md. */
async function copyExactly(write: RowsToCopy, staging: string, run: RunStatement): Promise<Copied> {
  if (!hasNestedFloats(write.schema)) {
    const plan = planWrite(write, staging, true);
    try {
      return { plan, results: await run(plan.copySql) };
    } catch (error) {
      if (!isNegativeZero(error)) throw error;
    }
    await emptyFolder(staging);
  }
  const plan = planWrite(write, staging, false);
  return { plan, results: await run(plan.copySql) };
}

/** Why a column's type cannot be written, and what to do instead. */
const UNWRITABLE: ReadonlyMap<string, string> = new Map([
  ['unknown', 'drop the column, or give it a type'],
  // DuckDB writes bytes of any length only, and readers (PyIceberg, Java) refuse those in a fixed column.
  ['fixed', 'make it a binary column, or copy the rows with another engine'],
]);

/** A column, at any depth, that no file is written with. */
export interface UnwritableColumn {
  readonly path: string;
  readonly type: IcebergType;
  /** The remedy. */
  readonly remedy: string;
}

/** The columns of a schema that {@link writeParquet} refuses. */
export function unwritableColumns(schema: Schema): readonly UnwritableColumn[] {
  return allFields(schema).flatMap(({ field, path }) => {
    const remedy = UNWRITABLE.get(field.type.kind);
    return remedy === undefined ? [] : [{ path, type: field.type, remedy }];
  });
}

function refuseUnwritable(schema: Schema): void {
  for (const { name, type } of schema.fields) refuseDeepNesting(name, type);
  const [first] = unwritableColumns(schema);
  if (first === undefined) return;
  const { path, type, remedy } = first;
  const message = `The column ${JSON.stringify(path)} of type ${typeToString(type)} cannot be written: ${remedy}.`;
  throw new MoraineError('UNSUPPORTED_FEATURE', message, { details: { column: path } });
}

function zonedNanoseconds(schema: Schema): ReadonlySet<number> {
  return new Set(allFields(schema).flatMap(({ field }) => (field.type.kind === 'timestamptz_ns' ? [field.id] : [])));
}

interface WritePlan {
  readonly copySql: string;
  /** The one file of a write without statistics. */
  readonly onlyFile: string | undefined;
  readonly columns: readonly PartitionColumn[];
  readonly leaves: ReadonlyMap<string, LeafColumn>;
  readonly isSorted: boolean;
  readonly fileOptions: readonly string[];
  /** The `schema` of `parquetReader` that reads a written file with columns named by id. */
  readonly fileSchemaSql: string;
}

/** Names of the partition columns inside the statement; no file column may be called so. */
function partitionNames(columns: readonly PartitionColumn[], fileNames: ReadonlyMap<number, string>): string[] {
  const taken = new Set([...fileNames.values()].map((name) => name.toLowerCase()));
  let prefix = 'p';
  while (columns.some((_, index) => taken.has(`${prefix}${index}`))) prefix = `_${prefix}`;
  return columns.map((_, index) => `${prefix}${index}`);
}

function planWrite(write: RowsToCopy, staging: string, dictionaries: boolean): WritePlan {
  const { schema } = write;
  const names = fileColumnNames(schema);
  const columns = partitionColumns(schema, write.spec, columnAlias);
  const partitionBy = partitionNames(columns, names);
  const sort = write.sortBy ?? [];
  const format = fileOptions(write, dictionaries);
  const options = [...format];
  let target = join(staging, 'data_0.parquet');
  if (columns.length > 0) {
    options.push(`PARTITION_BY (${partitionBy.map(quoteIdentifier).join(', ')})`);
    target = staging;
  } else if (write.targetFileBytes !== undefined && sort.length === 0) {
    options.push(`FILE_SIZE_BYTES ${write.targetFileBytes}`, 'OVERWRITE_OR_IGNORE true');
    target = staging;
  }
  return {
    copySql: `COPY (${rowsSql(write, columns, partitionBy, names, dictionaries)}) TO ${quoteLiteral(target)} (${options.join(', ')})`,
    onlyFile: write.statistics === false ? target : undefined,
    columns,
    leaves: leafColumns(schema),
    isSorted: sort.length > 0,
    fileOptions: format,
    fileSchemaSql: readSchemaSql(schema.fields),
  };
}

function fileOptions(write: ParquetWrite, dictionaries: boolean): string[] {
  return [
    'FORMAT parquet',
    `COMPRESSION ${write.codec ?? 'zstd'}`,
    ...(write.compressionLevel === undefined ? [] : [`COMPRESSION_LEVEL ${write.compressionLevel}`]),
    ...(write.rowGroupRows === undefined ? [] : [`ROW_GROUP_SIZE ${write.rowGroupRows}`]),
    ...(write.statistics === false ? [] : ['RETURN_STATS true']),
    `FIELD_IDS ${fieldIdsSql(write.schema)}`,
    ...(dictionaries ? [] : [NO_DICTIONARIES]),
  ];
}

/**
 * The rows, in the order of partitions and keys; those of few partitions without keys as they come. The streaming `row_number` makes one thread read them: with
 * more, a partition would be split over several files and lose its order.
 */
function rowsSql(
  write: RowsToCopy,
  columns: readonly PartitionColumn[],
  partitionBy: readonly string[],
  names: ReadonlyMap<number, string>,
  dictionaries: boolean,
): string {
  const fields = write.schema.fields;
  const aliases = fields.map((field) => columnAlias(field.id)).join(', ');
  const source = `(${write.select}) AS source(${aliases})`;
  const keys = columns.map((column, index) => `${column.keySql} AS ${quoteIdentifier(partitionBy[index] as string)}`);
  const values = fields.map(({ id, type }) => {
    const value = `${columnAlias(id)}::${sqlType(type)}`;
    return `${dictionaries ? withoutNegativeZero(type, value) : value} AS ${columnAlias(id)}`;
  });
  const typed = `SELECT ${values.join(', ')} FROM ${source}`;
  const keyed = keys.length === 0 ? typed : `SELECT *, ${keys.join(', ')} FROM (${typed})`;
  const sort = sortKeys(write, columnAlias);
  const order =
    write.hasFewPartitions === true && sort.length === 0 ? [] : [...partitionBy.map(quoteIdentifier), ...sort];
  const named = [
    ...fields.map((field) => `${columnAlias(field.id)} AS ${quoteIdentifier(names.get(field.id) as string)}`),
    ...partitionBy.map(quoteIdentifier),
  ].join(', ');
  if (keys.length + order.length === 0) return `SELECT ${named} FROM (${keyed})`;
  const ordered = order.length === 0 ? '' : ` ORDER BY ${order.map((column) => `${column} ASC NULLS LAST`).join(', ')}`;
  const sorted = `SELECT * FROM (${keyed})${ordered}`;
  const numbered = `SELECT *, row_number() OVER () AS moraine_position FROM (${sorted})`;
  return `SELECT ${named} FROM (${numbered}) WHERE moraine_position > 0`;
}

/** A file as the statement reported it, not yet under its final name. */
interface WrittenFile {
  path: string;
  statistics: DuckDBValue;
  readonly rows: bigint;
  readonly bytes: bigint;
  readonly keys: readonly (string | null)[];
}

/** `RETURN_STATS` gives path, rows, bytes, footer bytes, column statistics, partition keys. */
function readResult(row: readonly DuckDBValue[], plan: WritePlan): WrittenFile {
  if (plan.onlyFile !== undefined) {
    return { path: plan.onlyFile, rows: row[0] as bigint, bytes: 0n, statistics: null, keys: [] };
  }
  const keys = textMap(row[5] ?? null);
  return {
    path: String(row[0]),
    rows: row[1] as bigint,
    bytes: row[2] as bigint,
    statistics: row[4] ?? null,
    keys: plan.columns.map((_, index) => [...keys.values()][index] ?? null),
  };
}

async function splitBySize(
  connection: Connection,
  { schema, targetFileBytes }: ParquetWrite,
  { isSorted, fileOptions: options }: WritePlan,
  file: WrittenFile,
): Promise<readonly WrittenFile[]> {
  const parts = targetFileBytes === undefined || isSorted ? 1 : partsOf(file, targetFileBytes);
  if (parts === 1) return [file];
  const columns = [...fileColumnNames(schema).values()];
  const split = await splitFile(connection, file, parts, columns, options);
  return split.map((part) => ({ ...part, keys: file.keys }));
}

async function restoreOrder(
  connection: Connection,
  write: ParquetWrite,
  plan: WritePlan,
  files: WrittenFile[],
): Promise<void> {
  // A partition of its own, or none: the rows came in order.
  if (files.length < 2) return;
  const unordered = await unorderedFiles(connection, write, plan, files);
  for (const file of files) {
    if (!unordered.has(file.path)) continue;
    const names = fileColumnNames(write.schema);
    const order = sortKeys(write, (id) => quoteIdentifier(names.get(id) as string));
    const path = `${file.path}.sorted`;
    const rows = `SELECT ${[...names.values()].map(quoteIdentifier).join(', ')} FROM ${parquetReader([file.path])}`;
    const copy = `COPY (${rows} ORDER BY ${order.map((key) => `${key} ASC NULLS LAST`).join(', ')}) TO ${quoteLiteral(path)} (${plan.fileOptions.join(', ')})`;
    const [result] = await connection.rows(copy);
    file.statistics = result?.[4] ?? null;
    file.path = path;
  }
}

/** Sort keys of rows, with columns by their ids. */
function sortKeys(write: ParquetWrite, columnOf: (id: number) => string): string[] {
  const typeOf = (id: number): IcebergType => findField(write.schema, id)?.type ?? { kind: 'unknown' };
  return (write.sortBy ?? []).map((id) => orderKey(typeOf(id), columnOf(id)));
}

/**
 * Files that have a row below the one before it. DuckDB appends a partition's first rows last when fewer than 64 of them
 * share a vector with the partition before, so of many files a few are out of order.
 */
async function unorderedFiles(
  connection: Connection,
  write: ParquetWrite,
  plan: WritePlan,
  files: readonly WrittenFile[],
): Promise<ReadonlySet<string>> {
  const keys = (write.sortBy ?? []).map(columnAlias);
  const key = keys.length === 1 ? (keys[0] as string) : `row(${keys.join(', ')})`;
  const source = parquetReader(
    files.map((file) => file.path),
    plan.fileSchemaSql,
  );
  const rows = `SELECT ${key} AS k, ${READER_COLUMNS.path} AS f FROM ${source}`;
  const steps = `SELECT f, f = lag(f) OVER () AND k < lag(k) OVER () AS inverted FROM (${rows})`;
  const found = await connection.rowsInBackground(`SELECT DISTINCT f FROM (${steps}) WHERE inverted`);
  return new Set(found.map(([path]) => String(path)));
}

async function publish(
  connection: Connection,
  write: ParquetWrite,
  plan: WritePlan,
  files: readonly WrittenFile[],
): Promise<DataFile[]> {
  const partitions = await readPartitions(connection, plan, files);
  const zoned = zonedNanoseconds(write.schema);
  const sizes: number[] = [];
  for (const file of files) {
    // Last, because from here on the engine would cut them.
    if (zoned.size > 0) await zoneNanoseconds(file.path, zoned);
    sizes.push((await stat(file.path)).size);
  }
  const written = files.map(({ path }, index) => ({
    path: localPath(path),
    name: `${write.namePrefix}-${index}.parquet`,
  }));
  const locations = await (write.publish ?? renameInto(write.folder))(written);
  return files.map((file, index) => ({
    content: 'data',
    filePath: locations[index] as Location,
    fileFormat: 'PARQUET',
    specId: write.spec.specId,
    partition: partitions[index] as PartitionTuple,
    recordCount: file.rows,
    fileSizeInBytes: BigInt(sizes[index] as number),
    ...readMetrics(file.statistics, plan.leaves, isOneRowGroup(file.rows, write)),
    ...(write.sortOrderId === undefined ? {} : { sortOrderId: write.sortOrderId }),
  }));
}

/** Rows of a row group that DuckDB writes unless told otherwise. */
const ROW_GROUP_ROWS = 122_880;

/** Each thread of a write may end a row group of its own once it has half of the rows. */
function isOneRowGroup(rows: bigint, { rowGroupRows = ROW_GROUP_ROWS }: ParquetWrite): boolean {
  return 2n * rows <= BigInt(rowGroupRows);
}

/** Publishing within a folder. */
function renameInto(folder: LocalPath): NonNullable<ParquetWrite['publish']> {
  return async (files) => {
    const done: string[] = [];
    try {
      for (const { path, name } of files) {
        await syncPath(path);
        await rename(path, join(folder, name));
        done.push(join(folder, name));
      }
      if (files.length > 0) await syncPath(folder);
      return done;
    } catch (error) {
      await Promise.all(done.map((path) => rm(path, { force: true })));
      throw error;
    }
  };
}

/** Partition tuples of the files; values too long for a name are read from the file's first row. */
async function readPartitions(
  connection: Connection,
  plan: WritePlan,
  files: readonly WrittenFile[],
): Promise<PartitionTuple[]> {
  const tuples: PartitionTuple[] = [];
  for (const file of files) {
    const parsed = plan.columns.map((column, index) => column.parse(file.keys[index] ?? null));
    tuples.push(parsed.includes(undefined) ? await readTuple(connection, plan, file) : (parsed as PartitionTuple));
  }
  return tuples;
}

async function readTuple(connection: Connection, plan: WritePlan, file: WrittenFile): Promise<PartitionTuple> {
  const texts = plan.columns.map((column) =>
    isBytes(column) ? `hex(${column.valueSql})` : `(${column.valueSql})::VARCHAR`,
  );
  const source = parquetReader([file.path], plan.fileSchemaSql);
  const [row = []] = await connection.rows(`SELECT ${texts.join(', ')} FROM ${source} LIMIT 1`);
  return plan.columns.map((column, index) => {
    const parsed = column.parse(file.keys[index] ?? null);
    if (parsed !== undefined) return parsed;
    return parseSqlText(column.resultType, String(row[index])) ?? null;
  });
}

const isBytes = (column: PartitionColumn): boolean =>
  column.resultType.kind === 'binary' || column.resultType.kind === 'fixed';
