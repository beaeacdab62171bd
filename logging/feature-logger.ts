/** Logging without waiting: answers go into a bounded buffer, and from there in batches into the table. */
import { randomUUID } from 'node:crypto';
import { ERROR_TABLE, isMoraineError, MoraineError } from '../errors/index.js';
import { bucketHash } from '../iceberg/index.js';
import { commitLog, type StagedLog, stageLog } from './append-log.js';
import type { LogDeps } from './log-table.js';
import { type LoggedAnswer, loggedAnswer, type ServedFeatures } from './served-features.js';

/** How a logger buffers and what it leaves out. */
export interface FeatureLoggerOptions {
  /** Share of the requests that is logged, 0 to 1; 1 by default. Decided by the request id, the same in every process. */
  readonly sampleRate?: number;
  /** Rows that make a batch, which is one commit; 10,000 by default. */
  readonly batchRows?: number;
  /** Milliseconds after which a batch that is not full is written; 10,000 by default. */
  readonly flushIntervalMs?: number;
  /** Rows that may wait in memory; 100,000 by default. */
  readonly bufferRows?: number;
  /**
   * The treatment of an answer that finds the buffer full: `drop` (default) counts and forgets it, so that serving goes on;
   * `error` throws LIMIT_EXCEEDED.
   */
  readonly onFull?: 'drop' | 'error';
  /** Told of batches that could not be written; those that may be tried again stay in the buffer. */
  readonly onError?: (error: unknown) => void;
}

/** Rows so far. `logged` = `written` + `buffered` + `failed`. */
export interface FeatureLoggerStats {
  /** Taken into the buffer. */
  readonly logged: number;
  /** Committed. */
  readonly written: number;
  /** Waiting, or being written. */
  readonly buffered: number;
  /** Left out by the sample rate. */
  readonly sampledOut: number;
  /** Left out because the buffer was full. */
  readonly dropped: number;
  /** Given up: their batch can never be written. */
  readonly failed: number;
}

/** A batch keeps its key and its files however often its commit is tried. */
interface Batch {
  readonly runKey: string;
  readonly answers: readonly LoggedAnswer[];
  readonly rows: number;
  staged?: StagedLog;
  /** Why it was given up. */
  failure?: unknown;
}

const DEFAULTS = { sampleRate: 1, batchRows: 10_000, flushIntervalMs: 10_000, bufferRows: 100_000 };

/**
 * Logs the answers for one feature service. What `log` took is in memory until a flush: it is lost if the process is killed
 * before, and durable once `flush` or `close` has returned. Each batch is committed once, also when a commit's answer was lost.
 */
export class FeatureLogger {
  readonly service: string;
  readonly #deps: LogDeps;
  readonly #options: FeatureLoggerOptions & typeof DEFAULTS;
  readonly #timer: NodeJS.Timeout;
  /** Answers that are in no batch yet. */
  #waiting: LoggedAnswer[] = [];
  #waitingRows = 0;
  /** Batches in the order in which they are written. */
  readonly #batches: Batch[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;
  readonly #counts = { logged: 0, written: 0, buffered: 0, sampledOut: 0, dropped: 0, failed: 0 };

  /** @throws INVALID_ARGUMENT for an option out of its range */
  constructor(deps: LogDeps, service: string, options: FeatureLoggerOptions = {}) {
    this.service = service;
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...definedOnly(options) };
    checkOptions(this.#options);
    this.#timer = setInterval(() => this.#writeInBackground(), this.#options.flushIntervalMs);
    this.#timer.unref();
  }

  get stats(): FeatureLoggerStats {
    return { ...this.#counts };
  }

  /**
   * Takes an answer into the buffer. Returns at once.
   * @returns whether it was taken; false if it is not in the sample, or was dropped
   * @throws INVALID_ARGUMENT, TYPE_MISMATCH, DUPLICATE_NAME for an answer that cannot be logged; LIMIT_EXCEEDED if the
   * buffer is full and `onFull` is `error`
   */
  log(served: ServedFeatures): boolean {
    if (this.#closed) throw new MoraineError('CLOSED', 'The feature logger is closed.');
    const requestId = served.requestId ?? randomUUID();
    const rows = served.response.rows.length;
    if (!isSampled(requestId, this.#options.sampleRate)) {
      this.#counts.sampledOut += rows;
      return false;
    }
    if (this.#counts.buffered + rows > this.#options.bufferRows) return this.#refuse(rows);
    this.#waiting.push(loggedAnswer({ ...served, requestId }));
    this.#waitingRows += rows;
    this.#counts.logged += rows;
    this.#counts.buffered += rows;
    if (this.#waitingRows >= this.#options.batchRows) {
      this.#cutBatch();
      this.#writeInBackground();
    }
    return true;
  }

  /**
   * Writes everything that was logged before.
   * @throws what kept a batch from being written; unless it can never be, it stays in the buffer and is tried again
   */
  async flush(): Promise<void> {
    this.#cutBatch();
    const pending = [...this.#batches];
    // A write that is under way began before, and may end early with an error that is its own caller's.
    while (this.#writing !== undefined) await this.#writing.catch(() => undefined);
    const givenUp = pending.find(({ failure }) => failure !== undefined);
    if (givenUp !== undefined) throw givenUp.failure;
    if (pending.some((batch) => this.#batches.includes(batch))) await this.#write();
  }

  /** Writes what is left and stops. May be called again after an error. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.flush();
  }

  #refuse(rows: number): false {
    const { onFull, bufferRows } = this.#options;
    if (onFull !== 'error') {
      this.#counts.dropped += rows;
      return false;
    }
    throw new MoraineError(
      'LIMIT_EXCEEDED',
      `The buffer for logged features of service '${this.service}' is full (bufferRows: ${bufferRows}).`,
    );
  }

  #cutBatch(): void {
    if (this.#waiting.length === 0) return;
    this.#batches.push({ runKey: randomUUID(), answers: this.#waiting, rows: this.#waitingRows });
    this.#waiting = [];
    this.#waitingRows = 0;
  }

  #writeInBackground(): void {
    if (this.#writing !== undefined) return;
    this.#cutBatch();
    this.#write().catch((error: unknown) => this.#options.onError?.(error));
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeBatches().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeBatches(): Promise<void> {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      try {
        batch.staged ??= await stageLog(this.#deps, this.service, batch.answers);
        if (batch.staged.files.length > 0) await commitLog(batch.staged, batch.runKey);
      } catch (error) {
        // Files of a table that is gone are staged again, in the new one.
        if (isMoraineError(error, 'TABLE_REPLACED', 'TABLE_NOT_FOUND')) delete batch.staged;
        else if (!mayComeRight(error)) {
          batch.failure = error;
          this.#end(batch, 'failed');
        }
        throw error;
      }
      this.#end(batch, 'written');
    }
  }

  #end(batch: Batch, how: 'written' | 'failed'): void {
    this.#batches.shift();
    this.#counts.buffered -= batch.rows;
    this.#counts[how] += batch.rows;
  }
}

/** Only what the error table calls final is given up: a bug or a disk in the way may be gone the next time. */
function mayComeRight(error: unknown): boolean {
  return !isMoraineError(error) || ERROR_TABLE[error.code].retryable;
}

/** Whether a request is in a sample: its id's hash is evenly distributed. */
export function isSampled(requestId: string, sampleRate: number): boolean {
  const hash = bucketHash({ kind: 'string' }, requestId) >>> 0;
  return hash < sampleRate * 2 ** 32;
}

function definedOnly(options: FeatureLoggerOptions): FeatureLoggerOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function checkOptions({ sampleRate, batchRows, flushIntervalMs, bufferRows }: typeof DEFAULTS): void {
  const refuse = (name: string, value: number, range: string): never => {
    throw new MoraineError('INVALID_ARGUMENT', `${name} is ${value}; it must be ${range}.`);
  };
  if (!(sampleRate >= 0 && sampleRate <= 1)) refuse('sampleRate', sampleRate, 'from 0 to 1');
  if (!(Number.isInteger(batchRows) && batchRows > 0)) refuse('batchRows', batchRows, 'a whole number above 0');
  if (!(flushIntervalMs >= 1 && flushIntervalMs < 2 ** 31))
    refuse('flushIntervalMs', flushIntervalMs, 'from 1 to 2^31');
  if (!(Number.isInteger(bufferRows) && bufferRows > 0)) refuse('bufferRows', bufferRows, 'a whole number above 0');
}
