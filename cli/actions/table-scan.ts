import { writeRows } from '../../engine/index.js';
import { selectColumns } from '../../iceberg/index.js';
import type { CommandContext } from '../context.js';
import { parseColumnNames } from '../options/columns-option.js';
import { chooseSnapshot, type SnapshotOptions } from '../options/snapshot-options.js';
import { withTable } from '../options/table-argument.js';
import { parseWhere } from '../options/where-option.js';
import { noteSummary } from '../output/feature-summary.js';
import { type RowOutputOptions, rowFormat, withRowOutput } from '../output/row-output.js';
import { prepareScan } from '../scan-table.js';

interface TableScanOptions extends SnapshotOptions, RowOutputOptions {
  readonly root?: string;
  readonly columns?: string;
  readonly where?: string;
  readonly json?: boolean;
}

/** Prints the rows of a table. Every file is checked before the first row is written. */
export async function tableScan(
  context: CommandContext,
  [name = '']: readonly string[],
  options: TableScanOptions,
): Promise<void> {
  const format = rowFormat(options);
  const columns = options.columns === undefined ? undefined : parseColumnNames(options.columns);
  await withTable(context, name, options, async ({ table, project }) => {
    const { snapshot, schema } = chooseSnapshot(table.metadata, options);
    const selected = columns === undefined ? schema : selectColumns(schema, columns);
    const filter = parseWhere(options.where, schema);
    const engine = await project.engine();
    await engine.withConnection(
      async (connection) => {
        const scan = await prepareScan(connection, table, { snapshot, schema, selected, filter });
        let rows = 0n;
        await withRowOutput(context, options, async (output) => {
          try {
            rows = await writeRows(connection, scan.statement, selected, format, output);
          } catch (error) {
            throw await scan.explain(error);
          }
        });
        const { filesRead, filesSkipped } = scan;
        const snapshots = { [name]: snapshot?.snapshotId ?? null };
        noteSummary(context, options.json, { rows, snapshots, filesRead, filesSkipped });
      },
      { signal: context.signal },
    );
  });
}
