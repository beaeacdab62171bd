/** One DuckDB connection in use by one caller. */

import { tracingChannel } from 'node:diagnostics_channel';
import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult, DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { MoraineError } from '../errors/index.js';
import type { LocalPath } from '../locations/index.js';
import { rowsInBackground } from './background-statement.js';
import { FileCopies } from './copies/file-copies.js';
import { classifyDuckDbError } from './duckdb-error.js';
import { macroStatements } from './sql/lambda-sql.js';

/** A signal is noticed at least this often while a statement runs; an interrupt between statements is lost. */
const INTERRUPT_INTERVAL_MS = 50;

/**
 * Runs statements one after another. Temporary tables live as long as the connection.
 * Every failure is a `MoraineError`; after an abort every call fails with `CANCELLED`.
 */
export class Connection {
  /** The binding's own connection, for appenders and chunks. Errors from it are not classified. */
  readonly duckdb: DuckDBConnection;
  /** The engine's folder for temporary files, which statements may use. */
  readonly tempDirectory: LocalPath;
  /** Copies that scans read in place of data files; deleted when the connection is closed. */
  readonly copies: FileCopies;
  readonly #backgroundThreads: number;
  readonly #signal: AbortSignal | undefined;
  readonly #macros = new Set<string>();

  /** @param threads that the engine has, the caller of a statement included */
  constructor(duckdb: DuckDBConnection, tempDirectory: LocalPath, threads: number, signal?: AbortSignal) {
    this.duckdb = duckdb;
    this.tempDirectory = tempDirectory;
    this.copies = new FileCopies(tempDirectory);
    this.#backgroundThreads = threads - 1;
    this.#signal = signal;
  }

  /** Runs a statement and drops its result. */
  async run(sql: string): Promise<void> {
    await this.#statement(sql, sql, () => this.duckdb.run(sql));
  }

  /** All rows of a small result, as arrays of the binding's values. Never for table data. */
  async rows(sql: string): Promise<DuckDBValue[][]> {
    return await this.#rowsOf(sql, async () => (await this.duckdb.runAndReadAll(sql)).getRows());
  }

  /**
   * The same for a statement that one thread does for the most part: the caller neither helps nor spins while it waits. Costs up to
   * some milliseconds, and all of the engine's threads but one are there for it.
   */
  async rowsInBackground(sql: string): Promise<DuckDBValue[][]> {
    if (this.#backgroundThreads === 0) return await this.rows(sql);
    return await this.#rowsOf(sql, () => rowsInBackground(this.duckdb, sql));
  }

  /** Column names and types of a statement, without running it to the end. */
  async describe(sql: string): Promise<{ readonly names: readonly string[]; readonly types: readonly DuckDBType[] }> {
    const result = await this.#statement('DESCRIBE', sql, () => this.duckdb.run(`FROM (${sql}) LIMIT 0`));
    return { names: result.columnNames(), types: result.columnTypes() };
  }

  /** A result whose chunks are fetched as they are asked for. Read it to the end, or close the connection. */
  async stream(sql: string): Promise<ResultStream> {
    const result = await this.#statement(sql, sql, () => this.duckdb.stream(sql));
    return new ResultStream(
      result,
      (work) => this.#guard(work),
      () => this.run(`EXPLAIN ANALYZE ${sql}`),
    );
  }

  /** @throws CANCELLED once the caller's signal is aborted */
  throwIfAborted(): void {
    if (this.#signal?.aborted === true) throw cancelled(this.#signal);
  }

  async #statement<T>(announced: string, sql: string, work: () => Promise<T>): Promise<T> {
    await this.#makeMacros(sql);
    return await announceStatement(announced, () => this.#guard(work));
  }

  async #rowsOf(sql: string, work: () => Promise<DuckDBValue[][]>): Promise<DuckDBValue[][]> {
    await this.#makeMacros(sql);
    return await announceStatement(sql, async (event) => {
      const rows = await this.#guard(work);
      event.rows = rows.length;
      return rows;
    });
  }

  /** Makes what the statement's nested lambdas need. */
  async #makeMacros(sql: string): Promise<void> {
    for (const [name, statement] of macroStatements(sql, this.#macros)) {
      await this.#guard(() => this.duckdb.run(statement));
      this.#macros.add(name);
    }
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    this.throwIfAborted();
    const signal = this.#signal;
    let timer: NodeJS.Timeout | undefined;
    const interrupt = (): void => {
      this.duckdb.interrupt();
      timer = setInterval(() => this.duckdb.interrupt(), INTERRUPT_INTERVAL_MS);
    };
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted === true) throw cancelled(signal);
      throw classifyDuckDbError(error, (path) => this.copies.originalOf(path));
    } finally {
      signal?.removeEventListener('abort', interrupt);
      clearInterval(timer);
    }
  }
}

type Guard = <T>(work: () => Promise<T>) => Promise<T>;

/** The chunks of a running statement. */
export class ResultStream {
  /** Column names and types. */
  readonly result: DuckDBResult;
  readonly #guard: Guard;
  readonly #runAgain: () => Promise<void>;

  constructor(result: DuckDBResult, guard: Guard, runAgain: () => Promise<void>) {
    this.result = result;
    this.#guard = guard;
    this.#runAgain = runAgain;
  }

  /** The next chunk (at most 2,048 rows), or null at the end. */
  async next(): Promise<DuckDBDataChunk | null> {
    const chunk = await this.#guard(() => this.result.fetchChunk());
    if (chunk !== null && chunk.rowCount > 0) return chunk;
    // The binding ends a stream that failed or was interrupted like one that is complete; only this tells them apart.
    if (!this.result.isStreaming) await this.#fail();
    return null;
  }

  /** The reason is lost with the stream: running the statement again brings it back. */
  async #fail(): Promise<never> {
    await this.#runAgain();
    throw new MoraineError('STORAGE_UNAVAILABLE', 'Reading failed part way, and did not when it was tried again.');
  }
}

function cancelled(signal: AbortSignal): MoraineError {
  return new MoraineError('CANCELLED', 'The query was cancelled.', { cause: signal.reason });
}

/** A statement, while it runs and afterwards. Never its text, which may hold values of rows. */
export interface StatementEvent {
  /** Its first word, such as `SELECT` or `COPY`. */
  readonly kind: string;
  /** Rows that it returned, once known. */
  rows?: number;
}

/** The name of the channel, for `node:diagnostics_channel`. */
export const STATEMENT_CHANNEL = 'moraine:statement';

const channel = tracingChannel<StatementEvent>(STATEMENT_CHANNEL);

/** Runs a statement under the channel. Costs some microseconds if nobody listens. */
export function announceStatement<T>(sql: string, work: (event: StatementEvent) => Promise<T>): Promise<T> {
  const event: StatementEvent = { kind: kindOf(sql) };
  return channel.tracePromise(() => work(event), event);
}

function kindOf(sql: string): string {
  const [word = ''] = /[A-Za-z]+/.exec(sql.slice(0, 100)) ?? [];
  return word.toUpperCase();
}
