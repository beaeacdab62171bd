/** The live rows of a dead-letter table. */
import { type Connection, readableScanSql } from '../../engine/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { openScan, type PinnedSource, planSource } from '../../scans/index.js';
import type { ScanPlan, Table } from '../../tables/index.js';

const sourceOf = (table: Table): PinnedSource => {
  return { table, snapshot: currentSnapshot(table.metadata), schema: currentSchema(table.metadata) };
};

/** All files of the table. */
export const planDeadLetters = (table: Table): Promise<ScanPlan> => planSource(sourceOf(table));

/** What stands after FROM for the rows of planned files, of which there has to be one: every column by its name, and `moraine_file`, the number of the file in the plan. */
export async function deadLetterRowsSql(connection: Connection, table: Table, plan: ScanPlan): Promise<string> {
  const source = sourceOf(table);
  const { scan } = await openScan(connection, source, plan);
  return await readableScanSql(connection, { ...scan, schema: source.schema, extras: { fileNumber: 'moraine_file' } });
}
