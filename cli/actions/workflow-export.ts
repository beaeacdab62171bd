import { writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { MoraineError } from '../../errors/index.js';
import { makeFolders } from '../../processes/index.js';
import { ownRunId } from '../../runs/index.js';
import { exportHistory } from '../../testing/index.js';
import { type CommandContext, withProject } from '../context.js';
import { runPlace, withTemporal } from '../temporal-connection.js';

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
    withTemporal(context, project, async ({ client }) => {
      const id = await ownRunId(client, await runPlace(project), operands[0] ?? '');
      return exportHistory(client, id, options.runId);
    }),
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
