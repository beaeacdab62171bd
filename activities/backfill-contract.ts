/** The part of the contract that is about backfills. See `contract.ts`. */
import type {
  CommitProgress,
  IdleResult,
  PlanReference,
  RequestedRun,
  RunEngine,
  RunOutcome,
  TrainingSetInput,
} from './contract.js';

/** Windows at a time at most: they have slots of their own, of which the worker has fewer; more would only wait. */
export type MaxConcurrency = 16;

/** With so many failed segments a backfill begins no further ones. */
export type MaxFailed = 100;

/** The request of a person or a command. It arrives as JSON from outside and is checked by `requestBackfill`. */
export interface BackfillInput {
  /** The feature view. A `view`, a `trainingSet` or a `plan` is given; with a `plan` no `start`, `end` and `step`. */
  readonly view?: string;
  /** A training set, to be retrieved by the event times of its entity rows: the input of `trainingSet`, without `shards`. */
  readonly trainingSet?: TrainingSetInput;
  /** First event time, included. ISO-8601; UTC where it has no zone. */
  readonly start?: string;
  /** Event time that the range ends before. */
  readonly end?: string;
  /** Length of a window, such as `1h` or `1d`; it divides the range. */
  readonly step?: string;
  readonly newestFirst?: boolean;
  /** A stored plan, by its location, instead of the range. It is refused if it no longer holds. */
  readonly plan?: string;
  /** Windows at a time, 1 to 16; 2 unless given. `changeConcurrency` changes it while the run goes on. */
  readonly concurrency?: number;
  /** Windows that are committed together at most; unless given, as many as are read in 30 seconds. */
  readonly windowsPerCommit?: number;
  /** Reads the source of a view; unless given as the view and the project say. A training set has its own. */
  readonly engine?: RunEngine;
}

/**
 * The input of the `backfillRun` workflow, whose id is `backfill/<view>/<start>..<end>/<step>`, or `backfill/training-set:<name>/..`.
 */
export interface BackfillRunInput {
  /** Either this or `trainingSet`. */
  readonly view?: string;
  readonly trainingSet?: TrainingSetInput;
  /** Microseconds since the epoch. */
  readonly startUs: string;
  readonly endUs: string;
  readonly stepUs: string;
  readonly newestFirst: boolean;
  readonly concurrency: number;
  readonly windowsPerCommit?: number;
  readonly engine?: RunEngine;
  readonly planLocation?: string;
  /** Only these segments of the plan: the ones that failed before. */
  readonly only?: readonly BackfillSegment[];
  /** Whether the plan has run before: then it need not hold any more. So it is with `only`. */
  readonly isRetry?: boolean;
  /** Whether the namespace has our search attributes. */
  readonly searchAttributes: boolean;
  /** The state that the workflow execution before this one has left. */
  readonly carried?: CarriedBackfill;
}

/** The state that passes from one workflow execution of a backfill to the next: counts and positions. */
export interface CarriedBackfill {
  readonly planned: PlannedBackfill;
  readonly cursor: number;
  readonly isPaused: boolean;
  readonly waiting: readonly string[];
  readonly progress: BackfillProgress;
}

/** Neighbouring windows of a plan: the positions of the first and the last, both included. */
export type BackfillSegment = readonly [number, number];

/** A plan, by reference, and what people want to know of it. */
export interface PlannedBackfill {
  readonly planLocation: string;
  readonly sourceTable: string;
  /** The table that is filled: the view's online table, or the table of the training set. */
  readonly onlineTable: string;
  readonly windows: number;
  /** By the statistics of the source's files; the others are done together. */
  readonly windowsWithRows: number;
  readonly sourceFiles: number;
  readonly sourceRows: string;
  readonly sourceBytes: string;
  /** Windows that were covered, wholly or in part, when the plan was made. */
  readonly windowsCovered: number;
  /** Schedules of the view, by id. */
  readonly schedules: readonly string[];
  /** At a concurrency of one; null: unknown. */
  readonly estimatedSeconds: number | null;
  readonly estimateBasis: string;
}

export interface FailedSegment {
  readonly segment: BackfillSegment;
  /** ISO-8601, `<start>..<end>`. */
  readonly window: string;
  readonly code: string;
  readonly message: string;
}

/** Answer of the `progress` query of a backfill, also shown in its memo. */
export interface BackfillProgress extends CommitProgress<'planning' | 'running' | 'paused' | 'done'> {
  readonly concurrency: number;
  readonly windowsTotal: number;
  /** Committed, covered by others, or without rows. */
  readonly windowsDone: number;
  /** Done windows that needed no commit: they were filled before, and nothing is new in them. */
  readonly windowsSkipped?: number;
  readonly windowsFailed: number;
  readonly rowsWritten: string;
  readonly filesWritten: number;
  readonly bytesWritten: string;
  readonly commits: number;
  readonly snapshotId: string | null;
  /** The failed windows; `retry` tries them again. */
  readonly failed: readonly FailedSegment[];
}

/** Result of a backfill. */
export interface BackfillResult extends IdleResult {
  /** Either this or `trainingSet`. */
  readonly view?: string;
  /** The name of the training set. */
  readonly trainingSet?: string;
  readonly windows: number;
  /** Windows that needed no commit: they were filled before, and nothing is new in them. `windows` counts them too. */
  readonly windowsSkipped: number;
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
  readonly commits: number;
  /** The filled table's snapshot of the last commit; null if nothing was committed. */
  readonly snapshotId: string | null;
}

export interface PlanBackfillInput {
  /** Either this or `trainingSet`. */
  readonly view?: string;
  readonly trainingSet?: TrainingSetInput;
  readonly startUs: string;
  readonly endUs: string;
  readonly stepUs: string;
  readonly newestFirst: boolean;
  /** A plan that was made before. */
  readonly planLocation?: string;
  /** Whether it has run before: then it need not hold any more. */
  readonly isRetry?: boolean;
}

export interface StageWindowInput {
  readonly view: string;
  readonly startUs: string;
  readonly endUs: string;
  readonly engine?: RunEngine;
}

/** `nothing`: covered already; `alone`: it rebuilds buckets, and is run by itself. */
export type StagedBackfillWindow =
  | { readonly kind: 'nothing' | 'alone' }
  | {
      readonly kind: 'staged';
      readonly planLocation: string;
      readonly manifestLocations: readonly string[];
      readonly workMs: number;
      readonly rows: string;
      readonly files: number;
      readonly bytes: string;
      /** Sum of the hashes of the rows of a training set's window, 64 hex digits. */
      readonly sum?: string;
    };

export interface StageTrainingWindowInput extends PlanReference {
  readonly startUs: string;
  readonly endUs: string;
}

export interface CommitTrainingWindowsInput extends PlanReference {
  readonly windows: readonly {
    readonly startUs: string;
    readonly endUs: string;
    readonly manifestLocations: readonly string[];
    readonly rows: string;
    readonly sum: string;
    readonly workMs: number;
  }[];
}

export interface CommitWindowsInput {
  readonly view: string;
  /** Its online table. */
  readonly table?: string;
  readonly windows: readonly {
    readonly planLocation: string;
    readonly manifestLocations: readonly string[];
    readonly workMs: number;
  }[];
}

export interface CommittedWindows {
  /** Null: there was nothing to commit. */
  readonly snapshotId: string | null;
  /** One for each window. `stale`: it has to be planned again. */
  readonly outcomes: readonly ('committed' | 'already-committed' | 'covered' | 'stale')[];
}

export interface RanAlone {
  readonly snapshotId: string | null;
  readonly rows: string;
}

/** The activities of backfills, as the workflows see them. */
export interface BackfillActivities {
  /**
   * Checks a request and starts the backfill of its view and range, or joins the one in flight.
   *
   * @throws `INVALID_ARGUMENT` naming what is wrong with the request; `FEATURE_VIEW_NOT_FOUND`, `PLAN_STALE`
   */
  requestBackfill(input: { readonly request: unknown; readonly replyTo: string }): Promise<RequestedRun>;
  /** How a backfill ended; null while it is in flight. */
  backfillOutcome(run: RequestedRun): Promise<RunOutcome<BackfillResult> | null>;
  /** @throws `INVALID_ARGUMENT`; `WORKFLOW_NOT_FOUND` if the backfill has ended */
  changeBackfillConcurrency(input: { readonly run: RequestedRun; readonly windows: number }): Promise<number>;
  /** Makes the plan and stores it; of a given one, checks that it still holds. */
  planBackfill(input: PlanBackfillInput): Promise<PlannedBackfill>;
  /** A part of a stored plan. */
  readSegments(
    input: PlanReference & { readonly cursor: number; readonly limit: number },
  ): Promise<{ readonly segments: readonly BackfillSegment[]; readonly next: number | null }>;
  /** Plans one window and reads it into files that nobody can see yet. */
  stageWindow(input: StageWindowInput): Promise<StagedBackfillWindow>;
  /** Makes the windows' files visible in one commit; waits for runs of schedules and people in flight first. */
  commitWindows(input: CommitWindowsInput): Promise<CommittedWindows>;
  /** Retrieves the entity rows of one window of a training set into files that nobody can see yet. */
  stageTrainingWindow(input: StageTrainingWindowInput): Promise<StagedBackfillWindow>;
  /** Makes the files of a training set's windows visible in one commit; with the last window it becomes a dataset. */
  commitTrainingWindows(input: CommitTrainingWindowsInput): Promise<CommittedWindows>;
  /** Plans, reads and commits a window by itself. */
  runWindowAlone(input: StageWindowInput): Promise<RanAlone>;
}
