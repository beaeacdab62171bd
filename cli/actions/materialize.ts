import {
  hasConfiguredServer,
  type MaterializeResult,
  materialize as materializeView,
  type RunProgress,
  startMaterialize,
} from '../../client/index.js';
import { counted } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output.js';

interface MaterializeOptions {
  readonly start?: string;
  readonly end?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** Brings a view's online table up to date. On a configured server it waits only with `--wait`. */
export async function materialize(
  context: CommandContext,
  operands: readonly string[],
  options: MaterializeOptions,
): Promise<void> {
  const { start, end, json } = options;
  const request = {
    view: operands[0] ?? '',
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
  };
  await withProject(context, async (project) => {
    if (options.wait !== true && (await hasConfiguredServer(project))) {
      const run = await startMaterialize(project, request);
      if (json === true) await printJson(context, run);
      else await context.stdout.write(`Started ${printable(run.workflowId)}.\n`);
      return;
    }
    const result = await materializeView(project, request, {
      signal: context.signal,
      announce: context.note,
      onProgress: (progress) => context.progress.update(formatProgress(request.view, progress)),
    });
    context.progress.clear();
    if (json === true) await printJson(context, result);
    else await context.stdout.write(formatResult(result));
  });
}

function formatProgress(view: string, progress: RunProgress): string {
  const shards = progress.shardsTotal > 0 ? `, ${progress.shardsDone} of ${progress.shardsTotal} shards` : '';
  return `${view}: ${progress.step}${shards}, ${progress.rowsWritten} rows written`;
}

function formatResult({ view, kind, reason, rows, files, snapshotId }: MaterializeResult): string {
  if (kind === 'nothing' || snapshotId === null) return `${printable(view)}: nothing to do (${printable(reason)}).\n`;
  const written = `${counted(rows, 'row')} in ${counted(files, 'file')}`;
  return `${printable(view)}: ${kind} run (${printable(reason)}), ${written}, online snapshot ${snapshotId}.\n`;
}
