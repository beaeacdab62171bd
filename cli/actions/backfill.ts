import { readFile, writeFile } from 'node:fs/promises';
import { type BackfillPlan, parseBackfillPlan, planSubject, planSummary, planToText } from '../../backfill/index.js';
import {
  type BackfillProgress,
  type BackfillRequest,
  type BackfillResult,
  backfill as backfillView,
  hasConfiguredServer,
  planBackfillOf,
  startBackfill,
} from '../../client/index.js';
import { countedText, countText, durationText, MoraineError, sizeText } from '../../errors/index.js';
import { unlessAborted } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import type { EngineType } from '../../reduction/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { type TrainingSetOptions, trainingSetOption } from '../options/training-set-option.js';
import { printable } from '../output/output.js';

interface BackfillOptions extends TrainingSetOptions {
  readonly start?: string;
  readonly end?: string;
  readonly step?: string;
  readonly newestFirst?: boolean;
  readonly concurrency?: number;
  readonly windowsPerCommit?: number;
  readonly engine?: EngineType;
  readonly dryRun?: boolean;
  readonly plan?: string;
  readonly apply?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** Backfills a view or a training set, or only plans to. On a configured server it waits only with `--wait`. */
export async function backfill(
  context: CommandContext,
  operands: readonly string[],
  options: BackfillOptions,
): Promise<void> {
  const asked = await requestOf(operands[0], options);
  await withProject(context, async (project) => {
    const trainingSet = await trainingSetOption(project, options);
    const request = trainingSet === undefined ? asked : ofTrainingSet(asked, trainingSet);
    if (options.dryRun === true || options.plan !== undefined) return showPlan(context, project, request, options);
    if (options.wait !== true && (await hasConfiguredServer(project))) {
      const run = await unlessAborted(startBackfill(project, request), context.signal);
      if (options.json === true) await printJson(context, run);
      else await context.stdout.write(`Started ${printable(run.workflowId)}.\n`);
      return;
    }
    const result = await backfillView(project, request, {
      signal: context.signal,
      announce: context.note,
      onProgress: (progress) => context.progress.update(formatProgress(progress)),
    });
    context.progress.clear();
    if (options.json === true) await printJson(context, result);
    else await context.stdout.write(formatResult(result));
  });
}

/** What an engine is asked for belongs to the training set. */
function ofTrainingSet(
  { engine, ...asked }: BackfillRequest,
  trainingSet: NonNullable<BackfillRequest['trainingSet']>,
): BackfillRequest {
  return { ...asked, trainingSet: { ...trainingSet, ...(engine === undefined ? {} : { engine }) } };
}

async function requestOf(view: string | undefined, options: BackfillOptions): Promise<BackfillRequest> {
  const { start, end, step, newestFirst, apply } = options;
  const range = {
    ...(view === undefined ? {} : { view }),
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(step === undefined ? {} : { step }),
    ...(newestFirst === undefined ? {} : { newestFirst }),
  };
  const settings = {
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    ...(options.windowsPerCommit === undefined ? {} : { windowsPerCommit: options.windowsPerCommit }),
    ...(options.engine === undefined ? {} : { engine: options.engine }),
  };
  if (apply === undefined) {
    requireRange(view ?? options.trainingSet, options);
    return { ...range, ...settings };
  }
  if (Object.keys(range).length > 0 || options.trainingSet !== undefined) {
    throw new MoraineError('INVALID_ARGUMENT', '--apply names what is filled and the range itself: leave them out.');
  }
  return { plan: await readPlanFile(apply), ...settings };
}

function requireRange(subject: string | undefined, { start, end, step }: BackfillOptions): void {
  const needed = { 'a view (or --training-set)': subject, '--start': start, '--end': end, '--step': step };
  const missing = Object.entries(needed).flatMap(([name, given]) => (given === undefined ? [name] : []));
  if (missing.length === 0) return;
  const message = `${missing.join(', ')} must be given; or --apply with the file of a plan.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}

async function readPlanFile(file: string): Promise<BackfillPlan> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MoraineError('INPUT_UNREADABLE', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  });
  return parseBackfillPlan(text, file);
}

async function showPlan(
  context: CommandContext,
  project: Project,
  request: BackfillRequest,
  { plan: file, json }: BackfillOptions,
): Promise<void> {
  const plan = await planBackfillOf(project, request);
  if (file !== undefined) await writePlanFile(file, planToText(plan));
  if (json === true) await context.stdout.write(planToText(plan));
  else await context.stdout.write(`${formatPlan(plan)}${file === undefined ? '' : `Written to ${printable(file)}.\n`}`);
}

async function writePlanFile(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch((cause: unknown) => {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    const code = exists ? 'FILE_ALREADY_EXISTS' : 'STORAGE_UNAVAILABLE';
    throw new MoraineError(code, `cannot write ${file}: ${(cause as Error).message}`, { cause });
  });
}

function formatPlan(plan: BackfillPlan): string {
  const { windows, windowsWithRows, files, rows, bytes } = planSummary(plan);
  const { wholly, partly } = plan.covered;
  const { seconds, basis } = plan.estimate;
  const lines = [
    `${printable(planSubject(plan))}: ${countedText(windows, 'window')}, ${countText(windowsWithRows)} with rows, ${plan.order}`,
    `source ${printable(plan.source.table)} at snapshot ${plan.source.snapshotId ?? 'none'}: ${countedText(files, 'file')}, about ${countedText(rows, 'row')} and ${sizeText(bytes)}`,
    `covered already: ${countedText(wholly, 'window')} wholly, ${partly} in part`,
    ...(plan.view === undefined ? [] : [`schedules of the view: ${scheduleText(plan.schedules)}`]),
    seconds === null
      ? `time: ${basis}`
      : `time: about ${durationText(seconds * 1000)} at one window at a time (${basis})`,
  ];
  return `${lines.join('\n')}\n`;
}

function scheduleText(schedules: readonly string[] | null): string {
  if (schedules === null) return 'not known, no Temporal server answers';
  return schedules.length === 0 ? 'none' : schedules.map(printable).join(', ');
}

function formatProgress({ step, windowsDone, windowsTotal, windowsFailed, rowsWritten }: BackfillProgress): string {
  const failed = windowsFailed === 0 ? '' : `, ${windowsFailed} failed`;
  return `${step}: ${countText(windowsDone)} of ${countText(windowsTotal)} windows${failed}, ${countText(rowsWritten)} rows written`;
}

function formatResult(result: BackfillResult): string {
  const { view, trainingSet, windows, windowsSkipped, reason, rows, files, commits, snapshotId } = result;
  const written = `${countedText(rows, 'row')} in ${countedText(files, 'file')} and ${countedText(commits, 'commit')}`;
  const subject = view ?? `training set ${trainingSet}`;
  if (reason !== null) return `${printable(subject)}: nothing to do (${printable(reason)}).\n`;
  const skipped = windowsSkipped === 0 ? '' : ` (${windowsSkipped} filled before)`;
  return `${printable(subject)}: ${countedText(windows, 'window')}${skipped}, ${written}, snapshot ${snapshotId ?? 'unchanged'}.\n`;
}
