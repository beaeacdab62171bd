/** What the details, the query `progress` and the result of a backfill say, over all of its workflow executions. */
import type {
  BackfillProgress,
  BackfillResult,
  BackfillRunInput,
  FailedSegment,
  PlannedBackfill,
} from '../../activities/backfill-contract.js';
import { counted } from '../../errors/index.js';
import { type Change, Report, sum } from '../report.js';
import { scheduleLink } from '../ui-links.js';
import { windowsIn } from './backfill-segments.js';
import type { PendingWindows } from './backfill-target.js';

/** Failed windows that the details show at most. */
const SHOWN_FAILURES = 10;

interface BackfillState {
  readonly progress: BackfillProgress;
  readonly plan: PlannedBackfill | undefined;
}

export type BackfillReport = Report<BackfillState>;

export function backfillReport({
  view,
  trainingSet,
  concurrency,
  carried,
  searchAttributes,
}: BackfillRunInput): BackfillReport {
  return new Report<BackfillState>({
    subject: `backfill of ${view ?? `training set ${trainingSet?.name}`}`,
    description: 'How far the backfill is, and what has failed.',
    first: { progress: carried?.progress ?? notPlanned(concurrency), plan: carried?.planned },
    lines,
    attributes: { view },
    searchAttributes,
  });
}

function notPlanned(concurrency: number): BackfillProgress {
  const windows = { windowsTotal: 0, windowsDone: 0, windowsFailed: 0 };
  const written = { rowsWritten: '0', filesWritten: 0, bytesWritten: '0', commits: 0, snapshotId: null };
  return { step: 'planning', concurrency, ...windows, ...written, failed: [] };
}

/** A change of the progress alone. */
const progressed =
  (change: (progress: BackfillProgress) => Partial<BackfillProgress>): Change<BackfillState> =>
  ({ progress, plan }) => ({ progress: { ...progress, ...change(progress) }, plan });

export const planMade =
  (plan: PlannedBackfill, windowsTotal: number): Change<BackfillState> =>
  ({ progress }) => ({ progress: { ...progress, windowsTotal }, plan });

export const controlsChanged = (controls: { readonly isPaused: boolean; readonly concurrency: number }) =>
  progressed(() => ({ step: controls.isPaused ? 'paused' : 'running', concurrency: controls.concurrency }));

/** Windows for which nothing had to be committed. */
export const windowsSkipped = (windows: number) =>
  progressed(({ windowsDone, windowsSkipped: before = 0 }) => ({
    windowsDone: windowsDone + windows,
    windowsSkipped: before + windows,
  }));

/** Result of a committed group of windows. */
interface WrittenWindows {
  readonly windows: number;
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
  readonly snapshotId: string | null;
}

/** Sums of windows that are committed together. */
export const writtenIn = (group: readonly PendingWindows[]): Omit<WrittenWindows, 'snapshotId'> => ({
  windows: windowsIn(group.map(({ segment }) => segment)),
  rows: group.reduce((rows, { staged }) => sum(rows, staged.rows), '0'),
  files: group.reduce((files, { staged }) => files + staged.files, 0),
  bytes: group.reduce((bytes, { staged }) => sum(bytes, staged.bytes), '0'),
});

export const windowsCommitted = ({ windows, rows, files, bytes, snapshotId }: WrittenWindows) =>
  progressed((before) => ({
    windowsDone: before.windowsDone + windows,
    rowsWritten: sum(before.rowsWritten, rows),
    filesWritten: before.filesWritten + files,
    bytesWritten: sum(before.bytesWritten, bytes),
    commits: before.commits + (snapshotId === null ? 0 : 1),
    snapshotId: snapshotId ?? before.snapshotId,
  }));

export const segmentsFailed = (more: readonly FailedSegment[]) =>
  progressed(({ failed }) => failures([...failed, ...more]));

/** Forgets the failures, which are tried again. */
export const failuresForgotten = progressed(() => failures([]));

const failures = (failed: readonly FailedSegment[]): Partial<BackfillProgress> => ({
  failed,
  windowsFailed: windowsIn(failed.map(({ segment }) => segment)),
});

export const backfillResult =
  ({ view, trainingSet }: BackfillRunInput) =>
  ({ progress }: BackfillState, workflowId: string): BackfillResult => ({
    ...(view === undefined ? {} : { view }),
    ...(trainingSet === undefined ? {} : { trainingSet: trainingSet.name }),
    workflowId,
    windows: progress.windowsDone,
    windowsSkipped: progress.windowsSkipped ?? 0,
    reason: whyNothing(progress),
    rows: progress.rowsWritten,
    files: progress.filesWritten,
    bytes: progress.bytesWritten,
    commits: progress.commits,
    snapshotId: progress.snapshotId,
  });

/** Why a backfill that has ended wrote nothing; null if it wrote something. */
function whyNothing(progress: BackfillProgress): string | null {
  if (progress.commits > 0) return null;
  return progress.windowsTotal === 0 ? 'the range has no window' : skippedText(progress);
}

function skippedText({ windowsSkipped: skipped = 0, windowsTotal }: BackfillProgress): string {
  const were = skipped === 1 ? 'was' : 'were';
  return `${skipped} of ${counted(windowsTotal, 'window')} ${were} filled before, and nothing is new in the source since`;
}

function lines({ progress, plan }: BackfillState): readonly string[] {
  const { windowsDone, windowsTotal, windowsFailed, concurrency, rowsWritten, commits, failed } = progress;
  return [
    ...(plan === undefined ? [] : planLines(plan)),
    `- windows: ${windowsDone} of ${windowsTotal}, ${windowsFailed} failed`,
    ...((progress.windowsSkipped ?? 0) === 0 ? [] : [`- ${skippedText(progress)}`]),
    `- at a time: ${concurrency}`,
    `- rows written: ${rowsWritten} in ${counted(commits, 'commit')}`,
    ...failed.slice(0, SHOWN_FAILURES).map(({ window, code }) => `- failed: ${window} (${code})`),
  ];
}

function planLines(plan: PlannedBackfill): readonly string[] {
  const { windows, windowsWithRows, sourceTable, sourceFiles, sourceRows, schedules, estimatedSeconds } = plan;
  const estimate = estimatedSeconds === null ? 'unknown time' : `about ${estimatedSeconds} s of work`;
  return [
    `- plan: ${counted(windows, 'window')}, ${windowsWithRows} with rows, ${estimate}`,
    `- source \`${sourceTable}\`: ${counted(sourceFiles, 'file')}, ${counted(sourceRows, 'row')}`,
    ...(schedules.length === 0 ? [] : [`- schedules of the view: ${schedules.map(scheduleLink).join(', ')}`]),
  ];
}
