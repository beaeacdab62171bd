import { deleteTableRows } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface TableDeleteOptions {
  readonly where: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Deletes the rows of a table for which an expression is true. */
export async function tableDelete(
  context: CommandContext,
  operands: readonly string[],
  { where, dryRun = false, json = false }: TableDeleteOptions,
): Promise<void> {
  const [name = ''] = operands;
  await withProject(context, async (project) => {
    const deleted = await deleteTableRows(project, name, where, { dryRun, signal: context.signal });
    const { rows, files, filesRemoved, snapshotId } = deleted;
    if (json) {
      await printJson(context, { table: name, dryRun, rows: Number(rows), files, filesRemoved, snapshotId });
      return;
    }
    const what = `${countedText(rows, 'row')} in ${countedText(files, 'file')}`;
    const snapshot = snapshotId === null ? '' : `, snapshot ${snapshotId}`;
    const said = dryRun ? `would delete ${what}` : rows === 0n ? 'no row matches' : `deleted ${what}${snapshot}`;
    await context.stdout.write(`${printable(name)}: ${said}.\n`);
  });
}
