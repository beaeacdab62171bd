import { sinkFiles } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { inputPath } from '../options/input-path.js';
import { printable } from '../output/output.js';

interface SinkRunOptions {
  readonly name?: string;
  readonly batchSize?: number;
  readonly batchInterval?: number;
  readonly json?: boolean;
}

const MS_PER_S = 1_000;

/** Writes the records of files into a table, from where an earlier run has ended. */
export async function sinkRun(
  context: CommandContext,
  operands: readonly string[],
  { name, batchSize, batchInterval, json }: SinkRunOptions,
): Promise<void> {
  const [table = '', ...paths] = operands;
  const inputs = await Promise.all(paths.map(inputPath));
  await withProject(
    context,
    async (project) => {
      let rows = 0n;
      const result = await sinkFiles(
        project,
        table,
        inputs.map(({ file }) => file),
        {
          ...{ name, batchSize, signal: context.signal },
          batchIntervalMs: batchInterval === undefined ? undefined : batchInterval * MS_PER_S,
          onCommit: (commit) => {
            rows += commit.rows;
            context.progress.update(`${countedText(rows, 'row')} committed`);
          },
        },
      );
      context.progress.clear();
      const files = result.files.map(({ position }, index) => ({ file: paths[index] ?? '', position }));
      if (json === true) {
        await printJson(context, {
          ...{ table, ...result, rows: Number(result.rows) },
          files: files.map(({ file, position }) => ({ file, position: Number(position) })),
        });
        return;
      }
      const { snapshotId, commits, isInterrupted } = result;
      await context.stdout.write(
        snapshotId === null
          ? `${printable(table)}: nothing new.\n`
          : `${printable(table)}: wrote ${countedText(result.rows, 'row')} in ${countedText(commits, 'commit')}, snapshot ${snapshotId}.\n`,
      );
      for (const { file, position } of files)
        await context.stdout.write(`${printable(file)}: written up to byte ${position}.\n`);
      if (isInterrupted) context.note('It was interrupted: run the command again to go on from there.');
    },
    { fileFolders: inputs.map(({ folder }) => folder) },
  );
}
