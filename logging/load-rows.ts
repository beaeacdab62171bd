/** Rows from memory as a temporary table, value by value, nothing rounded. */
import { type Connection, duckDbValue, sqlType } from '../engine/index.js';
import type { FeatureValue } from '../online/index.js';
import type { LogColumn } from './log-columns.js';

/** Makes the table `name` with columns `c0..` and appends the rows. */
export async function loadRows(
  connection: Connection,
  name: string,
  columns: readonly LogColumn[],
  rows: Iterable<readonly FeatureValue[]>,
): Promise<void> {
  const definitions = columns.map(({ type }, index) => `c${index} ${sqlType(type)}`);
  await connection.run(`CREATE TEMPORARY TABLE ${name} (${definitions.join(', ')})`);
  const appender = await connection.duckdb.createAppender(name);
  const types = columns.map((_, index) => appender.columnType(index));
  try {
    for (const row of rows) {
      for (const [index, { type }] of columns.entries()) {
        const value = duckDbValue(type, row[index] ?? null);
        if (value === null) appender.appendNull();
        else appender.appendValue(value, types[index]);
      }
      appender.endRow();
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}
