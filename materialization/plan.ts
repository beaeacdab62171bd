/** The materialization plan: everything that extraction and commit need, fixed once and stored as an immutable file. */
import type { TableIdentifier } from '../catalogs/index.js';
import type { ResolvedView } from '../features/index.js';
import type { FileFormat, IdentityValues } from '../iceberg/index.js';
import type { PinnedTable } from '../tables/index.js';
import type { RunKind } from './decide.js';
import type { Interval } from './interval.js';
import type { Progress } from './progress.js';
import type { Shard } from './shards.js';

/** A data file to read. */
export interface PlannedSourceFile {
  readonly path: string;
  readonly recordCount: bigint;
  readonly fileSizeInBytes: bigint;
  /** Data sequence number: decides among rows that tie in event and created time. */
  readonly sequenceNumber: bigint;
  /** Parquet unless given. */
  readonly format?: FileFormat;
  /** Values of columns that the file may lack. */
  readonly identityValues?: IdentityValues;
}

/** Files of the source of which the rows with event times in the interval count. */
export interface SourceRead extends Interval {
  /**
   * The rows to write: the newest of each entity, or for all times (rows that lay in the future when planned) the one
   * that wins among those of an entity and time.
   */
  readonly keep: 'newest' | 'all';
  readonly files: readonly PlannedSourceFile[];
  /** The snapshot whose deletes apply to the files; null: the table had none. */
  readonly snapshotId: bigint | null;
  /** Only rows that were last updated after it count. */
  readonly afterSequenceNumber?: bigint | undefined;
}

/** Buckets that are written anew from everything that is covered, in place of all files they have. */
export interface BucketRebuild {
  /** Null: every bucket, and every file of the online table goes. */
  readonly buckets: readonly number[] | null;
  readonly reads: readonly SourceRead[];
  /** Files of the online table whose pushed rows are kept. */
  readonly pushedFiles: readonly PlannedSourceFile[];
}

/** Extraction reads exactly this state of the source. */
export interface PlannedSource extends PinnedTable {
  readonly table: string;
  readonly tableUuid: string;
  readonly snapshotId: bigint;
}

export interface PlannedOnlineTable extends PinnedTable {
  readonly identifier: TableIdentifier;
  readonly tableUuid: string;
  /** Null: the table was empty. */
  readonly snapshotId: bigint | null;
  /** Digest of the progress that the plan continues from. */
  readonly progressToken: string;
  readonly keyStrategy: 'column' | 'encoded';
  readonly keyColumn: string;
  readonly buckets: number;
}

/** The basis of a plan besides the source: it decides whether its reads are still right on a newer online table. */
export interface PlanBasis {
  /** Null: there was none. */
  readonly progress: Progress | null;
  /** The snapshot since which the source has lost no row of the interval; null: that was not looked at. */
  readonly keptSinceSnapshotId: bigint | null;
}

/** Engines that reduce the rows of a source. */
export const REDUCTION_ENGINES = ['duckdb', 'trino'] as const;

/** A step before the shards: every file is read once, and the shards merge the winners that were staged for them. */
export interface Reduction {
  readonly engine: (typeof REDUCTION_ENGINES)[number];
  /** Steps that can be taken at once; together they read every file once. */
  readonly parts: number;
}

export interface MaterializationPlan {
  readonly view: ResolvedView;
  /** `nothing`: no rows to write, only progress to record. */
  readonly kind: RunKind;
  readonly reason: string;
  readonly interval: Interval;
  readonly runKey: string;
  readonly attemptId: string;
  readonly source: PlannedSource;
  readonly online: PlannedOnlineTable;
  /** The newest row per entity over all of these is appended (for buckets that are not rebuilt). */
  readonly appendReads: readonly SourceRead[];
  readonly rebuild: BucketRebuild | null;
  readonly shards: readonly Shard[];
  /** Null: every shard reads the source itself. */
  readonly reduction: Reduction | null;
  readonly progressAfter: Progress;
  /** Plans of version 0.1.0 have none; they fit no other progress than that of their token. */
  readonly basis?: PlanBasis | undefined;
}

/** Files and bytes of the source that a plan reads, each file once per read. */
export function planSize(plan: Pick<MaterializationPlan, 'appendReads' | 'rebuild'>): {
  readonly files: number;
  readonly rows: bigint;
  readonly bytes: bigint;
} {
  const files = [...plan.appendReads, ...(plan.rebuild?.reads ?? [])].flatMap((read) => read.files);
  return {
    files: files.length,
    rows: files.reduce((sum, file) => sum + file.recordCount, 0n),
    bytes: files.reduce((sum, file) => sum + file.fileSizeInBytes, 0n),
  };
}
