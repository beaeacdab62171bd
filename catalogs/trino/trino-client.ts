/**
 * Statements over Trino's client protocol. A query whose answer is lost is sent again; a statement that writes is sent once, and who sent it
 * looks for what it did. Pages that follow may be asked for again. Source: Trino documentation, "Client REST API". (The client on npm,
 * `trino-client` 0.2.9, rounds 64-bit numbers.)
 */
import { backOffMs } from '../../errors/index.js';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../iceberg/index.js';
import { boundedText } from '../bounded-text.js';
import type { Clock } from '../clock.js';
import { connectionError } from '../connection-error.js';
import { proxiedFetch } from '../proxied-fetch.js';
import { retryAfter } from '../rest/rest-client.js';
import {
  queryTimeoutMs,
  type TrinoIdentity,
  type TrinoOptions,
  type TrinoPlace,
  trinoIdentity,
} from './trino-options.js';

/** A row of an answer: whole numbers beyond 2^53 are exact. */
export type TrinoRow = readonly JsonValue[];

/** How far a statement is, by Trino's own figures. */
export interface TrinoProgress {
  readonly queryId: string;
  /** `QUEUED`, `RUNNING`, `FINISHED` and others. */
  readonly state: string;
  readonly splitsDone: number;
  readonly splitsTotal: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
  /** CPU time of all workers, in milliseconds. */
  readonly cpuMs: number;
}

/** How a statement that writes is run. */
export interface TrinoWriteOptions {
  /** Session properties by name, `CATALOG.NAME` for those of a catalog, beside those of the configured header. */
  readonly session?: Readonly<Record<string, string>>;
  /** Tags that resource groups and the query log see, beside those of the configuration. */
  readonly tags?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TrinoProgress) => void) | undefined;
}

/** A statement that has written. */
export interface TrinoWritten {
  readonly queryId: string;
  /** As Trino counts the rows that it wrote; null where it does not. */
  readonly rows: bigint | null;
}

/** A statement that did not succeed. Whoever sent it turns it into an error with a code. */
export class TrinoFailure extends Error {
  /** Trino's name of the error, `TABLE_NOT_FOUND` and others; undefined where Trino did not answer the statement. */
  readonly errorName: string | undefined;
  /** Whose error it is: `USER_ERROR`, `INTERNAL_ERROR`, `EXTERNAL` or `INSUFFICIENT_RESOURCES`. */
  readonly errorType: string | undefined;
  readonly status: number | undefined;
  /** Whether the same request may succeed at once. */
  readonly isBusy: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    more: {
      readonly errorName?: string;
      readonly errorType?: string | undefined;
      readonly status?: number;
      readonly isBusy?: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'TrinoFailure';
    this.errorName = more.errorName;
    this.errorType = more.errorType;
    this.status = more.status;
    this.isBusy = more.isBusy ?? false;
    this.retryAfterMs = more.retryAfterMs;
  }

  /** Whether the same statement of the same user would fail again, whenever it is sent. */
  get isFinal(): boolean {
    if (this.errorName === undefined) return this.status === 401 || this.status === 403;
    if (this.errorName.startsWith('EXCEEDED_')) return true;
    return this.errorType === 'USER_ERROR' && !PASSING_ERRORS.has(this.errorName);
  }
}

/** Errors that Trino counts as the user's, though not for what the statement says. Source: Trino, `StandardErrorCode`. */
const PASSING_ERRORS = new Set([
  'ABANDONED_QUERY',
  'ADMINISTRATIVELY_KILLED',
  'TRANSACTION_ALREADY_ABORTED',
  'TRANSACTION_CONFLICT',
  'UNKNOWN_TRANSACTION',
  'USER_CANCELED',
]);

type Headers = Readonly<Record<string, string>>;

const TAGS = 'x-trino-client-tags';
const SESSION = 'x-trino-session';

/** A request. */
interface Asked {
  readonly method: string;
  readonly body?: string;
  readonly headers?: Headers;
  /** Ends the request, and tries of it. */
  readonly signal?: AbortSignal | undefined;
}

const MAX_TRIES = 5;
/** The next page is asked for again for so long: a query of hours does not end with a coordinator or proxy that is away for a minute. */
const PAGE_PATIENCE_MS = 120_000;
const BACK_OFF = { minWaitMs: 50, maxWaitMs: 5000 };
/** A longer wait that the server asks for ends the tries, unless it is for a page. */
const LONGEST_WAIT_MS = 30_000;

/** Whether to try again after so many tries, and the wait that the server asks for. */
type Patience = (tries: number, askedWaitMs: number) => boolean;

const upTo = (most: number): Patience => {
  return (tries, askedWaitMs) => tries < most && askedWaitMs <= LONGEST_WAIT_MS;
};
/** Trino answers within a second, also while a statement is still running. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Trino splits its answers at 16 MiB. */
const MAX_ANSWER_BYTES = 256 * 2 ** 20;
const LONGEST_MESSAGE = 1000;

/** One Trino, and who asks it. */
export class TrinoClient {
  readonly place: TrinoPlace;
  readonly clock: Clock;
  readonly #identity: TrinoIdentity;
  readonly #timeoutMs: number;

  /** @throws MoraineError `CONFIG_INVALID` */
  constructor(place: TrinoPlace, options: TrinoOptions, clock: Clock) {
    this.place = place;
    this.#identity = trinoIdentity(place.server, options);
    this.#timeoutMs = queryTimeoutMs(options);
    this.clock = clock;
  }

  /** The version of the server, such as `476`. @throws TrinoFailure */
  async version(): Promise<string> {
    const { nodeVersion } = await this.#send(`${this.place.server}/v1/info`, { method: 'GET' });
    const version = isJsonObject(nodeVersion) ? nodeVersion['version'] : undefined;
    if (typeof version === 'string') return version;
    throw new TrinoFailure('it does not say its version: check that uri is the address of Trino');
  }

  /** The rows of a query, page by page. Whoever stops early cancels it. @throws TrinoFailure */
  async *query(sql: string): AsyncGenerator<TrinoRow> {
    for await (const answer of this.#answers(sql, MAX_TRIES)) yield* rowsOf(answer);
  }

  /**
   * Runs a statement that writes, once. When it fails, nothing says whether it has written.
   * @throws TrinoFailure; what the signal says, after the query was cancelled
   */
  async write(sql: string, options: TrinoWriteOptions = {}): Promise<TrinoWritten> {
    const { session = {}, tags = [], signal, onProgress } = options;
    const { [TAGS]: configured = '', [SESSION]: ofHeader = '' } = this.#identity.headers;
    const allTags = [...(configured === '' ? [] : [configured]), ...tags];
    const headers = {
      ...(allTags.length === 0 ? {} : { [TAGS]: allTags.join(',') }),
      ...(Object.keys(session).length === 0 ? {} : { [SESSION]: sessionText(ofHeader, session) }),
    };
    let queryId = '';
    let rows: bigint | null = null;
    for await (const answer of this.#answers(sql, 1, { headers, signal })) {
      if (typeof answer['id'] === 'string') queryId = answer['id'];
      rows = countOf(answer) ?? rows;
      onProgress?.(progressOf(queryId, answer));
    }
    return { queryId, rows };
  }

  /** The answers of a statement, until it has ended. Whoever stops early cancels it. */
  async *#answers(
    sql: string,
    tries: number,
    { headers, signal }: Pick<Asked, 'headers' | 'signal'> = {},
  ): AsyncGenerator<JsonObject> {
    const endMs = this.clock.monotonicMs() + this.#timeoutMs;
    signal?.throwIfAborted();
    // Not ended by the signal: its answer says where the query is cancelled.
    const statement = { method: 'POST', body: sql, ...(headers === undefined ? {} : { headers }) };
    let answer = await this.#send(`${this.place.server}/v1/statement`, statement, upTo(tries));
    let next = this.#nextOf(answer);
    try {
      for (;;) {
        throwIfFailed(answer, (text) => this.#hidden(text));
        yield answer;
        if (next === undefined) return;
        if (this.clock.monotonicMs() > endMs)
          throw new TrinoFailure(`the query did not end within ${this.#timeoutMs} ms (trino.query-timeout-ms)`);
        // The same page may be asked for again.
        const giveUpMs = Math.min(this.clock.monotonicMs() + PAGE_PATIENCE_MS, endMs);
        const patience: Patience = (_, askedWaitMs) => this.clock.monotonicMs() + askedWaitMs < giveUpMs;
        answer = await this.#send(next, { method: 'GET', signal }, patience);
        next = this.#nextOf(answer);
      }
    } finally {
      // A query that has ended has no next page.
      if (next !== undefined) await this.#cancel(next);
    }
  }

  /** Where the next page is. An answer must not lead to another host, which would be given the credentials. */
  #nextOf({ nextUri }: JsonObject): string | undefined {
    if (nextUri === undefined || nextUri === null) return undefined;
    const { server } = this.place;
    if (typeof nextUri === 'string' && URL.canParse(nextUri) && new URL(nextUri).origin === server) return nextUri;
    const where = typeof nextUri === 'string' && URL.canParse(nextUri) ? new URL(nextUri).origin : 'no address';
    const advice = 'behind a proxy, set http-server.process-forwarded=true in Trino';
    throw new TrinoFailure(`it continues its answer at ${where}, which is not ${server}; ${advice}`);
  }

  async #cancel(next: string): Promise<void> {
    try {
      await proxiedFetch(next, { ...this.#request('DELETE'), signal: AbortSignal.timeout(5000) });
    } catch {
      // Trino gives up a query that nobody asks for.
    }
  }

  /** Sends a request, again while the server is busy or not there. */
  async #send(
    url: string,
    { method, body, headers, signal }: Asked,
    patience: Patience = upTo(MAX_TRIES),
  ): Promise<JsonObject> {
    const request = this.#request(method, headers);
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#exchange(url, { ...request, ...(body === undefined ? {} : { body }) }, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TrinoFailure) || !error.isBusy) throw error;
        const { retryAfterMs = 0 } = error;
        if (!patience(tries, retryAfterMs)) throw error;
        const pauseMs = backOffMs(BACK_OFF, tries, () => this.clock.random());
        await this.#pause(Math.max(retryAfterMs, pauseMs), signal);
      }
    }
  }

  /** @throws what the signal says, as soon as it does */
  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.clock.sleep(ms, signal);
    } finally {
      signal?.throwIfAborted();
    }
  }

  #request(method: string, more: Headers = {}): RequestInit {
    const headers = { ...this.#identity.headers, ...more, 'x-trino-catalog': this.place.catalog };
    return { method, headers, redirect: 'manual' };
  }

  async #exchange(url: string, init: RequestInit, signal?: AbortSignal): Promise<JsonObject> {
    let response: Response;
    let text: string;
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    try {
      const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
      response = await proxiedFetch(url, { ...init, signal: ends });
      text = await boundedText(response, MAX_ANSWER_BYTES, (message) => new TrinoFailure(message));
    } catch (error) {
      if (error instanceof TrinoFailure) throw error;
      const { isTls, text: why } = connectionError(error);
      throw new TrinoFailure(this.#hidden(why), { isBusy: !isTls, cause: error });
    }
    if (response.ok) return members(text);
    throw this.#failed(response, text);
  }

  #failed({ status, headers }: Response, text: string): TrinoFailure {
    if (status >= 300 && status < 400) {
      const to = headers.get('location') ?? 'another address';
      return new TrinoFailure(
        this.#hidden(`it redirects to ${to}, which is not followed: set uri to it if you trust it`),
        { status },
      );
    }
    const isBusy = [429, 502, 503, 504].includes(status);
    const said = text.trim() === '' ? 'nothing' : text.trim();
    return new TrinoFailure(this.#hidden(`it answered ${status} and says: ${said}`), {
      status,
      isBusy,
      retryAfterMs: retryAfter(headers.get('retry-after'), this.clock),
    });
  }

  /** A text of the server or of the network, without the secrets that it may repeat. */
  #hidden(text: string): string {
    let shown = text;
    for (const secret of this.#identity.secrets.toSorted((a, b) => b.length - a.length))
      shown = shown.replaceAll(secret, '***');
    return shown.length > LONGEST_MESSAGE ? `${shown.slice(0, LONGEST_MESSAGE)}...` : shown;
  }
}

/** Session properties as their header has them: those of the configured header, as far as they are not set beside it, and those that are. */
function sessionText(ofHeader: string, session: Readonly<Record<string, string>>): string {
  const isSet = (property: string): boolean => Object.hasOwn(session, property.split('=', 1)[0]?.trim() ?? '');
  const others = ofHeader.split(',').filter((property) => property.trim() !== '' && !isSet(property));
  const own = Object.entries(session).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return [...others, ...own].join(',');
}

/** The rows that a statement has written; null until it has ended. */
function countOf({ updateCount }: JsonObject): bigint | null {
  if (typeof updateCount === 'bigint') return updateCount;
  return typeof updateCount === 'number' && Number.isInteger(updateCount) ? BigInt(updateCount) : null;
}

function progressOf(queryId: string, { stats }: JsonObject): TrinoProgress {
  const figures = isJsonObject(stats) ? stats : {};
  const count = (name: string): number => Number(figures[name] ?? 0);
  return {
    queryId,
    state: typeof figures['state'] === 'string' ? figures['state'] : 'UNKNOWN',
    splitsDone: count('completedSplits'),
    splitsTotal: count('totalSplits'),
    rowsRead: count('processedRows'),
    bytesRead: count('physicalInputBytes'),
    cpuMs: count('cpuTimeMillis'),
  };
}

function throwIfFailed({ error }: JsonObject, hidden: (text: string) => string): void {
  if (!isJsonObject(error)) return;
  const { message, errorName, errorType } = error;
  const name = typeof errorName === 'string' ? errorName : 'an error';
  throw new TrinoFailure(hidden(`${name}: ${typeof message === 'string' ? message : 'without a message'}`), {
    errorName: name,
    errorType: typeof errorType === 'string' ? errorType : undefined,
  });
}

function* rowsOf({ data }: JsonObject): Generator<TrinoRow> {
  if (data === undefined || data === null) return;
  if (!isJsonArray(data)) throw new TrinoFailure('it answered with rows of another encoding than was asked for');
  for (const row of data) {
    if (!isJsonArray(row)) throw new TrinoFailure('a row of its answer is not a list');
    yield row;
  }
}

function members(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new TrinoFailure('its answer is not JSON: check that uri is the address of Trino', { cause });
  }
  if (isJsonObject(value)) return value;
  throw new TrinoFailure('its answer is not a JSON object: check that uri is the address of Trino');
}
