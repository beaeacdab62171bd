import { teardownOnline } from '../../client/index.js';
import { countedText, MoraineError } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface TeardownOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Drops the online tables of views; says which, and drops nothing unless it is confirmed. */
export async function onlineTeardown(
  context: CommandContext,
  views: readonly string[],
  { yes = false, dryRun = false, json = false }: TeardownOptions,
): Promise<void> {
  await withProject(context, async (project) => {
    const isDropped = yes && !dryRun;
    const { tables } = await teardownOnline(project, { dryRun: !isDropped, ...(views.length === 0 ? {} : { views }) });
    if (!isDropped && !dryRun && tables.length > 0) {
      const message = `This would drop ${countedText(tables.length, 'online table')} with their files: ${tables.join(', ')}. Repeat it with --yes to drop them.`;
      throw new MoraineError('INVALID_ARGUMENT', message, { details: { tables } });
    }
    if (json) {
      await printJson(context, { dropped: isDropped, tables });
      return;
    }
    const lines = tables.map((table) => `- online table ${printable(table)}, with its files\n`).join('');
    const sum = isDropped ? `Dropped ${countedText(tables.length, 'online table')}.` : 'Nothing was dropped.';
    await context.stdout.write(`${lines}${tables.length === 0 ? 'There are no online tables.' : sum}\n`);
  });
}
