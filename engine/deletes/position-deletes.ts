/** Deleted positions in one temporary table: from position-delete files and from deletion vectors. */
import duckdb from '@duckdb/node-bindings';
import { MoraineError } from '../../errors/index.js';
import {
  DELETE_FILE_PATH_ID,
  DELETE_POSITION_ID,
  type NameMapping,
  type PositionContainer,
  type Schema,
} from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { BIGINT, DuckDBDataChunk } from '../duckdb.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import { columnAlias } from '../scan/column-default.js';
import { quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { DELETE_FILE, deleteRowsSql, type OpenDeleteFile, readingDeletes } from './delete-file-scan.js';
import { POSITION_BITS } from './scan-deletes.js';
import { readVectors, type VectorToRead } from './vector-file.js';

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: DELETE_FILE_PATH_ID, name: 'file_path', required: true, type: { kind: 'string' } },
    { id: DELETE_POSITION_ID, name: 'pos', required: true, type: { kind: 'long' } },
  ],
};
const NAMES: NameMapping = new Map(SCHEMA.fields.map(({ id, name }) => [id, [name]]));
const PATH = columnAlias(DELETE_FILE_PATH_ID);
const POSITION = columnAlias(DELETE_POSITION_ID);
const CHUNK_ROWS = 2048;
const ROWS_PER_STATEMENT = 1000;

/** Which data files a position-delete file may take rows from: their numbers by the one spelling of their locations. */
export type FileNumbers = ReadonlyMap<string, bigint>;

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

/**
 * Adds what position-delete files say of the given data files; what they say of others is dropped.
 * @param applies the delete files, each with the data files that it applies to
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file
 */
export async function addPositionDeletes(
  connection: Connection,
  table: string,
  applies: ReadonlyMap<OpenDeleteFile, FileNumbers>,
  normalize: (location: string) => string,
): Promise<void> {
  if (applies.size === 0) return;
  const files = [...applies.keys()];
  const relation = await deleteRowsSql(connection, files, SCHEMA, NAMES);
  await readingDeletes(connection, files, async () => {
    const counted = await connection.rows(
      `SELECT ${DELETE_FILE}, ${PATH}, count(*), count(${POSITION}) FROM ${relation} GROUP BY ALL`,
    );
    checkCounts(files, counted);
    const byPath = new Map([...applies].map(([{ path }, numbers]) => [path, numbers]));
    const wanted = counted.flatMap(([deleteFile, path]) => {
      const number = byPath.get(String(deleteFile))?.get(normalize(String(path)));
      return number === undefined
        ? []
        : [`(${quoteLiteral(String(deleteFile))}, ${quoteLiteral(String(path))}, ${number})`];
    });
    for (let start = 0; start < wanted.length; start += ROWS_PER_STATEMENT) {
      const values = wanted.slice(start, start + ROWS_PER_STATEMENT).join(', ');
      await connection.run(
        [
          `INSERT INTO ${quoteIdentifier(table)} SELECT (w.number::BIGINT << ${POSITION_BITS}) | d.${POSITION} FROM ${relation} AS d`,
          `JOIN (VALUES ${values}) AS w(delete_file, path, number) ON d.${DELETE_FILE} = w.delete_file AND d.${PATH} = w.path`,
          // Rows are compared in the order of their positions: keys in that order are found faster.
          `WHERE d.${POSITION} BETWEEN 0 AND ${(1n << POSITION_BITS) - 1n} ORDER BY ALL`,
        ].join(' '),
      );
    }
  });
}

/** A delete file that lost rows would bring deleted rows back. */
function checkCounts(files: readonly OpenDeleteFile[], counted: readonly (readonly unknown[])[]): void {
  const found = new Map<string, bigint>();
  for (const [file, path, rows, positions] of counted) {
    if (path === null || rows !== positions) throw damaged(String(file), 'has rows without a path or a position');
    found.set(String(file), (found.get(String(file)) ?? 0n) + BigInt(String(rows)));
  }
  for (const { path, entry } of files) {
    const rows = found.get(path) ?? 0n;
    if (rows !== entry.file.recordCount)
      throw damaged(path, `has ${rows} rows, the manifest says ${entry.file.recordCount}`);
  }
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
  const appender = await connection.duckdb.createAppender(table).catch((error: unknown) => {
    throw classifyDuckDbError(error);
  });
  try {
    for (const [path, ofFile] of byFile) {
      await readVectors(path, ofFile, async ({ fileNumber }, containers) => {
        for (const container of containers) appendContainer(appender, fileNumber, container);
        appender.flushSync();
        // Appending is synchronous: other work gets its turn between vectors.
        await new Promise((resolve) => setImmediate(resolve));
        connection.throwIfAborted();
      });
    }
  } finally {
    appender.closeSync();
  }
}

type Appender = Awaited<ReturnType<Connection['duckdb']['createAppender']>>;

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
    const chunk = DuckDBDataChunk.create([BIGINT], count);
    duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(chunk.chunk, 0), 0, halves.buffer, 0, halves.byteLength);
    appender.appendDataChunk(chunk);
  }
}
