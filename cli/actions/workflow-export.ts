import { writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { onProjectRun } from '../../client/index.js';
import { MoraineError } from '../../errors/index.js';
import { makeFolders } from '../../processes/index.js';
import { exportHistory } from '../../testing/index.js';
import { type CommandContext, serverOptions, withProject } from '../context.js';

interface WorkflowExportOptions {
  readonly runId?: string;
  readonly out?: string;
}

/** Writes a run's history in Temporal's own JSON, which the web UI and the `temporal` command read and write too. */
export async function workflowExport(
  context: CommandContext,
  operands: readonly string[],
  options: WorkflowExportOptions,
): Promise<void> {
  const history = await withProject(context, (project) =>
    onProjectRun(
      project,
      operands[0] ?? '',
      ({ client }, id) => exportHistory(client, id, options.runId),
      serverOptions(context),
    ),
  );
  if (options.out === undefined) await context.stdout.write(history);
  else await writeNewFile(resolve(options.out), history);
}

async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await makeFolders(dirname(path));
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const message = exists ? `${path} exists already` : `cannot write ${path}: ${(error as Error).message}`;
    throw new MoraineError(exists ? 'FILE_ALREADY_EXISTS' : 'STORAGE_UNAVAILABLE', message, { cause: error });
  }
}
