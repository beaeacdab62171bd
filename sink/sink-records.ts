/** What sources give to a sink: records that become rows when their batch is staged. */
import type { Connection } from '../engine/index.js';
import type { Schema, SchemaChange } from '../iceberg/index.js';
import type { SourcePosition } from './source-position.js';

/** Records of a batch, as a source gives them: they become rows when the batch is staged. */
export interface SinkRecords {
  /** How many there are, bad ones included. */
  readonly count: number;
  /** Memory that they take, in bytes. */
  readonly bytes: number;
  /**
   * Makes rows of them. The relation is valid until `close`.
   * @param schema the table's current schema
   * @param evolves whether the sink may change it: what says no type of a column that there is not yet is no fault of a record then
   */
  open(connection: Connection, schema: Schema, evolves?: boolean): Promise<OpenedRecords>;
  /**
   * Changes of the schema after which more of the records are rows; empty: there are none. Asked only where a sink may change the schema of its table, again
   * after each change.
   * @param evolved tells what a schema becomes by changes, as far as the table can have them: the same schema if it can have none
   */
  changes?(connection: Connection, schema: Schema, evolved?: EvolvedSchema): Promise<readonly SchemaChange[]>;
}

/** A schema after changes. */
export type EvolvedSchema = (schema: Schema, changes: readonly SchemaChange[]) => Schema;

/** Records as rows of the table. */
export interface OpenedRecords {
  /** A SELECT that gives the table's columns by name, in the order of the schema, in their DuckDB types. */
  readonly sql: string;
  /** Rows of it. */
  readonly rows: bigint;
  /** Records that are no rows, by policy dropped or diverted. */
  readonly rejected: readonly RejectedRecord[];
  /** Positions of records that a function has left out; absent: there are none. */
  readonly omitted?: readonly bigint[];
  close(): Promise<void>;
}

/** A record that is not a row. */
export interface RejectedRecord {
  readonly reason: string;
  readonly message: string;
  readonly raw: Uint8Array;
  readonly position: SourcePosition | null;
}
