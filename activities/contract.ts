/**
 * The contract between workflows and activities: types only, JSON only. 64-bit numbers are strings, times are ISO-8601.
 * Inputs and results stay within a few hundred bytes: ids, counts and paths. Rows and file lists stay on storage.
 */

/** The request of a person, a schedule or a command. It arrives as JSON from outside and is checked by `requestRun`. */
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
  /**
   * With `every`: how far the schedule's ticks are behind whole multiples of `every` since 1970. With it a run that is triggered by hand,
   * between two ticks, takes the last whole interval, which is that of the last tick.
   */
  readonly offset?: string;
  /** Pieces that workers share, 1 to 1000; unless given: as many as the rows and the memory of a worker ask for. */
  readonly shards?: number;
  /** Who reduces the source rows to those that may win; unless given as the view and the project say. */
  readonly engine?: RunEngine;
}

export type RunEngine = 'duckdb' | 'trino' | 'auto';

/** The input of the `materializeRun` workflow, whose id is `materialize/<view>/<interval>`. */
export interface RunInput {
  readonly view: string;
  /** Microseconds since the epoch; absent bounds are open. */
  readonly startUs?: string;
  readonly endUs?: string;
  /** Of whoever started the run. */
  readonly shards?: number;
  readonly engine?: RunEngine;
  /** Whether the namespace has our search attributes. */
  readonly searchAttributes: boolean;
  readonly goesOn?: RunState;
}

/** State of a run that continues in a new history. */
export interface RunState {
  /** Workflows that asked during the last pass. */
  readonly waiting: readonly string[];
  /** Result of the earlier passes. */
  readonly result: MaterializeResult;
}

/** Result of a run, summed over its passes. */
export interface MaterializeResult extends RunResult {
  readonly view: string;
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

/** Answer of the `progress` query of `materializeRun`, also shown in its memo. */
export interface RunProgress extends CommitProgress<'planning' | 'extracting' | 'committing' | 'parked' | 'done'> {
  readonly kind?: RunKind;
  readonly reason?: string;
  readonly sourceTable?: string;
  readonly sourceFiles?: number;
  readonly sourceRows?: string;
  /** Absent: the shards read the source themselves. */
  readonly partsTotal?: number;
  readonly partsDone?: number;
  readonly shardsTotal: number;
  readonly shardsDone: number;
  readonly rowsWritten: string;
  readonly passes: number;
}

/** Common part of the answers of `progress`. */
export interface StepProgress<Step extends string> {
  /** Current step; `done` once the run is through. */
  readonly step: Step;
}

/** Common part of the answers of workflows whose commits can be parked. */
export interface CommitProgress<Step extends string> extends StepProgress<Step> {
  /** The last commit, while nobody knows whether it landed. */
  readonly parked?: ParkedCommit | undefined;
}

/** Common part of the results of runs. */
export interface RunResult {
  /** Workflow id of the run. */
  readonly workflowId: string;
}

/** Common part of the results of runs that may find nothing to do. */
export interface IdleResult extends RunResult {
  /** Why nothing was changed; null if something was, or if workers of an earlier release did not say why. */
  readonly reason: string | null;
}

/** A commit whose attempts were used up without an answer: nobody knows whether it landed. Also the memo `parked` of the run. */
export interface ParkedCommit {
  /** Error code of the last attempt. */
  readonly code: string;
  readonly reason: string;
  /** By which the commit is recognised in the summaries of the table's snapshots. */
  readonly runKey?: string;
  readonly snapshotId?: string;
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
  readonly shards?: number;
  readonly engine?: RunEngine;
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
  /** Parts that read the source before the shards, each other files of it. Absent: the shards read it themselves. */
  readonly parts?: number;
  /** Whether they have about equally many bytes to read, so that one which takes far longer has a slow worker. */
  readonly partsAlike?: boolean;
  readonly sourceFiles: number;
  readonly sourceRows: string;
}

/** A stored plan, by reference. */
export interface PlanReference {
  readonly planLocation: string;
  /** The table in whose folder the plan lies, made or not. Runs that were begun before version 0.2 do not say. */
  readonly table?: string;
}

/** A step of a run that is shared: it may be run a second time while the worker of the first is slow. */
export interface PieceInput extends PlanReference {
  /** It is. The worker that is slow with it refuses it, for another one to take it. */
  readonly again?: true;
}

export interface ExtractInput extends PieceInput {
  /** Position in the plan's list of shards. */
  readonly shard: number;
  /** Lists of the rows that all parts have left of the source. Absent: the shard reads the source. */
  readonly reduced?: readonly string[];
}

export interface ReduceInput extends PieceInput {
  /** From 0. */
  readonly part: number;
}

export interface ReducedPart {
  /** The list of the rows that are left for the shards; null if there are none. */
  readonly reducedLocation: string | null;
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
}

export interface DiscardReducedInput extends PlanReference {
  readonly reduced: readonly string[];
}

export interface ExtractedShard {
  /** The manifest that lists the shard's files; null if it has no rows. */
  readonly manifestLocation: string | null;
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
}

export interface CommitInput extends PlanReference {
  readonly manifestLocations: readonly string[];
}

export interface CommittedRun {
  readonly snapshotId: string | null;
  readonly outcome: 'committed' | 'already-committed';
}

/**
 * The request of a person or a command to the `trainingSet` workflow: features for the rows of a table, saved as a dataset. It arrives as JSON
 * from outside and is checked by `planTrainingSet`.
 */
export interface TrainingSetInput {
  /** Name of the dataset. */
  readonly name: string;
  /** `view`, `view:feature`, or an object with `view` and perhaps `features`, `alias` and `joinKeyMap`. */
  readonly features?: readonly (string | Readonly<Record<string, unknown>>)[];
  /** A feature service, instead of features. */
  readonly service?: string;
  /** A table with the join keys and an event timestamp; or what the library and the command line have staged. */
  readonly entities: { readonly table: string; readonly asOf?: AsOfInput } | { readonly staged: string };
  /** The new table, `[CATALOG/]NS.TABLE`. */
  readonly to: string;
  /** Activities that share the entity rows, 1 to 1000; unless given: one for every ten million rows. */
  readonly shards?: number;
  /** Tag the source snapshots, so that maintenance keeps them. */
  readonly pin?: boolean;
  /** Name columns `view__feature`. */
  readonly fullFeatureNames?: boolean;
  /** Leave out feature rows that were created after the entity row's time. */
  readonly knownAsOf?: boolean;
  /** Read the source tables as they were. */
  readonly asOf?: AsOfInput;
  /** Who reads the sources; unless given as views and the project say. */
  readonly engine?: RunEngine;
}

/** One of: a time (ISO-8601 with a zone), a tag or branch, a snapshot id, or a snapshot id for each table. */
export type AsOfInput = Readonly<Record<string, unknown>>;

/** A saved training set. */
export interface TrainingSetResult extends RunResult {
  readonly name: string;
  readonly table: string;
  readonly snapshotId: string;
  readonly rows: string;
  /** See `docs/offline-store.md`. */
  readonly digest: string;
  readonly shards: number;
}

/** Answer of the `progress` query of `trainingSet`, also shown in the workflow's memo. */
export interface TrainingSetProgress
  extends CommitProgress<'planning' | 'retrieving' | 'committing' | 'parked' | 'done'> {
  /** As the source of the entity rows counts them. */
  readonly entityRows?: string;
  /** Absent: the shards read the sources themselves. */
  readonly partsTotal?: number;
  readonly partsDone?: number;
  readonly shardsTotal: number;
  readonly shardsDone: number;
  readonly rowsWritten: string;
}

/** A planned training set, by reference. */
export interface PlannedTrainingSet extends PlanReference {
  /** 0: an attempt before has committed the rows, and only their record is missing. */
  readonly shards: number;
  /** Parts that read the sources before the shards, each other files of them. Absent: the shards read them themselves. */
  readonly parts?: number;
  /** As of {@link PlannedRun}. */
  readonly partsAlike?: boolean;
  /** Where parts are not alike: those with less than half of the bytes of the largest one. */
  readonly smallParts?: readonly number[];
  readonly entityRows: string;
  readonly sources: readonly string[];
  readonly pin: boolean;
}

export interface StageShardInput extends PieceInput {
  /** From 0. */
  readonly shard: number;
  /** For each part the list of the rows that it has left of the sources, or null. Absent: the shard reads the sources. */
  readonly reduced?: readonly (string | null)[];
}

export interface StagedTrainingShard {
  /** The manifest that lists the shard's files; null if no entity row falls into it. */
  readonly manifestLocation: string | null;
  readonly rows: string;
  /** The contribution of the rows to the digest, 64 hex digits. */
  readonly sum: string;
  readonly files: number;
  readonly bytes: string;
}

export interface CommitTrainingSetInput extends PlanReference {
  readonly shards: readonly Pick<StagedTrainingShard, 'manifestLocation' | 'rows' | 'sum'>[];
  /** Lists of the parts, which the commit deletes with what they list. */
  readonly reduced?: readonly string[];
}

export interface CommittedTrainingSet {
  readonly name: string;
  readonly table: string;
  readonly snapshotId: string;
  readonly rows: string;
  readonly digest: string;
}

/** How a run ended, as told to those who asked for it. */
export type RunOutcome<Result = MaterializeResult> =
  | { readonly status: 'completed'; readonly result: Result }
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
  /** Reads the files of one part and leaves what can win of their rows, in files for the shards. */
  reducePart(input: ReduceInput): Promise<ReducedPart>;
  /** Deletes what parts have left for the shards. */
  discardReduced(input: DiscardReducedInput): Promise<void>;
  /** Computes the newest rows per entity of one shard into files that nobody can see yet. */
  extractShard(input: ExtractInput): Promise<ExtractedShard>;
  /** Makes the shards' files visible in one commit under the plan's run key. */
  commitMaterialization(input: CommitInput): Promise<CommittedRun>;
  /**
   * Checks a request, pins the definitions and the state of every table that is read, and stores the plan.
   *
   * @throws `INVALID_ARGUMENT` naming the fields that are not right; `DATASET_ALREADY_EXISTS`, `TABLE_ALREADY_EXISTS`, and as retrieval
   */
  planTrainingSet(input: { readonly request: unknown }): Promise<PlannedTrainingSet>;
  /** Tags the snapshots that a plan reads. */
  pinTrainingSet(input: PlanReference): Promise<void>;
  /** Reads the files of one part and leaves what can count of their rows, in files for the shards. */
  reduceTrainingPart(input: ReduceInput): Promise<ReducedPart>;
  /** Retrieves the features of one shard of the entity rows into files that nobody can see yet. */
  stageTrainingShard(input: StageShardInput): Promise<StagedTrainingShard>;
  /** Makes the table with its one snapshot, and the record of the dataset. */
  commitTrainingSet(input: CommitTrainingSetInput): Promise<CommittedTrainingSet>;
  /** Takes back what was made for a plan whose dataset is not recorded. */
  discardTrainingSet(input: PlanReference): Promise<void>;
}

/** To the one run of a table: a request, and who waits for its end. */
export interface Requested<Request> {
  readonly request: Request;
  readonly replyTo?: string;
}

/** Requests that a history of the one run of a table leaves to the next. */
export interface LeftRequests<Request> {
  /** Requests that have not begun. */
  readonly waiting?: readonly Requested<Request>[];
  /** Requests that have begun. */
  readonly asked?: readonly Requested<Request>[];
  /** Error of the last request that failed. */
  readonly earlierFailure?: { readonly code: string; readonly message: string };
}
