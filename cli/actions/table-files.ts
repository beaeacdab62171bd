import { partitionPath } from '../../iceberg/index.js';
import { planFiles } from '../../tables/index.js';
import type { CommandContext } from '../context.js';
import { fileAsJson } from '../file-description.js';
import { formatColumns } from '../output.js';
import { chooseSnapshot, type SnapshotOptions } from '../snapshot-options.js';
import { withTable } from '../table-argument.js';
import { parseWhere } from '../where-option.js';

interface TableFilesOptions extends SnapshotOptions {
  readonly root?: string;
  readonly where?: string;
  readonly json?: boolean;
}

/** Lists the data files of a snapshot; with `--where` only those that may hold matching rows. */
export async function tableFiles(
  context: CommandContext,
  operands: readonly string[],
  options: TableFilesOptions,
): Promise<void> {
  await withTable(context, operands[0] ?? '', options, async ({ table }) => {
    const { snapshot, schema } = chooseSnapshot(table.metadata, options);
    const filter = parseWhere(options.where, schema);
    const { files } = await planFiles(table, { snapshot, schema, ...(filter === undefined ? {} : { filter }) });
    if (options.json === true) {
      for (const file of files) await context.stdout.write(`${fileAsJson(schema, file)}\n`);
      return;
    }
    const rows = files.map(({ file, spec }) => [
      file.recordCount.toString(),
      file.fileSizeInBytes.toString(),
      partitionPath(spec, schema, file.partition),
      file.filePath,
    ]);
    await context.stdout.write(formatColumns(['rows', 'bytes', 'partition', 'file'], rows));
  });
}
