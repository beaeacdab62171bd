import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { setHandler, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type {
  BackfillProgress,
  BackfillResult,
  BackfillRunInput,
  FailedSegment,
  PlannedBackfill,
} from '../../activities/backfill-contract.js';
import type { ParkedCommit } from '../../activities/contract.js';
import { counted } from '../../errors/index.js';
import { parkedLines } from '../parked-commit.js';
import { scheduleLink, showDetails } from '../run-details.js';
import { windowsIn } from './backfill-segments.js';
import { backfillProgress } from './backfill-signals.js';

const VIEW = defineSearchAttributeKey('MoraineView', SearchAttributeType.KEYWORD);
const TABLE = defineSearchAttributeKey('MoraineTable', SearchAttributeType.KEYWORD);

/** Result of a committed group of windows. */
export interface WrittenWindows {
  readonly windows: number;
  readonly rows: bigint;
  readonly files: number;
  readonly bytes: bigint;
  readonly snapshotId: string | null;
}

/** Keeps what a backfill has done, over all of its workflow executions, and shows it: query, memo, details, search attributes. */
export class BackfillReport {
  readonly #input: BackfillRunInput;
  #planned: PlannedBackfill | undefined;
  #progress: BackfillProgress;

  constructor(input: BackfillRunInput) {
    this.#input = input;
    this.#planned = input.carried?.planned;
    this.#progress = input.carried?.progress ?? {
      step: 'planning',
      concurrency: input.concurrency,
      windowsTotal: 0,
      windowsDone: 0,
      windowsFailed: 0,
      rowsWritten: '0',
      filesWritten: 0,
      bytesWritten: '0',
      commits: 0,
      snapshotId: null,
      failed: [],
    };
    setHandler(backfillProgress, () => this.#progress, {
      description: 'How far the backfill is, and what has failed.',
    });
    if (input.searchAttributes && input.view !== undefined) upsertSearchAttributes([{ key: VIEW, value: input.view }]);
    this.#show();
  }

  get progress(): BackfillProgress {
    return this.#progress;
  }

  planned(planned: PlannedBackfill, windowsTotal: number): void {
    this.#planned = planned;
    this.#set({ windowsTotal });
    if (this.#input.searchAttributes) upsertSearchAttributes([{ key: TABLE, value: planned.onlineTable }]);
    upsertMemo({ plan: planned, progress: this.#progress });
  }

  controlled({ isPaused, concurrency }: { readonly isPaused: boolean; readonly concurrency: number }): void {
    this.#set({ step: isPaused ? 'paused' : 'running', concurrency });
    upsertMemo({ progress: this.#progress });
  }

  /** Or no longer. */
  parked(parked: ParkedCommit | undefined): void {
    this.#set({ parked });
  }

  /** Windows for which nothing had to be committed. */
  skipped(windows: number): void {
    const { windowsDone, windowsSkipped = 0 } = this.#progress;
    this.#set({ windowsDone: windowsDone + windows, windowsSkipped: windowsSkipped + windows });
  }

  committed({ windows, rows, files, bytes, snapshotId }: WrittenWindows): void {
    const before = this.#progress;
    this.#set({
      windowsDone: before.windowsDone + windows,
      rowsWritten: String(BigInt(before.rowsWritten) + rows),
      filesWritten: before.filesWritten + files,
      bytesWritten: String(BigInt(before.bytesWritten) + bytes),
      commits: before.commits + (snapshotId === null ? 0 : 1),
      snapshotId: snapshotId ?? before.snapshotId,
    });
    upsertMemo({ progress: this.#progress });
  }

  failed(failure: FailedSegment): void {
    const failed = [...this.#progress.failed, failure];
    this.#set({ failed, windowsFailed: windowsIn(failed.map(({ segment }) => segment)) });
    upsertMemo({ progress: this.#progress });
  }

  /** Forgets the failures, which are tried again. */
  takeFailed(): readonly FailedSegment[] {
    const { failed } = this.#progress;
    this.#set({ failed: [], windowsFailed: 0 });
    return failed;
  }

  done(): BackfillResult {
    this.#set({ step: 'done' });
    upsertMemo({ progress: this.#progress });
    const { windowsDone, windowsSkipped = 0, rowsWritten, filesWritten, bytesWritten } = this.#progress;
    const { commits, snapshotId } = this.#progress;
    const { view, trainingSet } = this.#input;
    return {
      ...(view === undefined ? {} : { view }),
      ...(trainingSet === undefined ? {} : { trainingSet: trainingSet.name }),
      workflowId: workflowInfo().workflowId,
      windows: windowsDone,
      windowsSkipped,
      reason: commits === 0 ? whyNothing(this.#progress) : null,
      rows: rowsWritten,
      files: filesWritten,
      bytes: bytesWritten,
      commits,
      snapshotId,
    };
  }

  #set(change: Partial<BackfillProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#show();
  }

  #show(): void {
    const { step, windowsDone, windowsTotal, windowsSkipped = 0, windowsFailed } = this.#progress;
    const { concurrency, rowsWritten, commits, failed } = this.#progress;
    const lines: string[] = [];
    const planned = this.#planned;
    if (planned !== undefined) {
      const estimate =
        planned.estimatedSeconds === null ? 'unknown time' : `about ${planned.estimatedSeconds} s of work`;
      lines.push(`- plan: ${counted(planned.windows, 'window')}, ${planned.windowsWithRows} with rows, ${estimate}`);
      lines.push(
        `- source \`${planned.sourceTable}\`: ${counted(planned.sourceFiles, 'file')}, ${counted(planned.sourceRows, 'row')}`,
      );
      if (planned.schedules.length > 0)
        lines.push(`- schedules of the view: ${planned.schedules.map(scheduleLink).join(', ')}`);
    }
    lines.push(`- windows: ${windowsDone} of ${windowsTotal}, ${windowsFailed} failed`);
    if (windowsSkipped > 0) lines.push(`- ${skippedText(this.#progress)}`);
    lines.push(`- at a time: ${concurrency}`, `- rows written: ${rowsWritten} in ${counted(commits, 'commit')}`);
    for (const { window, code } of failed.slice(0, 10)) lines.push(`- failed: ${window} (${code})`);
    if (this.#progress.parked !== undefined) lines.push(...parkedLines(this.#progress.parked));
    const { view, trainingSet } = this.#input;
    showDetails(`**backfill of ${view ?? `training set ${trainingSet?.name}`}**: ${step}`, lines);
  }
}

function skippedText({ windowsSkipped = 0, windowsTotal }: BackfillProgress): string {
  const were = windowsSkipped === 1 ? 'was' : 'were';
  return `${windowsSkipped} of ${counted(windowsTotal, 'window')} ${were} filled before, and nothing is new in the source since`;
}

/** Why a backfill that has ended wrote nothing. */
function whyNothing(progress: BackfillProgress): string {
  return progress.windowsTotal === 0 ? 'the range has no window' : skippedText(progress);
}
