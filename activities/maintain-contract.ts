/** The part of the contract that is about maintenance: types only, JSON only. Durations are texts such as `5d`. */
import type { IdleResult, LeftRequests, RequestedRun, RunOutcome, StepProgress } from './contract.js';

/** The request of a person, a schedule or a command to `maintain`. It arrives as JSON from outside and is checked by `requestMaintain`. */
export interface MaintainInput {
  /** `[CATALOG/]NS.TABLE` */
  readonly table: string;
  /** Snapshots older than this expire; unless given, the table's `history.expire.max-snapshot-age-ms`, or 5 days. */
  readonly olderThan?: string;
  /** The newest snapshots of a branch that stay, however old; unless given, the table's `history.expire.min-snapshots-to-keep`, or 1. */
  readonly retainLast?: number;
  /** Files older than this that nothing reaches are removed; 3 days unless given. */
  readonly orphansOlderThan?: string;
  /** Confirms an `orphansOlderThan` of less than a day. */
  readonly allowYoung?: boolean;
  /** Also delete files outside the table's folders that only expired snapshots name; false unless given. */
  readonly deleteOutside?: boolean;
  /** A metadata log that names more previous files is shortened to so many; unless given, the table's own properties decide. */
  readonly metadataVersions?: number;
  /** Only count what would go. */
  readonly dryRun?: boolean;
}

/** A checked request. */
export interface MaintainRequest extends MaintainInput {
  /** As it names the run: without its catalog if that is the default one. */
  readonly table: string;
}

/** The input of `maintainRun`, whose id is `maintain/<table>`. What to do comes with its signal. */
export interface MaintainRunInput {
  readonly table: string;
  readonly searchAttributes: boolean;
  /** In a history that goes on after the first request. */
  readonly left?: LeftRequests<MaintainRequest>;
}

/** To `maintainRun`: one request, and who waits for its end. */
export interface MaintainRequested {
  readonly request: MaintainRequest;
  readonly replyTo?: string;
}

/** Result of maintenance; with `dryRun`, what it would have done. */
export interface MaintainResult extends IdleResult {
  readonly table: string;
  readonly dryRun: boolean;
  readonly expiredSnapshots: number;
  readonly expiredRefs: readonly string[];
  /** Files that only expired snapshots reached. */
  readonly expiredFiles: number;
  readonly orphanFiles: number;
  readonly orphanBytes: string;
  /** Manifests of expired snapshots that could not be read; the files they list are left to the removal of orphans. */
  readonly unreadable: readonly string[];
  /** Metadata files that left the table's log. They are orphans once they are old enough. */
  readonly metadataFiles: number;
  readonly droppedDeletes: number;
  readonly manifestsBefore: number;
  readonly manifestsAfter: number;
  /** What deletes snapshots and files where the catalog owns them: they are left to it. */
  readonly fileOwner?: string;
}

/** Counts of maintenance. */
export type MaintainCounts = Omit<MaintainResult, 'table' | 'workflowId' | 'dryRun' | 'reason'>;

/** The input of `maintainTables`: runs by the policy in `moraine.yaml`. */
export interface MaintainTablesInput {
  readonly policy: true;
  /** The state that the workflow execution before this one has left. */
  readonly goesOn?: MaintainTablesState;
}

/** The state that passes from one workflow execution of `maintainTables` to the next. */
export interface MaintainTablesState {
  /** Runs that have not begun. */
  readonly runs: readonly PolicyRunInput[];
  readonly account: PolicyAccount;
  /** As of {@link PolicyPlan}. */
  readonly next?: string;
  readonly reported: MaintainTablesReported;
}

/** What is left of budgets, and for whom. */
export interface PolicyAccount {
  /** Bytes of each policy's budget that were not read. */
  readonly left: readonly number[];
  /** Tables of which some files were left, though not more than `maxBytes` were read. */
  readonly unfinished: readonly { readonly run: PolicyRunInput; readonly maxBytes: number }[];
}

/** What is known of the tables so far. */
export interface MaintainTablesReported {
  readonly progress: MaintainTablesProgress;
  /** Tables that the plan compacts. */
  readonly toCompact: number;
  /** The child in work. */
  readonly workflowId?: string;
  readonly compacted: readonly string[];
  readonly maintained: readonly string[];
  readonly failed: readonly FailedPolicyStep[];
  readonly unlisted?: UnlistedTables;
}

/** How many more there are than the lists have room for. A table that is compacted twice counts twice. */
export interface UnlistedTables {
  readonly compacted: number;
  readonly maintained: number;
  readonly failed: number;
}

/** Work that the policies ask for. */
export interface PolicyPlan {
  /** Bytes that the compactions of each policy may read together. */
  readonly budgets: readonly number[];
  /** The neediest tables of a policy first. */
  readonly runs: readonly PolicyRunInput[];
  /** Tables that cannot be read. */
  readonly failed: readonly FailedPolicyStep[];
  /** The last of these tables, if there are others after it: they are the next plan's. */
  readonly next?: string;
}

export interface PlanPolicyInput {
  readonly request: unknown;
  /** The last table of the plan before this one; absent: this is the first. */
  readonly after?: string | undefined;
  /** Bytes that are left of the budget of each policy. */
  readonly left?: readonly number[] | undefined;
}

/** Work that a policy asks for on one table. */
export interface PolicyRunInput {
  readonly table: string;
  /** Position of its policy. */
  readonly policy: number;
  readonly compact?: { readonly strategy: string; readonly maxBytes: number };
  readonly maintain?: Omit<MaintainInput, 'table' | 'dryRun' | 'allowYoung'>;
}

export interface MaintainTablesResult {
  readonly tables: number;
  readonly compacted: readonly string[];
  readonly maintained: readonly string[];
  /** Tables where something failed, and how; the others were done all the same. */
  readonly failed: readonly FailedPolicyStep[];
  /** Where there are more than two thousand tables or two hundred failures, which travel as one value. */
  readonly unlisted?: UnlistedTables;
}

export interface FailedPolicyStep {
  readonly table: string;
  readonly step: 'health' | 'compact' | 'maintain';
  /** The code of the error table, and the reason. */
  readonly message: string;
}

/** Answer of the `progress` query of `maintainTables`, also shown in its memo. */
export interface MaintainTablesProgress extends StepProgress<'planning' | 'working' | 'done'> {
  readonly tables: number;
  readonly tablesDone: number;
  /** Steps that failed. */
  readonly failed: number;
  /** Current work. */
  readonly table?: string;
  readonly doing?: FailedPolicyStep['step'];
}

/** Answer of the `progress` query, also shown in the run's memo. */
export interface MaintainProgress
  extends StepProgress<'planning' | 'expiring' | 'deleting' | 'sweeping' | 'tidying' | 'done'> {
  readonly expiredSnapshots: number;
  readonly deletedFiles: number;
  readonly passes: number;
}

export interface PlannedExpiry {
  /** Null: no snapshot has had its time. */
  readonly planLocation: string | null;
  readonly snapshots: number;
  readonly refs: readonly string[];
  /** Metadata files that leave the table's log. */
  readonly metadataFiles: number;
}

export interface MaintainActivities {
  /**
   * The work that the policies ask for, on the next two thousand tables.
   *
   * @throws `INVALID_ARGUMENT` for an input that is not right, or a configuration without a policy
   */
  planPolicy(input: PlanPolicyInput): Promise<PolicyPlan>;
  /**
   * Checks a request and starts the run of its table, or hands it to the one in flight.
   *
   * @throws `INVALID_ARGUMENT` naming what is wrong with the request; `TABLE_NOT_FOUND`, `METADATA_CORRUPT`
   */
  requestMaintain(input: { readonly request: unknown; readonly replyTo: string }): Promise<RequestedRun>;
  /** How a run ended; null while it is in flight. */
  maintainOutcome(run: RequestedRun): Promise<RunOutcome<MaintainResult> | null>;
  /** Counts what would go. */
  planMaintain(request: MaintainRequest): Promise<MaintainCounts>;
  /** Decides which snapshots have had their time, and stores the plan. */
  planExpiry(request: MaintainRequest): Promise<PlannedExpiry>;
  /** Takes the planned snapshots out of the metadata; returns how many have gone. */
  commitExpiry(input: { readonly table: string; readonly planLocation: string }): Promise<number>;
  /** Deletes the files that only they reached. */
  deleteExpiredFiles(input: { readonly table: string; readonly planLocation: string }): Promise<{
    readonly deletedFiles: number;
    readonly unreadable: readonly string[];
  }>;
  /** Deletes orphans of a part of the table's folder. */
  sweepOrphans(input: { readonly request: MaintainRequest; readonly after?: string }): Promise<{
    readonly deletedFiles: number;
    readonly deletedBytes: string;
    /** Where the next part begins; null: the whole folder has been seen. */
    readonly next: string | null;
    /** What deletes the table's files instead. */
    readonly fileOwner?: string;
  }>;
  /** Drops dangling deletes and rewrites manifests where it gains. */
  tidyManifests(input: { readonly table: string }): Promise<{
    readonly droppedDeletes: number;
    readonly manifestsBefore: number;
    readonly manifestsAfter: number;
  }>;
}
