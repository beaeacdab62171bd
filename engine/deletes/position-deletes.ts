/** Deleted positions in one temporary table: from position-delete files and from deletion vectors. */
import { MoraineError } from '../../errors/index.js';
import {
  DELETE_FILE_PATH_ID,
  DELETE_POSITION_ID,
  type DeleteFile,
  type NameMapping,
  POSITION_DELETE_SCHEMA,
  type PositionContainer,
} from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { duckdb } from '../duckdb.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import { columnAlias, quoteIdentifier } from '../sql/sql-text.js';
import { DELETE_NUMBER, deleteRowsSql, type OpenDeleteFile, readingDeletes } from './delete-file-scan.js';
import { type DeleteRun, type NumberedDeletes, numberDeletes } from './delete-runs.js';
import { POSITION_BITS } from './scan-deletes.js';
import { readVectors, type VectorToRead } from './vector-file.js';

export const POSITION_DELETE_NAMES: NameMapping = new Map(
  POSITION_DELETE_SCHEMA.fields.map(({ id, name }) => [id, [name]]),
);
const PATH = columnAlias(DELETE_FILE_PATH_ID);
const POSITION = columnAlias(DELETE_POSITION_ID);
const CHUNK_ROWS = 2048;

/** A data file with the position-delete files that apply to it. */
export interface PositionDeletedFile {
  /** In its one spelling. */
  readonly location: string;
  /** The file's number in the table of deleted positions. */
  readonly fileNumber: bigint;
  readonly deletes: readonly DeleteFile[];
}

/** Creates the table of deleted positions, empty. */
export async function createPositions(connection: Connection, table: string): Promise<void> {
  await connection.run(`CREATE TEMP TABLE ${quoteIdentifier(table)} (key BIGINT)`);
}

/** Creates the table of the positions that are in one of two tables alone. */
export async function createPositionsOfOne(
  connection: Connection,
  table: string,
  [one, other]: readonly [string, string],
): Promise<void> {
  const without = (a: string, b: string): string =>
    `(SELECT key FROM ${quoteIdentifier(a)} EXCEPT SELECT key FROM ${quoteIdentifier(b)})`;
  const keys = `${without(one, other)} UNION ALL ${without(other, one)}`;
  await connection.run(`CREATE TEMP TABLE ${quoteIdentifier(table)} AS SELECT key FROM (${keys}) ORDER BY key`);
}

/** The numbers of the files that have deleted positions. */
export async function fileNumbersIn(connection: Connection, table: string): Promise<ReadonlySet<bigint>> {
  const rows = await connection.rows(`SELECT DISTINCT key >> ${POSITION_BITS} FROM ${quoteIdentifier(table)}`);
  return new Set(rows.map(([number]) => BigInt(String(number))));
}

/** How delete files are opened, and their paths compared. */
interface PositionDeletesContext {
  readonly open: (entry: DeleteFile) => Promise<OpenDeleteFile>;
  readonly normalize: (location: string) => string;
}

/**
 * Adds what position-delete files say of the given data files; what they say of others is dropped. Each delete file is opened once,
 * whatever the number of data files that it applies to.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file
 */
export async function addPositionDeletes(
  connection: Connection,
  table: string,
  dataFiles: readonly PositionDeletedFile[],
  { open, normalize }: PositionDeletesContext,
): Promise<void> {
  const numbered = numberDeletes(dataFiles.map(({ deletes }) => deletes));
  if (numbered.entries.length === 0) return;
  const files = await Promise.all(numbered.entries.map(open));
  const relation = await deleteRowsSql(connection, files, POSITION_DELETE_SCHEMA, POSITION_DELETE_NAMES);
  await readingDeletes(connection, files, async () => {
    const paths = await checkedPaths(connection, relation, files);
    const wanted = `${table}_wanted`;
    try {
      await createWanted(connection, wanted, wantedRows(paths, dataFiles, numbered, normalize));
      await connection.run(
        [
          `INSERT INTO ${quoteIdentifier(table)} SELECT (w.number << ${POSITION_BITS}) | d.${POSITION} FROM ${relation} AS d`,
          `JOIN ${quoteIdentifier(wanted)} AS w ON d.${PATH} = w.path AND d.${DELETE_NUMBER} BETWEEN w.first AND w.last`,
          // Rows are compared in the order of their positions: keys in that order are found faster.
          `WHERE d.${POSITION} BETWEEN 0 AND ${(1n << POSITION_BITS) - 1n} ORDER BY ALL`,
        ].join(' '),
      );
    } finally {
      await connection.run(`DROP TABLE IF EXISTS ${quoteIdentifier(wanted)}`);
    }
  });
}

/** Counts the rows of delete files, which must be what their manifests say. @returns the paths that they name, as they spell them */
export async function checkedPaths(
  connection: Connection,
  relation: string,
  files: readonly OpenDeleteFile[],
): Promise<readonly string[]> {
  const counted = await connection.rows(
    [
      `SELECT ${DELETE_NUMBER}, ${PATH}, count(*), count(*) FILTER (${PATH} IS NOT NULL AND ${POSITION} IS NOT NULL)`,
      `FROM ${relation} GROUP BY GROUPING SETS ((${DELETE_NUMBER}), (${PATH}))`,
    ].join(' '),
  );
  checkCounts(
    files,
    counted.filter(([number]) => number !== null),
  );
  return counted.flatMap(([number, path]) => (number === null ? [String(path)] : []));
}

/** A delete file that lost rows would bring deleted rows back. */
function checkCounts(files: readonly OpenDeleteFile[], counted: readonly (readonly unknown[])[]): void {
  const found = new Map(counted.map(([number, , rows, complete]) => [Number(number), { rows, complete }]));
  for (const [number, { path, entry }] of files.entries()) {
    const { rows, complete } = found.get(number) ?? { rows: 0n, complete: 0n };
    if (rows !== complete) throw damaged(path, 'has rows without a path or a position');
    if (rows !== entry.file.recordCount)
      throw damaged(path, `has ${String(rows)} rows, the manifest says ${entry.file.recordCount}`);
  }
}

/** One spelling of a data file's path, with delete files that apply to it. */
interface WantedRow extends DeleteRun {
  readonly path: string;
  readonly fileNumber: bigint;
}

function wantedRows(
  paths: readonly string[],
  dataFiles: readonly PositionDeletedFile[],
  { runsOf }: NumberedDeletes,
  normalize: (location: string) => string,
): readonly WantedRow[] {
  const byLocation = new Map(dataFiles.map((file) => [file.location, file]));
  return paths.flatMap((path) => {
    const file = byLocation.get(normalize(path));
    return file === undefined ? [] : runsOf(file.deletes).map((run) => ({ ...run, path, fileNumber: file.fileNumber }));
  });
}

async function createWanted(connection: Connection, table: string, rows: readonly WantedRow[]): Promise<void> {
  await connection.run(
    `CREATE TEMP TABLE ${quoteIdentifier(table)} (path VARCHAR, number BIGINT, first BIGINT, last BIGINT)`,
  );
  await appending(connection, table, (appender) => {
    for (const { path, fileNumber, first, last } of rows) {
      appender.appendVarchar(path);
      for (const number of [fileNumber, BigInt(first), BigInt(last)]) appender.appendBigInt(number);
      appender.endRow();
    }
  });
}

function damaged(path: string, problem: string): MoraineError {
  return new MoraineError('DELETE_FILE_CORRUPT', `A delete file is damaged: ${path} ${problem}.`, {
    details: { path },
  });
}

/** A vector with the number of its data file. */
export interface NumberedVector extends VectorToRead {
  readonly fileNumber: bigint;
}

/** Adds the positions of deletion vectors. @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file */
export async function addVectors(
  connection: Connection,
  table: string,
  vectors: readonly NumberedVector[],
): Promise<void> {
  const byFile = new Map<string, NumberedVector[]>();
  for (const vector of vectors) byFile.set(vector.path, [...(byFile.get(vector.path) ?? []), vector]);
  await appending(connection, table, async (appender) => {
    for (const [path, ofFile] of byFile) {
      await readVectors(path, ofFile, async ({ fileNumber }, containers) => {
        for (const container of containers) appendContainer(appender, fileNumber, container);
        appender.flushSync();
        // Appending is synchronous: other work gets its turn between vectors.
        await new Promise((resolve) => setImmediate(resolve));
        connection.throwIfAborted();
      });
    }
  });
}

export type Appender = Awaited<ReturnType<Connection['duckdb']['createAppender']>>;

export async function appending(
  connection: Connection,
  table: string,
  work: (appender: Appender) => void | Promise<void>,
): Promise<void> {
  const appender = await connection.duckdb.createAppender(table).catch((error: unknown) => {
    throw classifyDuckDbError(error);
  });
  try {
    await work(appender);
  } finally {
    appender.closeSync();
  }
}

/** Writes keys as two halves: a position inside a container changes only the lowest sixteen bits. */
function appendContainer(appender: Appender, fileNumber: bigint, { base, values }: PositionContainer): void {
  if (base >> POSITION_BITS !== 0n) return;
  const key = (fileNumber << POSITION_BITS) | base;
  const [low, high] = [Number(key & 0xffff_ffffn), Number(key >> 32n)];
  for (let start = 0; start < values.length; start += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, values.length - start);
    const halves = new Uint32Array(2 * count);
    for (let index = 0; index < count; index++) {
      halves[2 * index] = low | (values[start + index] as number);
      halves[2 * index + 1] = high;
    }
    const chunk = duckdb.api.DuckDBDataChunk.create([duckdb.api.BIGINT], count);
    const vector = duckdb.bindings.data_chunk_get_vector(chunk.chunk, 0);
    duckdb.bindings.copy_data_to_vector(vector, 0, halves.buffer, 0, halves.byteLength);
    appender.appendDataChunk(chunk);
  }
}
