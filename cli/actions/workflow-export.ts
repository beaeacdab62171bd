import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { MoraineError } from '../../errors/index.js';
import { type CommandContext, withProject } from '../context.js';
import { withTemporal } from '../temporal-connection.js';

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
  const workflowId = operands[0] ?? '';
  const history = await withProject(context, (project) =>
    withTemporal(context, project, async ({ client }) => {
      const handle = client.workflow.getHandle(workflowId, options.runId);
      const fetched = await handle.fetchHistory().catch((error: unknown) => {
        throw notFound(workflowId, options.runId, error);
      });
      return historyToJSON(fetched);
    }),
  );
  const text = `${JSON.stringify(history, undefined, 2)}\n`;
  if (options.out === undefined) await context.stdout.write(text);
  else await writeNewFile(resolve(options.out), text);
}

function notFound(workflowId: string, runId: string | undefined, error: unknown): unknown {
  if (!(error instanceof WorkflowNotFoundError)) return error;
  const run = runId === undefined ? '' : ` with a run ${runId}`;
  return new MoraineError(
    'WORKFLOW_NOT_FOUND',
    `there is no workflow ${JSON.stringify(workflowId)}${run} on the server`,
    {
      details: { workflowId },
      cause: error,
    },
  );
}

async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const message = exists ? `${path} exists already` : `cannot write ${path}: ${(error as Error).message}`;
    throw new MoraineError(exists ? 'FILE_ALREADY_EXISTS' : 'STORAGE_UNAVAILABLE', message, { cause: error });
  }
}
