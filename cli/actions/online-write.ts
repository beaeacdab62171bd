import { onlineWriteBatch } from '../../client/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { inputPath } from '../options/input-path.js';
import { printable } from '../output/output.js';
import { writeOutcomeText } from '../output/write-outcome.js';

interface OnlineWriteOptions {
  readonly key?: string;
  readonly fromSource?: boolean;
  readonly json?: boolean;
}

/** Writes the rows of a file into an online table, in one commit. */
export async function onlineWrite(
  context: CommandContext,
  operands: readonly string[],
  { key, fromSource, json }: OnlineWriteOptions,
): Promise<void> {
  const [view = '', argument = ''] = operands;
  const { file, folder } = await inputPath(argument);
  await withProject(
    context,
    async (project) => {
      const result = await onlineWriteBatch(project, {
        view,
        rows: { file },
        pushed: fromSource !== true,
        signal: context.signal,
        ...(key === undefined ? {} : { key }),
      });
      if (json === true) {
        await printJson(context, { ...result, rows: Number(result.rows), bytes: Number(result.bytes) });
        return;
      }
      await context.stdout.write(
        `${printable(view)}: ${writeOutcomeText(result, `${printable(argument)} has no rows`)}.\n`,
      );
    },
    { fileFolders: [folder] },
  );
}
