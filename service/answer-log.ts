/** Answers for feature services, logged beside the reads: nothing that happens to a log reaches a read. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerConfig } from '../config/index.js';
import type { Definitions } from '../features/index.js';
import { FeatureLogger, type FeatureLoggerStats, isSampled, type LogDeps } from '../logging/index.js';
import { type FoundRows, type OnlineRequest, responseOf } from '../online/index.js';
import { keyValueOfJson } from './key-value-json.js';

/** Told what an operator should know; as Fastify's logger. */
export interface AnswerLogNotes {
  error(context: object, message: string): void;
}

/** An answer that is in the sample. */
interface SampledAnswer {
  readonly requestId: string;
  readonly loggedAtUs: bigint;
  readonly found: FoundRows;
  readonly entities: OnlineRequest['entities'];
}

const AMISS = {
  full: 'served features are dropped: too many wait to be logged',
  failing: 'the log of served features cannot be written',
  refused: 'served features cannot be logged',
};
const LOST = 'served features are lost: their log was not written before the service ended';
/** Milliseconds to write what is left, beyond the time in which requests in flight finish. */
const CLOSE_MS = 2_000;
type Amiss = keyof typeof AMISS;

interface ServiceLog {
  readonly logger: FeatureLogger;
  readonly sampleRate: number;
  /** Rows of answers that could not be logged. */
  refused: number;
  /** What kept the rest from being written at the end. */
  error?: unknown;
  /** What was said to be amiss, each with how many rows were written then. */
  readonly said: Map<Amiss, number>;
}

/** The logs of the configured feature services. */
export class AnswerLog {
  readonly #logs: ReadonlyMap<string, ServiceLog>;
  readonly #notes: AnswerLogNotes;
  #flushed: Promise<void> | undefined;

  /** @param services share of the requests to log, by feature service */
  constructor(deps: LogDeps, services: ServerConfig['logFeatures'], notes: AnswerLogNotes) {
    this.#notes = notes;
    const open = (service: string, sampleRate: number): ServiceLog => {
      // The sample is drawn here, before there are rows.
      const logger = new FeatureLogger(deps, service, { onError: (error) => this.#say(log, 'failing', error) });
      const log: ServiceLog = { logger, sampleRate, refused: 0, said: new Map() };
      return log;
    };
    this.#logs = new Map([...services].map(([service, { sampleRate }]) => [service, open(service, sampleRate)]));
  }

  /** Rows so far by feature service; those that could not be logged are `failed`. */
  get stats(): ReadonlyMap<string, FeatureLoggerStats> {
    return new Map(
      [...this.#logs].map(([service, { logger, refused }]) => {
        const { stats } = logger;
        return [service, { ...stats, failed: stats.failed + refused }];
      }),
    );
  }

  /** Configured services that definitions do not have: nothing is logged for them. */
  missingIn({ featureServices }: Definitions): readonly string[] {
    return [...this.#logs.keys()].filter((service) => !featureServices.has(service));
  }

  /** Draws whether an answer that is about to be sent is logged. @returns what to call once it was sent, if it is */
  sample({ service, entities }: OnlineRequest, found: FoundRows): (() => void) | undefined {
    const log = typeof service === 'string' ? this.#logs.get(service) : undefined;
    if (log === undefined) return undefined;
    const requestId = randomUUID();
    if (!isSampled(requestId, log.sampleRate)) return undefined;
    const loggedAtUs = BigInt(Date.now()) * 1000n;
    return () => this.#log(log, { requestId, loggedAtUs, found, entities });
  }

  /** Takes no more answers, and writes those that wait. Ends when that is done or has failed; never throws. */
  flush(): Promise<void> {
    this.#flushed ??= Promise.all([...this.#logs.values()].map((log) => flush(log))).then(() => undefined);
    return this.#flushed;
  }

  /** Waits for the end of {@link flush}, {@link CLOSE_MS} at most, and says what is lost. Never throws. */
  async close(): Promise<void> {
    const limit = new AbortController();
    await Promise.race([this.flush(), sleep(CLOSE_MS, undefined, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
    for (const { logger, error } of this.#logs.values()) {
      const { service, stats } = logger;
      if (stats.buffered > 0 || error !== undefined)
        this.#notes.error({ err: error, service, rows: stats.buffered }, LOST);
    }
  }

  #log(log: ServiceLog, { found, ...answer }: SampledAnswer): void {
    const { logger } = log;
    try {
      const { dropped } = logger.stats;
      logger.log({ ...answer, response: responseOf(found), readKeyValue: keyValueOfJson });
      if (logger.stats.dropped > dropped) this.#say(log, 'full', null);
    } catch (error) {
      log.refused += found.entities;
      this.#say(log, 'refused', error);
    }
  }

  /** Says what is amiss once, and again if it is after the log was written. */
  #say({ logger, said }: ServiceLog, what: Amiss, error: unknown): void {
    const { written } = logger.stats;
    if (said.get(what) === written) return;
    said.set(what, written);
    this.#notes.error({ err: error, service: logger.service }, AMISS[what]);
  }
}

async function flush(log: ServiceLog): Promise<void> {
  try {
    await log.logger.close();
  } catch (error) {
    log.error = error;
  }
}
