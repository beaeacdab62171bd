/** SQLite files through `libsql`. */
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import {
  type SqlDriver,
  SqlError,
  type SqlFailure,
  type SqlParameter,
  type SqlRow,
  type SqlStatement,
} from './sql-driver.js';

const DEFAULT_BUSY_TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 50;

/** Codes after which SQLite has rolled the statement back, or never began it. */
const NOT_APPLIED = /^SQLITE_(BUSY|LOCKED|FULL|READONLY|CANTOPEN|NOTADB|CORRUPT|PERM|AUTH|NOMEM|PROTOCOL|SCHEMA)/;

function isBusy(error: SqlError): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error.cause));
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}

function classify(code: string, message: string): SqlFailure {
  if (/^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)/.test(code)) return 'unique-violation';
  if (code === 'SQLITE_ERROR' && /no such (table|column)/.test(message)) return 'undefined-name';
  // `libsql` reports a file that cannot be opened without a code.
  if (NOT_APPLIED.test(code) || message.startsWith('ConnectionFailed')) return 'unavailable';
  return 'unknown';
}

/**
 * The driver of one SQLite file. A lock held by another process is waited for without blocking the event loop.
 *
 * Every statement gets a connection of its own (0.3 ms): after a failed statement `libsql` keeps a read lock until its
 * connection closes, which would keep every other process from committing.
 */
export class SqliteDriver implements SqlDriver {
  readonly #path: string;
  readonly #busyTimeoutMs: number;

  constructor(path: string, options: { readonly busyTimeoutMs?: number } = {}) {
    this.#path = path;
    this.#busyTimeoutMs = options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS;
  }

  async query(sql: string, parameters: readonly SqlParameter[] = []): Promise<readonly SqlRow[]> {
    return this.#whenFree((database) => database.prepare(sql).all(...parameters) as SqlRow[]);
  }

  async execute(sql: string, parameters: readonly SqlParameter[] = []): Promise<number> {
    return this.#whenFree((database) => database.prepare(sql).run(...parameters).changes);
  }

  async executeAll(statements: readonly SqlStatement[]): Promise<boolean> {
    return this.#whenFree((database) => {
      database.exec('BEGIN IMMEDIATE');
      // Closing the connection rolls back what was not committed.
      const isDone = statements.every(({ sql, parameters }) => database.prepare(sql).run(...parameters).changes === 1);
      database.exec(isDone ? 'COMMIT' : 'ROLLBACK');
      return isDone;
    });
  }

  async close(): Promise<void> {
    // Nothing is kept open between statements.
  }

  async #whenFree<T>(use: (database: Database.Database) => T): Promise<T> {
    const giveUpAt = performance.now() + this.#busyTimeoutMs;
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return this.#once(use);
      } catch (error) {
        if (!(error instanceof SqlError) || !isBusy(error)) throw error;
        if (performance.now() > giveUpAt) throw this.#stillBusy(error);
        await sleep(pauseMs * (0.5 + Math.random()));
      }
    }
  }

  /** Spark's JdbcCatalog looks for its tables by a query that it never closes: measured with Iceberg 1.10.1. */
  #stillBusy({ failure, message, cause }: SqlError): SqlError {
    const advice =
      'Another process holds a lock on the file; end it. Spark holds one from its first read on, unless the property ' +
      'jdbc.init-catalog-tables of its catalog is false';
    return new SqlError(failure, `${message} for ${this.#busyTimeoutMs} ms. ${advice}`, cause);
  }

  #once<T>(use: (database: Database.Database) => T): T {
    let database: Database.Database | undefined;
    try {
      database = new Database(this.#path, { timeout: 0 });
      return use(database);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new SqlError(classify(codeOf(error), message), `${this.#path}: ${message}`, error);
    } finally {
      closeQuietly(database);
    }
  }
}

/** The statement has its outcome by then. */
function closeQuietly(database: Database.Database | undefined): void {
  try {
    database?.close();
  } catch {
    // The connection is not used again.
  }
}
