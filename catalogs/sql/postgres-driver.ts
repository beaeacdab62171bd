/** PostgreSQL through `pg`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import {
  type SqlDriver,
  SqlError,
  type SqlFailure,
  type SqlParameter,
  type SqlRow,
  type SqlStatement,
} from './sql-driver.js';

/** Connections of one process; a commit needs one for some milliseconds. */
const CONNECTIONS = 4;
const CONNECT_MS = 10_000;
/** The server gives a statement up after this, and its client a moment later. */
const STATEMENT_MS = 30_000;
const ANSWER_MS = STATEMENT_MS + 5_000;
const IDLE_MS = 30_000;

/** Two statements met, and this one was rolled back: it is tried again, for at most this time. */
const RETRY_MS = 10_000;
const LONGEST_PAUSE_MS = 100;
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK = '40P01';

/** Whether a `uri` means PostgreSQL. SQLAlchemy, and so PyIceberg, may name a driver in it: `postgresql+psycopg2://`. */
export function isPostgresUri(uri: string): boolean {
  return /^postgres(ql)?(\+\w+)?:\/\//.test(uri);
}

/** The database of a `uri` without user, password and options: it tells databases apart, and messages may show it. */
export function postgresDatabase(uri: string): string {
  const { hostname, port, pathname } = new URL(plainUri(uri));
  return `postgresql://${hostname}:${port === '' ? '5432' : port}${pathname}`;
}

const plainUri = (uri: string): string => uri.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:');

/**
 * The driver of one PostgreSQL database. Statements run by themselves, so that each is its own transaction, unless they are given together. An error that the server
 * reports says that nothing was applied; a connection that is lost in the midst of a statement says nothing.
 */
export class PostgresDriver implements SqlDriver {
  readonly #uri: string;
  #pool: Promise<pg.Pool> | undefined;

  constructor(uri: string) {
    this.#uri = plainUri(uri);
  }

  async query(sql: string, parameters: readonly SqlParameter[] = []): Promise<readonly SqlRow[]> {
    return (
      await this.#run(sql, parameters).catch((error: unknown) => {
        // A connection that was idle may have been closed by the server; reading twice does no harm.
        if (error instanceof SqlError && error.failure === 'unknown') return this.#run(sql, parameters);
        throw error;
      })
    ).rows as SqlRow[];
  }

  async execute(sql: string, parameters: readonly SqlParameter[] = []): Promise<number> {
    return (await this.#run(sql, parameters)).rowCount ?? 0;
  }

  executeAll(statements: readonly SqlStatement[]): Promise<boolean> {
    return this.#untilSettled(() =>
      this.#connected(async (client) => {
        try {
          await client.query('BEGIN');
          for (const { sql, parameters } of statements) {
            if ((await client.query(numbered(sql), [...parameters])).rowCount === 1) continue;
            await client.query('ROLLBACK');
            return false;
          }
        } catch (error) {
          // Before COMMIT is sent nothing can have been applied. The connection is closed, and with it the transaction.
          const failure = failureOf(error);
          throw this.#failure(failure === 'unknown' ? 'unavailable' : failure, error);
        }
        await client.query('COMMIT');
        return true;
      }),
    );
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await (await pool)?.end();
  }

  #run(sql: string, parameters: readonly SqlParameter[]): Promise<pg.QueryResult> {
    return this.#untilSettled(() => this.#connected((client) => client.query(numbered(sql), [...parameters])));
  }

  /** Runs it again where it was rolled back because it met another transaction. */
  async #untilSettled<T>(attempt: () => Promise<T>): Promise<T> {
    const giveUpAt = performance.now() + RETRY_MS;
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await attempt();
      } catch (error) {
        const code = error instanceof SqlError ? codeOf(error.cause) : '';
        if ((code !== SERIALIZATION_FAILURE && code !== DEADLOCK) || performance.now() > giveUpAt) throw error;
        await sleep(pauseMs * (0.5 + Math.random()));
      }
    }
  }

  /** Lends a connection, which is closed after an error that leaves open what it is in. */
  async #connected<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const pool = await this.#opened();
    const client = await pool.connect().catch((error: unknown) => {
      if (codeOf(error) !== '') throw this.#failure('unavailable', error);
      const reason = error instanceof Error ? error.message : String(error);
      const text = `${postgresDatabase(this.#uri)}: ${reason}; check that uri is the address of PostgreSQL`;
      throw new SqlError('unavailable', text, error);
    });
    let isBroken = true;
    try {
      const result = await use(client);
      isBroken = false;
      return result;
    } catch (error) {
      if (error instanceof SqlError) throw error;
      const failure = failureOf(error);
      isBroken = failure === 'unknown';
      throw this.#failure(failure, error);
    } finally {
      client.release(isBroken);
    }
  }

  /** The package is loaded for such a catalog alone. */
  #opened(): Promise<pg.Pool> {
    this.#pool ??= import('pg').then(({ default: { Pool } }) => {
      const pool = new Pool({
        connectionString: this.#uri,
        max: CONNECTIONS,
        connectionTimeoutMillis: CONNECT_MS,
        idleTimeoutMillis: IDLE_MS,
        statement_timeout: STATEMENT_MS,
        query_timeout: ANSWER_MS,
        keepAlive: true,
        allowExitOnIdle: true,
        application_name: 'moraine',
      });
      // A connection that breaks while nobody uses it: the next statement gets another one.
      pool.on('error', () => undefined);
      // One that breaks while it is in use also says so to its statement; unheard, its event would end the process.
      pool.on('connect', (client) => void client.on('error', () => undefined));
      return pool;
    });
    return this.#pool;
  }

  #failure(failure: SqlFailure, cause: unknown): SqlError {
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : codeOf(cause);
    const advice = ADVICE.get(codeOf(cause));
    const text = `${postgresDatabase(this.#uri)}: ${reason}${advice === undefined ? '' : `; ${advice}`}`;
    return new SqlError(failure, text, cause);
  }
}

/** Parameters as PostgreSQL writes them. No statement of the catalog has a question mark in a text. */
function numbered(sql: string): string {
  let number = 0;
  return sql.replaceAll('?', () => `$${(number += 1)}`);
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}

const NO_SERVER = 'check the host and port of uri, and the network';

/** What to do about errors of connections, by their codes. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['28P01', 'correct the user and password of uri'],
  ['28000', 'correct the user of uri, or let it in (pg_hba.conf)'],
  ['3D000', 'create it, or correct uri'],
  ['42501', 'give the user of uri this right'],
  ['53300', 'let the server take more connections (max_connections)'],
  ['ECONNREFUSED', NO_SERVER],
  ['ENOTFOUND', NO_SERVER],
  ['EAI_AGAIN', NO_SERVER],
  ['ETIMEDOUT', NO_SERVER],
]);

/** A key, a table, or the type of a table that another process creates at the same time. */
const DUPLICATES: ReadonlySet<string> = new Set(['23505', '42P07', '42710']);

/** Source: PostgreSQL, "Error Codes" and "Error and Notice Message Fields". */
function failureOf(error: unknown): SqlFailure {
  const code = codeOf(error);
  const { severity } = (error ?? {}) as { readonly severity?: unknown };
  if (DUPLICATES.has(code)) return 'unique-violation';
  if (code === '42P01' || code === '42703') return 'undefined-name';
  // The session goes on after an error, and the statement is rolled back. After FATAL and PANIC there is no session.
  return severity === 'ERROR' ? 'unavailable' : 'unknown';
}
