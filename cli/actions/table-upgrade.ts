import { upgradeTable } from '../../client/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface TableUpgradeOptions {
  readonly to: string;
  readonly json?: boolean;
}

/** Raises the format version of a table. */
export async function tableUpgrade(
  context: CommandContext,
  operands: readonly string[],
  options: TableUpgradeOptions,
): Promise<void> {
  const [name = ''] = operands;
  await withProject(context, async (project) => {
    const { from, to } = await upgradeTable(project, name, options.to === '3' ? 3 : 2);
    if (options.json === true) {
      await printJson(context, { table: name, from, to });
      return;
    }
    const said = from === to ? `has format version ${to} already` : `upgraded from format version ${from} to ${to}`;
    await context.stdout.write(`${printable(name)}: ${said}.\n`);
  });
}
