/** The database of a SQL catalog: single statements, each its own transaction, and several changes in one. */

export type SqlParameter = string | number | null;
/** Every column that the catalog reads is text. */
export type SqlRow = Readonly<Record<string, string | null>>;

/** Why a statement failed, as far as the catalog must tell. */
export type SqlFailure =
  /** A row with this key exists already. */
  | 'unique-violation'
  /** A table or column is missing. */
  | 'undefined-name'
  /** Nothing was applied; the same statement may work later. */
  | 'unavailable'
  /** It cannot be told whether the statement was applied. */
  | 'unknown';

export class SqlError extends Error {
  readonly failure: SqlFailure;

  constructor(failure: SqlFailure, message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'SqlError';
    this.failure = failure;
  }
}

export interface SqlStatement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
}

/** One database. Parameters are written `?`. Failures are {@link SqlError}s. */
export interface SqlDriver {
  query(sql: string, parameters?: readonly SqlParameter[]): Promise<readonly SqlRow[]>;
  /** Runs one statement and returns how many rows it changed. */
  execute(sql: string, parameters?: readonly SqlParameter[]): Promise<number>;
  /** Runs statements in one transaction, each of which must change one row: else nothing is changed, and the answer is false. */
  executeAll(statements: readonly SqlStatement[]): Promise<boolean>;
  close(): Promise<void>;
}
