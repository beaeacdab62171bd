/** A file beyond the size that a table asks for becomes several. The engine cuts files at a size only where rows are not partitioned, and there only between row groups. */
import { rm } from 'node:fs/promises';
import type { DuckDBValue } from '@duckdb/node-api';
import type { Connection } from '../connection.js';
import { parquetReader } from '../scan/file-readers.js';
import { quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';

/** Files of fewer bytes are hardly more than their footers. */
const MIN_FILE_BYTES = 1 << 16;

/** A file may be so many times as large as the table asks for: to write it once more costs more than it gains. */
const TOLERANCE = 1.5;

/** A file as a statement with `RETURN_STATS` reported it. */
interface SizedFile {
  readonly path: string;
  readonly rows: bigint;
  readonly bytes: bigint;
}

/** A part of such a file, as a file of its own. */
export interface FilePart {
  readonly path: string;
  readonly rows: bigint;
  readonly bytes: bigint;
  readonly statistics: DuckDBValue;
}

/** @returns of how many files of equal numbers of rows the file should be: 1 leaves it as it is */
export function partsOf({ rows, bytes }: SizedFile, targetFileBytes: number): number {
  const target = Math.max(MIN_FILE_BYTES, targetFileBytes);
  if (Number(bytes) <= TOLERANCE * target) return 1;
  return Math.max(1, Math.min(Number(rows), Math.ceil(Number(bytes) / target)));
}

/**
 * Writes a file's rows as so many files, nearly in their order, and deletes it.
 * @param columns names of the file's columns
 * @param options of the statement: format, field ids and statistics
 */
export async function splitFile(
  connection: Connection,
  file: SizedFile,
  parts: number,
  columns: readonly string[],
  options: readonly string[],
): Promise<readonly FilePart[]> {
  const [place, part] = [freeName('place', columns), freeName('part', columns)].map(quoteIdentifier);
  const names = columns.map(quoteIdentifier).join(', ');
  const rowsOfPart = Math.ceil(Number(file.rows) / parts);
  // The streaming `row_number` makes one thread read the rows: with more, each would have a file of each part.
  const numbered = `SELECT *, row_number() OVER () AS ${place} FROM ${parquetReader([file.path])}`;
  const select = `SELECT ${names}, ((${place} - 1) // ${rowsOfPart})::BIGINT AS ${part} FROM (${numbered})`;
  const folder = quoteLiteral(`${file.path}.parts`);
  const copy = `COPY (${select}) TO ${folder} (${[...options, `PARTITION_BY (${part})`].join(', ')})`;
  const results = await connection.rowsInBackground(copy);
  await rm(file.path);
  return results.map((row) => ({
    path: String(row[0]),
    rows: row[1] as bigint,
    bytes: row[2] as bigint,
    statistics: row[4] ?? null,
  }));
}

function freeName(name: string, columns: readonly string[]): string {
  const taken = new Set(columns.map((column) => column.toLowerCase()));
  let free = name;
  while (taken.has(free)) free = `_${free}`;
  return free;
}
