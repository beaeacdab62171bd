import { appendFile } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { inputPath } from '../options/input-path.js';
import { printable } from '../output/output.js';

interface TableAppendOptions {
  readonly create?: boolean;
  readonly partition?: string;
  readonly json?: boolean;
}

/** Appends the rows of a file to a table in one commit. */
export async function tableAppend(
  context: CommandContext,
  operands: readonly string[],
  options: TableAppendOptions,
): Promise<void> {
  const [name = '', argument = ''] = operands;
  const { create, partition, json } = options;
  const { file, folder } = await inputPath(argument);
  await withProject(
    context,
    async (project) => {
      const result = await appendFile(project, name, file, {
        create: create === true,
        signal: context.signal,
        ...(partition === undefined ? {} : { partition }),
      });
      if (json === true) {
        await printJson(context, { table: name, ...result, rows: Number(result.rows), bytes: Number(result.bytes) });
        return;
      }
      const { created, rows, files, snapshotId } = result;
      const where = `${created ? 'Created ' : ''}${printable(name)}${created ? ' and' : ':'}`;
      await context.stdout.write(
        snapshotId === null
          ? `${where} appended nothing: ${printable(argument)} has no rows.\n`
          : `${where} appended ${countedText(rows, 'row')} in ${countedText(files, 'file')}, snapshot ${snapshotId}.\n`,
      );
    },
    { fileFolders: [folder] },
  );
}
