import {
  type CompactInput,
  type CompactProgress,
  type CompactResult,
  compact as compactTable,
  hasConfiguredServer,
  planCompact,
  startCompact,
} from '../../client/index.js';
import { parseByteSize } from '../../config/index.js';
import { countedText, countText, MoraineError, sizeText } from '../../errors/index.js';
import { unlessAborted } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { parseColumnNames } from '../options/columns-option.js';
import { printable } from '../output/output.js';

interface CompactOptions {
  readonly strategy: CompactInput['strategy'];
  readonly columns?: string;
  readonly zOrder?: boolean;
  readonly where?: string;
  readonly dropExpired?: boolean;
  readonly allowTieChange?: boolean;
  readonly targetSize?: string;
  readonly maxBytes?: string;
  readonly partialProgress?: number;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** Compacts a table. On a configured server it waits only with `--wait`; a dry run needs no server. */
export async function compact(
  context: CommandContext,
  operands: readonly string[],
  options: CompactOptions,
): Promise<void> {
  const input = inputOf(operands[0] ?? '', options);
  const { json } = options;
  await withProject(context, async (project) => {
    if (options.dryRun === true) return dryRun(context, project, input, json);
    if (options.wait !== true && (await hasConfiguredServer(project))) {
      const run = await unlessAborted(startCompact(project, input), context.signal);
      if (json === true) await printJson(context, run);
      else await context.stdout.write(`Started ${printable(run.workflowId)}.\n`);
      return;
    }
    const result = await compactTable(project, input, {
      signal: context.signal,
      announce: context.note,
      onProgress: (progress) => context.progress.update(formatProgress(input.table, progress)),
    });
    context.progress.clear();
    if (json === true) await printJson(context, result);
    else await context.stdout.write(formatResult(result));
  });
}

function inputOf(table: string, options: CompactOptions): CompactInput {
  const { strategy, columns, zOrder, where, dropExpired, allowTieChange, partialProgress } = options;
  const targetSizeBytes = bytesOf('--target-size', options.targetSize);
  const maxBytes = bytesOf('--max-bytes', options.maxBytes);
  return {
    table,
    strategy,
    ...(columns === undefined ? {} : { columns: parseColumnNames(columns) }),
    ...(zOrder === undefined ? {} : { zOrder }),
    ...(where === undefined ? {} : { where }),
    ...(dropExpired === undefined ? {} : { dropExpired }),
    ...(allowTieChange === undefined ? {} : { allowTieChange }),
    ...(targetSizeBytes === undefined ? {} : { targetSizeBytes }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(partialProgress === undefined ? {} : { partialProgress }),
  };
}

function bytesOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseByteSize(text);
  if (bytes !== undefined) return bytes;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `${option} ${JSON.stringify(text)} is not a size above zero, such as 512MB.`,
  );
}

async function dryRun(
  context: CommandContext,
  project: Project,
  input: CompactInput,
  json: boolean | undefined,
): Promise<void> {
  const { table, groups, files, rows, bytes, skipped, reason } = await planCompact(project, input);
  if (json === true) return printJson(context, { table, groups, files, rows, bytes, skipped, reason });
  for (const group of groups) {
    const partition = group.partition === '' ? '' : `${printable(group.partition)}: `;
    await context.stdout.write(
      `${partition}${countedText(group.files, 'file')} of ${sizeText(group.bytes)} would become ${group.outputs}\n`,
    );
  }
  for (const left of skipped) await context.stdout.write(formatSkipped(left));
  if (reason !== null) await context.stdout.write(`Nothing to do: ${printable(reason)}.\n`);
  await context.stdout.write(
    `${countedText(files, 'file')} in ${countedText(groups.length, 'group')}. Nothing was changed.\n`,
  );
}

function formatProgress(table: string, { step, groupsDone, groupsTotal, filesRemoved }: CompactProgress): string {
  return `${table}: ${step}, ${groupsDone} of ${groupsTotal} groups, ${countText(filesRemoved)} files replaced`;
}

function formatResult(result: CompactResult): string {
  const { table, groups, filesRemoved, filesAdded, bytesRemoved, bytesAdded, snapshotId, skipped, reason } = result;
  const left = skipped.map(formatSkipped).join('');
  if (groups === 0 || snapshotId === null)
    return `${printable(table)}: nothing to do${reason === null ? '' : ` (${printable(reason)})`}.\n${left}`;
  return `${printable(table)}: ${countedText(filesRemoved, 'file')} of ${sizeText(bytesRemoved)} became ${countText(filesAdded)} of ${sizeText(bytesAdded)}, snapshot ${snapshotId}.\n${left}`;
}

function formatSkipped({ reason, files }: CompactResult['skipped'][number]): string {
  return `left ${countedText(files, 'file')}: ${printable(reason)}\n`;
}
