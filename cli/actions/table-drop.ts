import { dropTable } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';

/** Drops a table, with its files if asked to. */
export async function tableDrop(
  context: CommandContext,
  operands: readonly string[],
  { purge = false, json = false }: { readonly purge?: boolean; readonly json?: boolean },
): Promise<void> {
  const [name = ''] = operands;
  await withProject(context, async (project) => {
    const files = await dropTable(project, name, { purge });
    if (json) {
      await printJson(context, {
        table: name,
        purged: purge,
        deletedFiles: files?.deleted ?? null,
        keptFiles: files?.kept ?? null,
      });
      return;
    }
    await context.stdout.write(`Dropped ${printable(name)}. ${fateOf(files)}\n`);
  });
}

function fateOf(files: Awaited<ReturnType<typeof dropTable>>): string {
  if (files === null) return 'Its files stay.';
  if (files.deleted === null) return 'The catalog deletes its files.';
  const deleted = `${countedText(files.deleted, 'file')} deleted`;
  if (files.kept === 0) return `${deleted}.`;
  return `${deleted}; ${countedText(files.kept, 'file')} outside its own folders, or of other tables, stay.`;
}
