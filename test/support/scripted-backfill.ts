/** Backfill activities for tests of the workflows alone: windows of a plan that is only numbers. */
import { Context } from '@temporalio/activity';
import type {
  BackfillActivities,
  BackfillSegment,
  CommitTrainingWindowsInput,
  CommittedWindows,
  CommitWindowsInput,
  PlanBackfillInput,
  PlannedBackfill,
  RanAlone,
  StagedBackfillWindow,
  StageTrainingWindowInput,
  StageWindowInput,
} from '../../activities/backfill-contract.js';
import { parseBackfillRequest } from '../../activities/backfill-request.js';
import {
  backfillInput,
  backfillOutcome,
  changeBackfillConcurrency,
  startBackfillRun,
} from '../../activities/start-backfill.js';
import { toFailure } from '../../activities/step.js';

export interface BackfillSteps {
  readonly plan?: (input: PlanBackfillInput) => Promise<PlannedBackfill>;
  /** All of the plan; handed out in pages. */
  readonly segments?: readonly BackfillSegment[];
  readonly stage?: (window: StageWindowInput) => Promise<StagedBackfillWindow>;
  readonly commit?: (windows: CommitWindowsInput['windows']) => Promise<CommittedWindows>;
  readonly stageTraining?: (window: StageTrainingWindowInput) => Promise<StagedBackfillWindow>;
  readonly commitTraining?: (windows: CommitTrainingWindowsInput['windows']) => Promise<CommittedWindows>;
  readonly alone?: (window: StageWindowInput) => Promise<RanAlone>;
}

/** Asking for backfills is the real thing, but for the registry. */
export function scriptedBackfill(steps: BackfillSteps = {}): BackfillActivities {
  const segments = steps.segments ?? [];
  return {
    requestBackfill: async ({ request, replyTo }) => {
      const { client, info } = Context.current();
      try {
        const parsed = parseBackfillRequest(request);
        if (parsed.plan !== undefined) throw new Error('no plans are stored here');
        const order = parsed.newestFirst ? 'newest-first' : 'oldest-first';
        const input = { ...backfillInput(parsed, { ...parsed, order }, parsed), searchAttributes: true };
        return await startBackfillRun(client, input, { taskQueue: info.taskQueue, project: null, replyTo });
      } catch (error) {
        throw toFailure(error);
      }
    },
    backfillOutcome: (run) => backfillOutcome(Context.current().client, run),
    changeBackfillConcurrency: ({ run, windows }) => changeBackfillConcurrency(Context.current().client, run, windows),
    planBackfill: (input) => steps.plan?.(input) ?? Promise.resolve(plannedBackfill(segments)),
    readSegments: ({ cursor, limit }) => {
      const end = cursor + limit;
      return Promise.resolve({ segments: segments.slice(cursor, end), next: end < segments.length ? end : null });
    },
    stageWindow: (window) => steps.stage?.(window) ?? Promise.resolve(stagedWindow(window)),
    commitWindows: ({ windows }) => steps.commit?.(windows) ?? Promise.resolve(committedWindows(windows)),
    stageTrainingWindow: (window) => steps.stageTraining?.(window) ?? Promise.resolve(stagedWindow(window)),
    commitTrainingWindows: ({ windows }) =>
      steps.commitTraining?.(windows) ?? Promise.resolve(committedWindows(windows)),
    runWindowAlone: (window) => steps.alone?.(window) ?? Promise.resolve({ snapshotId: '31', rows: '10' }),
  };
}

/** `count` windows of one segment each. */
export function singleWindows(count: number): readonly BackfillSegment[] {
  return Array.from({ length: count }, (_, index) => [index, index] as const);
}

export function plannedBackfill(segments: readonly BackfillSegment[]): PlannedBackfill {
  return {
    planLocation: '/plans/3.json',
    sourceTable: 'demo.source',
    onlineTable: 'moraine_online.view',
    windows: segments.reduce((sum, [first, last]) => sum + last - first + 1, 0),
    windowsWithRows: segments.length,
    sourceFiles: 3,
    sourceRows: '100',
    sourceBytes: '1000',
    windowsCovered: 0,
    schedules: [],
    estimatedSeconds: null,
    estimateBasis: 'unknown: no earlier backfill of the view',
  };
}

/** Ten rows in one file, named by the window's start. */
export function stagedWindow({ startUs }: Pick<StageWindowInput, 'startUs'>): StagedBackfillWindow {
  return {
    kind: 'staged',
    planLocation: `/plans/${startUs}.json`,
    manifestLocations: [`/manifests/${startUs}.avro`],
    workMs: 5,
    rows: '10',
    files: 1,
    bytes: '1000',
  };
}

export function committedWindows(windows: readonly unknown[]): CommittedWindows {
  return { snapshotId: '31', outcomes: windows.map(() => 'committed' as const) };
}
