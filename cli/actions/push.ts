import { type PushedTable, type PushRequest, push } from '../../client/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { inputPath } from '../options/input-path.js';
import { printable } from '../output/output.js';
import { writeOutcomeText } from '../output/write-outcome.js';

interface PushOptions {
  readonly to: NonNullable<PushRequest['to']>;
  readonly key?: string;
  readonly json?: boolean;
}

/** Pushes the rows of a file to the views of a push source. */
export async function pushFile(
  context: CommandContext,
  operands: readonly string[],
  { to, key, json }: PushOptions,
): Promise<void> {
  const [source = '', argument = ''] = operands;
  const { file, folder } = await inputPath(argument);
  await withProject(
    context,
    async (project) => {
      const request = { source, rows: { file }, to, signal: context.signal, ...(key === undefined ? {} : { key }) };
      const { tables, views } = await push(project, request);
      if (json === true) {
        await printJson(context, { source, to, tables: tables.map(asJson), views: views.map(asJson) });
        return;
      }
      const lines = [
        ...tables.map((table) => `table ${printable(table.table)}: ${writeOutcomeText(table, 'there are no rows')}.\n`),
        ...views.map(
          (view) => `feature view ${printable(view.view)}: ${writeOutcomeText(view, 'there are no rows')}.\n`,
        ),
      ];
      await context.stdout.write(lines.join(''));
    },
    { fileFolders: [folder] },
  );
}

type Written = Omit<PushedTable, 'table'>;

function asJson<Result extends Written>(result: Result): object {
  return { ...result, rows: Number(result.rows), bytes: Number(result.bytes) };
}
