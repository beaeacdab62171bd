/** What is asked of planning, and what it answers. */
import type { EngineType } from '../reduction/index.js';
import type { RunKind } from './decide.js';
import type { Reduction } from './plan.js';

/** The work to plan. Times are microseconds since the epoch; the window is `[startUs, endUs)`. */
export interface MaterializationRequest {
  readonly view: string;
  /** Given: the run records its window only and never moves incremental progress. */
  readonly startUs?: bigint | undefined;
  /** Given without a start: rows from this time on are held back for the next run. */
  readonly endUs?: bigint | undefined;
  /** Unique for this attempt; part of the names of all files that it stages. */
  readonly attemptId: string;
  /** The present, in microseconds since the epoch; the machine's clock unless given. */
  readonly nowUs?: bigint | undefined;
  /** Number of shards; by default as many as the source's size asks for. */
  readonly shards?: number | undefined;
  /** Number of shards that workers could share; a run has fewer if they would have few rows. */
  readonly spread?: number | undefined;
  /** Who reduces the source rows; unless given as the view and the project say. */
  readonly engine?: EngineType | undefined;
  /** A window of a backfill: it is recorded even if it holds no row, and its run key does not depend on other windows. */
  readonly isBackfill?: boolean | undefined;
}

/** A plan in short, for later steps and people: a few hundred bytes. */
export interface PlanReference {
  readonly view: string;
  readonly kind: RunKind;
  readonly reason: string;
  /** Null when there is nothing to do; a plan without shards only records that a newer source snapshot was read. */
  readonly planLocation: string | null;
  readonly runKey: string | null;
  readonly sourceTable: string;
  /** Null: the source table has no snapshot. */
  readonly sourceSnapshotId: bigint | null;
  readonly shards: number;
  /** The step between plan and shards; null: every shard reads the source itself. */
  readonly reduction: Reduction | null;
  /** Whether its parts take about as long as each other. */
  readonly partsAlike: boolean;
  readonly files: number;
  readonly rows: bigint;
  readonly bytes: bigint;
}
