import {
  hasConfiguredServer,
  type MaterializeRequest,
  type MaterializeResult,
  materialize as materializeView,
  type RunProgress,
  type StartedRun,
  startMaterialize,
} from '../../client/index.js';
import { countedText, countText } from '../../errors/index.js';
import { unlessAborted } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import type { EngineType } from '../../reduction/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface MaterializeOptions {
  readonly start?: string;
  readonly end?: string;
  readonly shards?: number;
  readonly engine?: EngineType;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** Brings a view's online table up to date. On a configured server it waits only with `--wait`. */
export async function materialize(
  context: CommandContext,
  operands: readonly string[],
  options: MaterializeOptions,
): Promise<void> {
  const { start, end, shards, engine } = options;
  const request = {
    view: operands[0] ?? '',
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(shards === undefined ? {} : { shards }),
    ...(engine === undefined ? {} : { engine }),
  };
  await withProject(context, async (project) => {
    const { value, text } = await runMaterialization(context, project, request, options.wait);
    if (options.json === true) await printJson(context, value);
    else await context.stdout.write(text);
  });
}

/**
 * Starts a run on the configured server, or runs it to its end where there is none or it is to be waited for.
 *
 * @returns what to print of it, for machines and for people
 */
export async function runMaterialization(
  context: CommandContext,
  project: Project,
  request: MaterializeRequest,
  wait = false,
): Promise<{ readonly value: MaterializeResult | StartedRun; readonly text: string }> {
  if (!wait && (await hasConfiguredServer(project))) {
    const run = await unlessAborted(startMaterialize(project, request), context.signal);
    return { value: run, text: `Started ${printable(run.workflowId)}.\n` };
  }
  const result = await materializeView(project, request, {
    signal: context.signal,
    announce: context.note,
    onProgress: (progress) => context.progress.update(formatProgress(request.view, progress)),
  });
  context.progress.clear();
  return { value: result, text: formatResult(result) };
}

function formatProgress(view: string, progress: RunProgress): string {
  const { partsTotal = 0, partsDone = 0 } = progress;
  const parts = partsTotal > 0 ? `, ${partsDone} of ${partsTotal} parts` : '';
  const shards = progress.shardsTotal > 0 ? `, ${progress.shardsDone} of ${progress.shardsTotal} shards` : '';
  return `${view}: ${progress.step}${parts}${shards}, ${countText(progress.rowsWritten)} rows written`;
}

function formatResult({ view, kind, reason, rows, files, snapshotId }: MaterializeResult): string {
  if (kind === 'nothing' || snapshotId === null) return `${printable(view)}: nothing to do (${printable(reason)}).\n`;
  const written = `${countedText(rows, 'row')} in ${countedText(files, 'file')}`;
  return `${printable(view)}: ${kind} run (${printable(reason)}), ${written}, online snapshot ${snapshotId}.\n`;
}
