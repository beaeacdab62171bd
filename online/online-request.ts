/** What an online read is asked for, and what it answers. */
import type { IcebergType } from '../iceberg/index.js';
import type { EntityRow, ReadKeyValue } from './entity-key.js';
import type { SnapshotName } from './lineage.js';
import type { OnlineValue } from './online-status.js';
import type { FeatureSelection } from './select-features.js';

export interface OnlineRequest extends FeatureSelection {
  /** Join key to value, one for each entity; null values match nothing. */
  readonly entities: readonly (EntityRow | Readonly<Record<string, unknown>>)[];
  /** Key values are text, as typed on a command line. */
  readonly entitiesAsText?: boolean | undefined;
  /** Reads key values that are written in another way. */
  readonly readKeyValue?: ReadKeyValue | undefined;
  /** As of when, in microseconds since the epoch; now by default. */
  readonly nowUs?: bigint | undefined;
  /** Call features `view__feature`. */
  readonly fullFeatureNames?: boolean | undefined;
  /** By view: the snapshot of its online table that must be in what is read, as an answer or a write names it, or by its id alone. */
  readonly minSnapshots?: ReadonlyMap<string, bigint | SnapshotName> | undefined;
  /** How long ago the tables' pointers may have been checked last, in milliseconds; 0 (check now) by default. */
  readonly maxStalenessMs?: number | undefined;
  /**
   * Milliseconds that this read may take, whatever it has to open. By default what the reader is configured with, or for the
   * first read of a view at least {@link FIRST_READ_TIMEOUT_MS}.
   */
  readonly readTimeoutMs?: number | undefined;
  /** Ends the read with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** Return values older than the ttl too; their status stays `OUTSIDE_MAX_AGE`. */
  readonly includeExpired?: boolean | undefined;
}

export interface OnlineFeature {
  /** Its name in the answer. */
  readonly name: string;
  readonly view: string;
  /** The view's name in the request; its own name unless it has another. */
  readonly alias: string;
  readonly feature: string;
  readonly type: IcebergType;
}

/** A join key as the request's entities name it. */
export interface OnlineJoinKey {
  readonly name: string;
  readonly type: IcebergType;
}

/** The snapshot that was read of one view's table. The name of one of an online table is full: `minSnapshots` of a later read takes it. */
export interface SnapshotRead extends SnapshotName {
  readonly view: string;
  readonly table: string;
}

export interface OnlineResponse {
  readonly features: readonly OnlineFeature[];
  /** Every join key that was looked up by, once. */
  readonly joinKeys: readonly OnlineJoinKey[];
  /** One for each entity of the request, in its order; values in the order of `features`. */
  readonly rows: readonly (readonly OnlineValue[])[];
  /** The snapshots that were read. A table that was never written has no snapshot. */
  readonly snapshots: readonly SnapshotRead[];
  readonly nowUs: bigint;
  /** How long ago the definitions and tables of this answer were looked at, the longest of them, in milliseconds. */
  readonly stalenessMs: number;
}
