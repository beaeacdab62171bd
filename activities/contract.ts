/**
 * The contract between workflows and activities: types only, JSON only. 64-bit numbers are strings, times are ISO-8601.
 * What travels here stays a few hundred bytes: ids, counts and paths. Rows and file lists stay on storage.
 */

/** What a person, a schedule or a command asks for. It arrives as JSON from outside and is checked by `requestRun`. */
export interface MaterializeInput {
  /** The feature view. */
  readonly view: string;
  /** Start of a window, included. Without it the run is incremental. ISO-8601; UTC where it has no zone. */
  readonly start?: string;
  /** End, excluded. Rows at or after it are held back. */
  readonly end?: string;
  /**
   * Length of the window that ends at a schedule's nominal time, such as `1h` or `1d`: `[T - every, T)`.
   * Only for runs of a Temporal Schedule, and instead of `start` and `end`.
   */
  readonly every?: string;
}

/** The input of the `materializeRun` workflow, whose id is `materialize/<view>/<interval>`. */
export interface RunInput {
  readonly view: string;
  /** Microseconds since the epoch; absent bounds are open. */
  readonly startUs?: string;
  readonly endUs?: string;
  /** Whether the namespace has our search attributes. */
  readonly searchAttributes: boolean;
}

/** What a run did: the sum over its passes. */
export interface MaterializeResult {
  readonly view: string;
  /** Workflow id of the run. */
  readonly workflowId: string;
  /** `nothing` if there was nothing new in the source. */
  readonly kind: RunKind;
  /** Why the run was of this kind. */
  readonly reason: string;
  /** Rows written to the online table. */
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
  /** The source snapshot that the online table has been brought up to; null for an empty source. */
  readonly sourceSnapshotId: string | null;
  /** The online table's snapshot of the last commit; null if nothing was committed. */
  readonly snapshotId: string | null;
  /** How often the run was planned: once, and again for every conflict and for requests that arrived meanwhile. */
  readonly passes: number;
}

export type RunKind = 'incremental' | 'window' | 'rebuild-buckets' | 'full' | 'nothing';

/** Answer of the `progress` query, also shown in the run's memo. */
export interface RunProgress {
  readonly step: 'planning' | 'extracting' | 'committing' | 'done';
  readonly kind?: RunKind;
  readonly reason?: string;
  readonly sourceTable?: string;
  readonly sourceFiles?: number;
  readonly sourceRows?: string;
  readonly shardsTotal: number;
  readonly shardsDone: number;
  readonly rowsWritten: string;
  readonly passes: number;
}

export interface RequestRunInput {
  /** As it came from outside: not yet checked. */
  readonly request: unknown;
  /** Nominal time of the schedule that started the workflow, ISO-8601. */
  readonly scheduledTime?: string;
  /** Workflow id that the run tells when it ends. */
  readonly replyTo: string;
}

export interface RequestedRun {
  readonly workflowId: string;
  readonly runId: string;
}

export interface PlanInput {
  readonly view: string;
  readonly startUs?: string;
  readonly endUs?: string;
}

/** A plan, by reference. */
export interface PlannedRun {
  readonly kind: RunKind;
  readonly reason: string;
  /** Where the plan is stored; null if there is nothing to do. Without shards the commit only records progress. */
  readonly planLocation: string | null;
  readonly sourceTable: string;
  readonly sourceSnapshotId: string | null;
  readonly onlineTable: string;
  readonly shards: number;
  readonly sourceFiles: number;
  readonly sourceRows: string;
}

export interface ExtractInput {
  readonly planLocation: string;
  /** Position in the plan's list of shards. */
  readonly shard: number;
}

export interface ExtractedShard {
  /** The manifest that lists the shard's files; null if it has no rows. */
  readonly manifestLocation: string | null;
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
}

export interface CommitInput {
  readonly planLocation: string;
  readonly manifestLocations: readonly string[];
}

export interface CommittedRun {
  readonly snapshotId: string | null;
  readonly outcome: 'committed' | 'already-committed';
}

/** How a run ended, as told to those who asked for it. */
export type RunOutcome =
  | { readonly status: 'completed'; readonly result: MaterializeResult }
  | { readonly status: 'failed'; readonly code: string; readonly message: string };

/** The activities, as the workflows see them. */
export interface Activities {
  /**
   * Checks a request and starts the run of its interval, or joins the one in flight.
   *
   * @throws `INVALID_ARGUMENT` naming what is wrong with the request; `FEATURE_VIEW_NOT_FOUND`
   */
  requestRun(input: RequestRunInput): Promise<RequestedRun>;
  /** How a run ended; null while it is in flight. */
  runOutcome(run: RequestedRun): Promise<RunOutcome | null>;
  /** Pins the source snapshot, decides what to read, and stores the plan. */
  planMaterialization(input: PlanInput): Promise<PlannedRun>;
  /** Computes the newest rows per entity of one shard into files that nobody can see yet. */
  extractShard(input: ExtractInput): Promise<ExtractedShard>;
  /** Makes the shards' files visible in one commit under the plan's run key. */
  commitMaterialization(input: CommitInput): Promise<CommittedRun>;
}
