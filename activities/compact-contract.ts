/** The part of the contract that is about compaction: types only, JSON only. 64-bit numbers are strings. */
import type { CommitProgress, IdleResult, LeftRequests, PlanReference, RequestedRun, RunOutcome } from './contract.js';

/** The request of a person, a schedule or a command to `compact`. It arrives as JSON from outside and is checked by `requestCompact`. */
export interface CompactInput {
  /** `[CATALOG/]NS.TABLE` */
  readonly table: string;
  readonly strategy: 'binpack' | 'sort' | 'latest';
  /** For `sort`: columns to sort by, instead of the table's sort order. */
  readonly columns?: readonly string[];
  /** For `sort`: by all columns at once, along a z-order curve. */
  readonly zOrder?: boolean;
  /** Only files that may hold rows for which this is true. */
  readonly where?: string;
  /** For `latest`: rows older than the view's ttl go. */
  readonly dropExpired?: boolean;
  /** Rewrite files although tied rows could then win or lose otherwise than before. */
  readonly allowTieChange?: boolean;
  /** Bytes of a rewritten file, about. */
  readonly targetSizeBytes?: number;
  /** Bytes to read at most. */
  readonly maxBytes?: number;
  /** Groups that are committed together. */
  readonly partialProgress?: number;
}

/** To `compactRun`: one request, under the name that its table's run goes by, and who waits for its end. */
export interface CompactRequested {
  readonly request: CompactInput;
  readonly replyTo?: string;
}

/** The input of `compactRun`, whose id is `compact/<table>`. What to do comes with its signal, or from the run that it goes on for. */
export interface CompactRunInput {
  readonly table: string;
  readonly searchAttributes: boolean;
  /** Within a request. */
  readonly goesOn?: CompactState;
  /** Between two requests. */
  readonly left?: LeftRequests<CompactInput>;
}

/** Where a run is that goes on in a history of its own. */
export interface CompactState {
  readonly waiting: readonly CompactRequested[];
  /** Current work. */
  readonly asked: readonly CompactRequested[];
  readonly runId: string;
  readonly passes: number;
  readonly plan: PlannedCompaction;
  /** The first group that has not been rewritten. */
  readonly nextGroup: number;
  /** Groups to plan again once the pass is through. */
  readonly conflicts: readonly number[];
  readonly counts: CompactCounts;
  readonly failure?: CompactFailure;
  /** Failure of the last earlier request that failed. */
  readonly earlierFailure?: CompactFailure;
}

/** Failure of the first group that failed for good. */
export interface CompactFailure {
  readonly code: string;
  readonly message: string;
}

export interface CompactCounts {
  /** Groups of files that were replaced. */
  readonly groups: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  readonly rows: string;
  readonly bytesRemoved: string;
  readonly bytesAdded: string;
  /** Files that were left alone although they could be rewritten, by reason. */
  readonly skipped: readonly SkippedCount[];
  /** Snapshot of the last commit; null: nothing was committed. */
  readonly snapshotId: string | null;
}

export interface SkippedCount {
  readonly reason: string;
  readonly files: number;
}

/** Result of a compaction, summed over its passes. */
export interface CompactResult extends CompactCounts, IdleResult {
  readonly table: string;
  /** How often it was planned: once, and again for groups that other writers were faster with. */
  readonly passes: number;
}

/** Answer of the `progress` query, also shown in the run's memo. */
export interface CompactProgress extends CommitProgress<'planning' | 'rewriting' | 'committing' | 'parked' | 'done'> {
  readonly strategy?: string;
  readonly groupsTotal: number;
  readonly groupsDone: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  readonly passes: number;
}

/** A stored plan, by reference. */
export interface PlannedCompaction {
  /** Null: there is nothing to do. */
  readonly planLocation: string | null;
  readonly groups: number;
  readonly groupsPerCommit: number;
  readonly files: number;
  readonly rows: string;
  readonly bytes: string;
  readonly skipped: readonly SkippedCount[];
  /** Why there is nothing to do; null if there is something. Workers of earlier releases do not say. */
  readonly reason?: string | null;
}

export interface RewrittenFiles {
  readonly group: number;
  /** Null: no row is left, or the group was skipped. */
  readonly manifestLocation: string | null;
  readonly filesRemoved: number;
  readonly bytesRemoved: string;
  readonly rows: string;
  readonly files: number;
  readonly bytes: string;
  readonly skipped: string | null;
}

export interface CommittedCompaction {
  readonly committed: readonly number[];
  /** Groups that another writer was faster with. */
  readonly conflicts: readonly number[];
  readonly snapshotId: string | null;
}

export interface CompactActivities {
  /**
   * Checks a request and starts the run of its table, or hands it to the one in flight.
   *
   * @throws `INVALID_ARGUMENT` naming what is wrong with the request; `TABLE_NOT_FOUND`, `METADATA_CORRUPT`
   */
  requestCompact(input: { readonly request: unknown; readonly replyTo: string }): Promise<RequestedRun>;
  /** How a run ended; null while it is in flight. */
  compactOutcome(run: RequestedRun): Promise<RunOutcome<CompactResult> | null>;
  /** Chooses the groups and stores the plan. `again`: only the partitions of these groups of an earlier plan of the run. */
  planCompaction(input: {
    readonly request: CompactInput;
    readonly runId: string;
    readonly again?: { readonly planLocation: string; readonly groups: readonly number[] };
  }): Promise<PlannedCompaction>;
  /** Writes the rows of one group into files that nobody can see yet. */
  rewriteGroup(input: PlanReference & { readonly group: number }): Promise<RewrittenFiles>;
  /** Puts the new files of some groups in the place of the old ones. */
  commitCompaction(
    input: PlanReference & { readonly groups: readonly Pick<RewrittenFiles, 'group' | 'manifestLocation'>[] },
  ): Promise<CommittedCompaction>;
  /** Gives the run's lease back. */
  endCompaction(input: { readonly table: string; readonly runId: string }): Promise<void>;
}
