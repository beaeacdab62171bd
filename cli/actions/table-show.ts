import { type CommandContext, printJson } from '../context.js';
import { withTable } from '../options/table-argument.js';
import { describeTable, formatTable } from '../output/table-description.js';

/** Shows a table's schema, partitioning, properties and current snapshot. */
export async function tableShow(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly root?: string; readonly json?: boolean },
): Promise<void> {
  await withTable(context, operands[0] ?? '', options, async ({ table }) => {
    if (options.json === true) await printJson(context, describeTable(table));
    else await context.stdout.write(formatTable(table));
  });
}
