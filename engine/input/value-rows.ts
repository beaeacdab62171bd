/** Rows from memory as a temporary table, nothing rounded. */
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { duckdb } from '../duckdb.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import { duckDbValue, type PlainValue } from '../sql/plain-value.js';
import { sqlType } from '../sql/sql-type.js';

/** Rows of a chunk, between which other work gets its turn: as many as one of DuckDB's vectors has. */
const CHUNK_ROWS = 2048;

/**
 * Makes the temporary table `name` with columns `c0..` of the types and appends the rows, a column of a chunk at a time.
 * @param rows values in the order of the types, each of its type
 */
export async function loadRows(
  connection: Connection,
  name: string,
  types: readonly IcebergType[],
  rows: Iterable<readonly PlainValue[]>,
): Promise<void> {
  const definitions = types.map((type, index) => `c${index} ${sqlType(type)}`);
  await connection.run(`CREATE TEMPORARY TABLE ${name} (${definitions.join(', ')})`);
  const appender = await connection.duckdb.createAppender(name).catch((error: unknown) => {
    throw classifyDuckDbError(error);
  });
  const stored = types.map((_, index) => appender.columnType(index));
  const append = (some: readonly (readonly PlainValue[])[]): void => {
    const chunk = duckdb.api.DuckDBDataChunk.create(stored, some.length);
    for (const [index, type] of types.entries())
      chunk.setColumnValues(
        index,
        some.map((row) => duckDbValue(type, row[index] ?? null)),
      );
    appender.appendDataChunk(chunk);
  };
  try {
    let some: (readonly PlainValue[])[] = [];
    for (const row of rows) {
      if (some.push(row) < CHUNK_ROWS) continue;
      append(some);
      some = [];
      await new Promise((resolve) => setImmediate(resolve));
      connection.throwIfAborted();
    }
    if (some.length > 0) append(some);
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}
