import { resolve } from 'node:path';
import {
  hasConfiguredServer,
  type MaintainProgress,
  type MaintainResult,
  maintain as maintainTable,
  planMaintain,
  startMaintain,
} from '../../client/index.js';
import { countedText, countText, MoraineError, sizeText } from '../../errors/index.js';
import { isStoreLocation } from '../../locations/index.js';
import type { FileVerdict } from '../../maintenance/index.js';
import { unlessAborted } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, throwIfCancelled, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface MaintainOptions {
  readonly dryRun?: boolean;
  readonly why?: string;
  readonly olderThan?: string;
  readonly retainLast?: number;
  readonly orphansOlderThan?: string;
  readonly allowYoung?: boolean;
  readonly deleteOutside?: boolean;
  readonly metadataVersions?: number;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** Maintains a table. On a configured server it waits only with `--wait`; a dry run needs no server. */
export async function maintain(
  context: CommandContext,
  operands: readonly string[],
  options: MaintainOptions,
): Promise<void> {
  const table = operands[0] ?? '';
  if (options.why !== undefined && options.dryRun !== true) {
    throw new MoraineError('INVALID_ARGUMENT', '--why goes with --dry-run');
  }
  const { olderThan, retainLast, orphansOlderThan, allowYoung, deleteOutside, metadataVersions, json } = options;
  const input = {
    table,
    ...(olderThan === undefined ? {} : { olderThan }),
    ...(retainLast === undefined ? {} : { retainLast }),
    ...(orphansOlderThan === undefined ? {} : { orphansOlderThan }),
    ...(allowYoung === undefined ? {} : { allowYoung }),
    ...(deleteOutside === undefined ? {} : { deleteOutside }),
    ...(metadataVersions === undefined ? {} : { metadataVersions }),
  };
  await withProject(context, async (project) => {
    if (options.dryRun === true) return dryRun(context, project, input, options);
    if (options.wait !== true && (await hasConfiguredServer(project))) {
      const run = await unlessAborted(startMaintain(project, input), context.signal);
      if (json === true) await printJson(context, run);
      else await context.stdout.write(`Started ${printable(run.workflowId)}.\n`);
      return;
    }
    const result = await maintainTable(project, input, {
      signal: context.signal,
      announce: context.note,
      onProgress: (progress) => context.progress.update(formatProgress(table, progress)),
    });
    context.progress.clear();
    if (json === true) await printJson(context, result);
    else await context.stdout.write(formatResult(result));
  });
}

/** Lists the files that would go; with `--json` all, with `--why` one. */
async function dryRun(
  context: CommandContext,
  project: Project,
  input: Parameters<typeof planMaintain>[1],
  { why, json }: MaintainOptions,
): Promise<void> {
  const asked =
    why === undefined
      ? undefined
      : await project.io.canonical(isStoreLocation(why) ? why : resolve(why.replace(/^file:(\/\/)?/, '')));
  const { snapshotIds, refs, kept: stay, files, fileOwner } = await planMaintain(project, input);
  let [deleted, bytes, kept, found] = [0, 0n, 0, false];
  for await (const file of files) {
    throwIfCancelled(context);
    if (file.action === 'keep') kept += 1;
    else [deleted, bytes] = [deleted + 1, bytes + BigInt(file.sizeBytes)];
    if (asked === file.path) found = true;
    if (asked === undefined ? json === true || file.action === 'delete' : asked === file.path) {
      await context.stdout.write(json === true ? `${JSON.stringify(file)}\n` : formatFile(file));
    }
  }
  if (asked !== undefined && !found) {
    throw new MoraineError(
      'FILE_NOT_FOUND',
      `There is no file ${JSON.stringify(why)} in the folder of table ${input.table}.`,
    );
  }
  if (asked !== undefined || json === true) return;
  if (fileOwner !== undefined) {
    await context.stdout.write(`${printable(input.table)}: snapshots and files are left to ${printable(fileOwner)}.\n`);
    return;
  }
  const gone = refs.length === 0 ? '' : `, branches and tags: ${refs.map(printable).join(', ')}`;
  await context.stdout.write(
    `Would expire ${countText(snapshotIds.length)} of ${countedText(snapshotIds.length + stay.size, 'snapshot')}${gone}; ` +
      `delete ${countedText(deleted, 'file')} (${sizeText(bytes)}) and keep ${countText(kept)}. Nothing was changed.\n`,
  );
}

function formatFile({ action, path, sizeBytes, reason }: FileVerdict): string {
  return `${action.padEnd(6)}  ${sizeText(sizeBytes).padStart(8)}  ${printable(path)}  (${printable(reason)})\n`;
}

function formatProgress(table: string, { step, expiredSnapshots, deletedFiles }: MaintainProgress): string {
  return `${table}: ${step}, ${countText(expiredSnapshots)} snapshots expired, ${countText(deletedFiles)} files deleted`;
}

function formatResult(result: MaintainResult): string {
  const { table, unreadable, reason, fileOwner } = result;
  const lines = [
    `${printable(table)}: ${reason === null ? changesText(result) : `nothing to do (${printable(reason)})`}.`,
    ...(fileOwner === undefined || reason !== null ? [] : [`snapshots and files are left to ${printable(fileOwner)}`]),
    ...unreadable.map((path) => `left what ${printable(path)} lists to the removal of orphans: it cannot be read`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function changesText(result: MaintainResult): string {
  const { expiredSnapshots, expiredFiles, orphanFiles, orphanBytes, droppedDeletes } = result;
  const { metadataFiles, manifestsBefore, manifestsAfter } = result;
  return [
    `${countedText(expiredSnapshots, 'snapshot')} expired with ${countedText(expiredFiles, 'file')}`,
    `${countedText(orphanFiles, 'orphan')} removed (${sizeText(orphanBytes)})`,
    ...(metadataFiles === 0 ? [] : [`${countedText(metadataFiles, 'metadata file')} dropped from the log`]),
    `${countedText(droppedDeletes, 'dangling delete file')} dropped`,
    `${countedText(manifestsBefore, 'manifest')} became ${countText(manifestsAfter)}`,
  ].join(', ');
}
