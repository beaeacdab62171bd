/** Conflicts of writers: how often, how long and with which waits work is tried again that lost a race for a table. */
import { type Catalog, type Clock, SYSTEM_CLOCK } from '../catalogs/index.js';
import { type BackOff, backOffMs, type ErrorCode, isMoraineError, MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';

/** Limits of repeated work. Times in milliseconds. */
export interface RetryLimits extends BackOff {
  readonly retries: number;
  /** A retry begins at most this long after the first attempt began. */
  readonly totalTimeoutMs: number;
}

function property(metadata: TableMetadata, name: string, fallback: number): number {
  const text = metadata.properties.get(name);
  const value = Number(text);
  return text !== undefined && Number.isFinite(value) && value >= 0 ? value : fallback;
}

/** The table's `commit.retry.*` properties. Names and defaults: Iceberg documentation, "Table behavior properties". */
export function commitRetry(metadata: TableMetadata): RetryLimits {
  return {
    retries: property(metadata, 'commit.retry.num-retries', 4),
    minWaitMs: property(metadata, 'commit.retry.min-wait-ms', 100),
    maxWaitMs: property(metadata, 'commit.retry.max-wait-ms', 60_000),
    totalTimeoutMs: property(metadata, 'commit.retry.total-timeout-ms', 1_800_000),
  };
}

/** The table's `commit.status-check.*` properties: how often a commit of unknown outcome is looked for. */
export function statusCheck(metadata: TableMetadata): RetryLimits {
  return {
    retries: property(metadata, 'commit.status-check.num-retries', 3),
    minWaitMs: property(metadata, 'commit.status-check.min-wait-ms', 1000),
    maxWaitMs: property(metadata, 'commit.status-check.max-wait-ms', 60_000),
    totalTimeoutMs: property(metadata, 'commit.status-check.total-timeout-ms', 1_800_000),
  };
}

/** So many times more tries, with waits that stay short: for work that costs more to do again than to commit once more beside a busy writer. */
export function persistently(limits: RetryLimits, times: number): RetryLimits {
  return { ...limits, retries: limits.retries * times, maxWaitMs: Math.min(limits.maxWaitMs, limits.minWaitMs) };
}

/**
 * Limits of work that is planned again on the newer table after its commit was refused. A writer of a small table that begins again as soon
 * as it has ended wins about every other time: ten lost races in a row come up within minutes.
 */
const PLAN_AGAIN: RetryLimits = { retries: 100, minWaitMs: 10, maxWaitMs: 1000, totalTimeoutMs: 1_800_000 };

/** Whether a conflict was given up after {@link Attempts}: others were faster with the table each time. Other conflicts say that trying again is of no use. */
export const isOutrun = ({ details }: MoraineError): boolean => details['attempts'] !== undefined;

/** The attempts of one piece of work, with the waits between them. */
export class Attempts {
  readonly #limits: RetryLimits;
  readonly #clock: Clock;
  readonly #giveUpAtMs: number;
  #number = 1;

  constructor(limits: RetryLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#giveUpAtMs = clock.monotonicMs() + limits.totalTimeoutMs;
  }

  /** The attempt that is under way, from 1. */
  get number(): number {
    return this.#number;
  }

  /** Waits before the next attempt. @throws MoraineError with the code of the error once the retries or the time are used up */
  async next(error: MoraineError): Promise<void> {
    const attempts = this.#number;
    const waitMs = backOffMs(this.#limits, attempts, () => this.#clock.random());
    if (attempts > this.#limits.retries || this.#clock.monotonicMs() + waitMs > this.#giveUpAtMs) {
      const message = `${error.message} It was given up after ${attempts} attempts.`;
      throw new MoraineError(error.code, message, { details: { ...error.details, attempts }, cause: error });
    }
    await this.#clock.sleep(waitMs);
    this.#number += 1;
  }
}

/**
 * Does work that reads the newest table, and again after each conflict.
 * @param catalog its clock counts the time
 * @param isConflict whether an error is a conflict; those with the code `COMMIT_CONFLICT` unless given
 * @throws what the work throws: a conflict only once it is given up
 */
export async function retryConflicts<T>(
  catalog: Pick<Catalog, 'clock'>,
  work: (attempt: number) => Promise<T>,
  isConflict: (error: unknown) => error is MoraineError = hasCode('COMMIT_CONFLICT'),
): Promise<T> {
  const attempts = new Attempts(PLAN_AGAIN, clockOf(catalog));
  for (;;) {
    try {
      return await work(attempts.number);
    } catch (error) {
      if (!isConflict(error)) throw error;
      await attempts.next(error);
    }
  }
}

/** For {@link retryConflicts}: errors with one of these codes are conflicts. */
export function hasCode(...codes: readonly ErrorCode[]): (error: unknown) => error is MoraineError {
  return (error): error is MoraineError => isMoraineError(error, ...codes);
}

/**
 * Looks for something a few times, with waits in between.
 * @returns what was found, or undefined
 */
export async function lookRepeatedly<T>(
  limits: RetryLimits,
  catalog: Pick<Catalog, 'clock'>,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const clock = clockOf(catalog);
  for (let tries = 1; tries <= limits.retries; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    if (tries < limits.retries) await clock.sleep(backOffMs(limits, tries, () => clock.random()));
  }
  return undefined;
}

export const clockOf = (catalog: Pick<Catalog, 'clock'>): Clock => catalog.clock ?? SYSTEM_CLOCK;
