/** The plan of a compaction: everything that rewriting and committing need, fixed once and stored as an immutable file. */
import type { FileFormat, PartitionTuple } from '../../iceberg/index.js';
import type { PinnedTable } from '../../tables/index.js';
import type { CompactStrategy } from './compact-request.js';

/** A data file to rewrite. */
export interface FileToRewrite {
  readonly path: string;
  readonly recordCount: bigint;
  readonly fileSizeInBytes: bigint;
  /** Data sequence number. */
  readonly sequenceNumber: bigint;
  readonly format: FileFormat;
  /** In tables with row lineage. */
  readonly firstRowId?: bigint | undefined;
}

/** Files that are rewritten together, by one activity: of one partition, unless `into` is given. */
export interface RewriteGroup {
  readonly specId: number;
  readonly partition: PartitionTuple;
  /** The partition spec of the new files, where rows of several partitions are folded together. */
  readonly into?: number | undefined;
  /** Data sequence number of the new files; the planned snapshot's unless given. */
  readonly sequenceNumber?: bigint | undefined;
  /** In the order that breaks every tie of the rows' own order. */
  readonly files: readonly FileToRewrite[];
  /** How many files they become, if no row is dropped. */
  readonly outputs: number;
}

/** One term of the order that rows are written in. */
export interface SortTerm {
  readonly fieldId: number;
  /** As metadata writes it. */
  readonly transform: string;
  readonly direction: 'asc' | 'desc';
  readonly nullOrder: 'nulls-first' | 'nulls-last';
}

/** The order that rows are written in; what it leaves open, the files' order and the rows' positions decide. */
export type RowOrder =
  | { readonly kind: 'files' }
  /** `sortOrderId`: of the table, when the order is one of its own. */
  | { readonly kind: 'sort'; readonly terms: readonly SortTerm[]; readonly sortOrderId: number | null }
  | { readonly kind: 'z-order'; readonly fieldIds: readonly number[] };

/** The columns that decide among the rows of an online table: field ids. */
export interface OnlineRows {
  /** The column that tells entities apart. */
  readonly keyId: number;
  readonly eventTimeId: number;
  readonly createdId: number;
  readonly pushedId: number;
  /** In the order in which they break ties. */
  readonly featureIds: readonly number[];
  /** Field ids of the join keys: a delete that goes by them alone takes all rows of an entity. */
  readonly joinKeyIds: readonly number[];
}

/** A registered view whose answers depend on the sequence numbers of rows that tie. */
export interface TieView {
  readonly name: string;
  readonly keyIds: readonly number[];
  readonly eventTimeId: number;
  readonly createdId: number | null;
  readonly featureIds: readonly number[];
}

/** Rewriting reads exactly the pinned state. */
export interface CompactionPlan extends PinnedTable {
  /** Unique; part of the names of all files of this plan. */
  readonly planId: string;
  readonly table: string;
  readonly tableUuid: string;
  readonly snapshotId: bigint;
  /** Sequence number of the snapshot; the rewritten files get it unless their group has one of its own. */
  readonly sequenceNumber: bigint;
  readonly strategy: CompactStrategy;
  /** Microseconds since the epoch: rows after it are in the future. */
  readonly nowUs: bigint;
  /** `latest`: rows with an event time before this go. */
  readonly expiredBeforeUs: bigint | null;
  readonly order: RowOrder;
  /** Rule by which rows of an online table are chosen; null for other tables. */
  readonly online: OnlineRows | null;
  /** Views whose ties the rewrite must not change; empty if they may, or cannot. */
  readonly tieViews: readonly TieView[];
  /** Whether rows carry their own row id and sequence number along. */
  readonly hasLineage: boolean;
  readonly groups: readonly RewriteGroup[];
}

/** Bytes and rows of some groups. */
export function sizeOf(groups: readonly Pick<RewriteGroup, 'files'>[]) {
  const files = groups.flatMap((group) => group.files);
  return {
    files: files.length,
    rows: files.reduce((sum, file) => sum + file.recordCount, 0n),
    bytes: files.reduce((sum, file) => sum + file.fileSizeInBytes, 0n),
  };
}
