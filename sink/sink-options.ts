/** Options of a sink. */
import type { Catalog, TableIdentifier } from '../catalogs/index.js';
import type { Engine } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import type { FileIO } from '../storage/index.js';
import type { SinkAttempt } from './protocol/sink-state.js';
import type { RejectedRecord } from './sink-records.js';
import type { Delivery, SourcePositions } from './source-position.js';
import type { UpsertOptions } from './upserts/upsert-options.js';

/** What a sink needs. */
export interface SinkDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  /** Brings the online table of a feature view up to date with its source. Absent where there are no feature views. */
  readonly materialize?: (view: string) => Promise<void>;
}

/** How a sink batches records. */
export interface SinkOptions {
  readonly table: TableIdentifier;
  /** Tells the sinks of a table apart; 1 to 100 letters, digits, `-`, `_` and `.`. Positions are kept under it. */
  readonly name: string;
  /** Records over all writers that make a batch; 10,000 by default. `Infinity`: only `flush`, `snapshot`, the interval and half of `bufferBytes` do. */
  readonly batchSize?: number;
  /** Milliseconds after which a batch that is not full is committed; 10,000 by default. `Infinity`: never. */
  readonly batchIntervalMs?: number;
  /** Writers; 1 by default. */
  readonly numPartitions?: number;
  /** Bytes of records that wait in memory, staged ones included, beyond which writers wait until they are committed; half of them make a batch. 64 MiB by default. */
  readonly bufferBytes?: number;
  /**
   * A table of the same catalog. It gets the records that are no rows, together with the batch that leaves them out, and is created if it does not exist. Without one only
   * `onCommit` is told of them.
   */
  readonly deadLetters?: TableIdentifier;
  /** Feature views that read the table and whose online tables get each batch, before the next one is committed; none by default. */
  readonly materialize?: readonly string[];
  /** Keep one row of each key; without it every record is a row of its own. */
  readonly upsert?: UpsertOptions;
  /**
   * Change the table's schema where records ask for it, before their batch is staged: add columns, widen types, make required columns optional. Off by default: such records
   * are no rows.
   */
  readonly evolveSchema?: boolean;
  /** Go on if a dead-letter table that an earlier run has files for is gone, or these files: they are lost then. */
  readonly abandonLost?: boolean;
  /** Which of several attempts at the same work opens the sink: one that stood still does not take it from a later one. */
  readonly attempt?: SinkAttempt | undefined;
  /** Told of every commit, those that batches make by themselves included. What it throws is thrown by the call that commits, and ends the sink where there is none. */
  readonly onCommit?: (commit: SinkCommit) => void;
}

/** What was committed. */
export interface SinkCommit {
  /** The last snapshot; null: there was nothing to commit, or it had been committed before. */
  readonly snapshotId: bigint | null;
  /** Rows that the table has of them. */
  readonly rows: bigint;
  /** Records that an upsert has left out: the table, or the batch, has a row of their key that is not below them. As far as this process has read them. */
  readonly superseded: bigint;
  /** Records that became no rows, as far as this process has read them. */
  readonly rejected: readonly RejectedRecord[];
  /** Committed positions. */
  readonly positions: SourcePositions;
  /** `at-least-once` if there are records without positions among them: a source that sends them again after a crash writes them again. */
  readonly delivery: Delivery;
}

type Optional = 'onCommit' | 'attempt' | 'deadLetters' | 'upsert';
export type CheckedOptions = Required<Omit<SinkOptions, Optional>> & Pick<SinkOptions, Optional>;

/** @throws MoraineError `INVALID_ARGUMENT` for an option out of its range */
export function checkOptions(options: SinkOptions): CheckedOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const checked: CheckedOptions = {
    batchSize: 10_000,
    batchIntervalMs: 10_000,
    numPartitions: 1,
    bufferBytes: 64 * 2 ** 20,
    abandonLost: false,
    evolveSchema: false,
    materialize: [],
    ...(given as unknown as SinkOptions),
  };
  const { name, batchSize, batchIntervalMs, numPartitions, bufferBytes } = checked;
  if (!/^[\w.-]{1,100}$/.test(name))
    throw invalid(`The sink's name is ${JSON.stringify(name)}; it must be 1 to 100 letters, digits, '-', '_' and '.'.`);
  const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
  if (!isWhole(batchSize) && batchSize !== Infinity)
    throw invalid(`batchSize is ${batchSize}; it must be a whole number above 0.`);
  if (!(batchIntervalMs >= 1 && batchIntervalMs < 2 ** 31) && batchIntervalMs !== Infinity)
    throw invalid(`batchIntervalMs is ${batchIntervalMs}; it must be from 1 to 2^31.`);
  if (!isWhole(numPartitions) || numPartitions > 1024)
    throw invalid(`numPartitions is ${numPartitions}; it must be from 1 to 1024.`);
  if (!isWhole(bufferBytes)) throw invalid(`bufferBytes is ${bufferBytes}; it must be a whole number above 0.`);
  return checked;
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
