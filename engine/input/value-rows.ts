/** Rows from memory as a temporary table, value by value, nothing rounded. */
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import { duckDbValue, type PlainValue } from '../sql/plain-value.js';
import { sqlType } from '../sql/sql-type.js';

/** Rows between which other work gets its turn. */
const ROWS_AT_ONCE = 2048;

/**
 * Makes the temporary table `name` with columns `c0..` of the types and appends the rows.
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
  let count = 0;
  try {
    for (const row of rows) {
      for (const [index, type] of types.entries()) {
        const value = duckDbValue(type, row[index] ?? null);
        if (value === null) appender.appendNull();
        else appender.appendValue(value, stored[index]);
      }
      appender.endRow();
      count += 1;
      if (count % ROWS_AT_ONCE !== 0) continue;
      await new Promise((resolve) => setImmediate(resolve));
      connection.throwIfAborted();
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}
