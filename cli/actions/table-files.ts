import { countText, sizeText } from '../../errors/index.js';
import { partitionPath } from '../../iceberg/index.js';
import { contentOf, fileAsJson, listFiles } from '../../tables/index.js';
import type { CommandContext } from '../context.js';
import { chooseSnapshot, type SnapshotOptions } from '../options/snapshot-options.js';
import { withTable } from '../options/table-argument.js';
import { parseWhere } from '../options/where-option.js';
import { formatColumns } from '../output/output.js';

interface TableFilesOptions extends SnapshotOptions {
  readonly root?: string;
  readonly where?: string;
  readonly json?: boolean;
}

/** Lists the data files of a snapshot, with `--where` only those that may hold matching rows, and the delete files that apply to them. */
export async function tableFiles(
  context: CommandContext,
  operands: readonly string[],
  options: TableFilesOptions,
): Promise<void> {
  await withTable(context, operands[0] ?? '', options, async ({ table }) => {
    const { snapshot, schema } = chooseSnapshot(table.metadata, options);
    const filter = parseWhere(options.where, schema);
    const { data, deletes } = await listFiles(table, {
      snapshot,
      schema,
      ...(filter === undefined ? {} : { filter }),
    });
    const files = [...data, ...deletes];
    if (options.json === true) {
      for (const file of files) await context.stdout.write(`${fileAsJson(schema, file)}\n`);
      return;
    }
    const rows = files.map(({ file, spec }) => [
      contentOf(file),
      countText(file.recordCount),
      sizeText(file.contentSizeInBytes ?? file.fileSizeInBytes),
      partitionPath(spec, schema, file.partition),
      file.filePath,
    ]);
    await context.stdout.write(
      formatColumns(['content', { number: 'rows' }, { number: 'size' }, 'partition', 'file'], rows),
    );
  });
}
