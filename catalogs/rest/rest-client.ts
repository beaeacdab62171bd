/**
 * Requests to a REST catalog over HTTP. Reads are repeated while the catalog does not answer; a change is sent once, because one that is
 * sent again may meet its own success, unless the catalog knows it again by its key. Source: Iceberg REST catalog specification.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { backOffMs } from '../../errors/index.js';
import { isJsonObject, type JsonObject, parseJson, stringifyJson } from '../../iceberg/index.js';
import { boundedText } from '../bounded-text.js';
import type { Clock } from '../clock.js';
import { connectionError } from '../connection-error.js';
import { proxiedFetch } from '../proxied-fetch.js';
import { idempotencyKey } from './idempotency.js';
import { type RestAuth, restAuth } from './rest-auth.js';
import { type RestErrorModel, RestFailure, type RestOutcome } from './rest-failure.js';
import { baseAddress, extraHeaders, type RestOptions, requestTimeoutMs } from './rest-options.js';
import type { RequestSigner } from './rest-signing.js';

/** What the server answered. */
export interface RestAnswer {
  /** 2xx, 304 to a request with `if-none-match`, or 404 to one by HEAD. */
  readonly status: number;
  readonly etag: string | undefined;
  readonly text: string;
}

export interface RestRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  /** The path after the base address, already encoded, with its query. */
  readonly path: string;
  readonly body?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers beyond this are refused: as much as a metadata file may have. */
const MAX_ANSWER_BYTES = 512 * 2 ** 20;
/** Answers with a token beyond this are refused. */
const MAX_TOKEN_BYTES = 2 ** 20;
/** Reads are tried this often. */
const MAX_TRIES = 5;
const BACK_OFF = { minWaitMs: 100, maxWaitMs: 5000 };
/** A longer wait that the server asks for ends the tries. */
const LONGEST_WAIT_MS = 30_000;
const LONGEST_MESSAGE = 1000;
/** AWS takes signatures that are five minutes old. */
const LARGEST_SKEW_SECONDS = 120;

/** Errors of a connection that never came about. */
const UNREACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_INVALID_ARG_VALUE',
  'UND_ERR_INVALID_ARG',
]);

/** One catalog's address, and who asks it. */
export class RestClient {
  /** The address, without a slash at its end. */
  readonly address: string;
  readonly #options: RestOptions;
  readonly #auth: RestAuth;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #sign: RequestSigner | undefined;
  /** Secrets of the signer. */
  readonly #keys: readonly string[];

  /**
   * @param sign of requests that must be signed
   * @param auth of another client of the same server, whose tokens it shares
   * @throws MoraineError `CONFIG_INVALID`
   */
  constructor(uri: string, options: RestOptions, clock: Clock, sign?: RequestSigner, auth?: RestAuth) {
    this.address = baseAddress(uri).href.replace(/\/$/, '');
    this.#options = options;
    this.#headers = extraHeaders(options);
    this.#timeoutMs = requestTimeoutMs(options);
    this.#clock = clock;
    this.#sign = sign;
    this.#keys = ['rest.secret-access-key', 'rest.session-token'].flatMap((name) => options[name] ?? []);
    const fetchToken = (
      endpoint: string,
      form: Readonly<Record<string, string>>,
      headers: Readonly<Record<string, string>>,
    ) => this.#fetchToken(endpoint, form, headers);
    this.#auth = auth ?? restAuth(options, `${this.address}/v1/oauth/tokens`, fetchToken, clock);
  }

  /** A client of another address, or of one below this, that asks in the same name. @throws MoraineError `CONFIG_INVALID` */
  at(uri: string): RestClient {
    return new RestClient(new URL(uri, this.address).href, this.#options, this.#clock, this.#sign, this.#auth);
  }

  /** Asks for something, again if the server does not answer or is busy. @throws RestFailure of the last try */
  async read(request: RestRequest): Promise<RestAnswer> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#authorized(request);
      } catch (error) {
        if (!(error instanceof RestFailure) || tries === MAX_TRIES || !isWorthAnotherTry(error)) throw error;
        if ((error.retryAfterMs ?? 0) > LONGEST_WAIT_MS) throw error;
        await wait(this.#pauseMs(error, tries));
      }
    }
  }

  /**
   * Asks for a change: once, or, where the server remembers keys, again under the same one while nobody knows the outcome.
   * @param keyLifetimeMs how long the server remembers a key
   * @throws RestFailure
   */
  async change(request: RestRequest, keyLifetimeMs?: number): Promise<RestAnswer> {
    if (keyLifetimeMs === undefined) return await this.#authorized(request);
    const nowMs = this.#clock.nowMs();
    const headers = { ...request.headers, 'idempotency-key': idempotencyKey(nowMs) };
    return await this.#keyed({ ...request, headers }, nowMs + keyLifetimeMs);
  }

  /** Once an outcome is unknown, only an answer about the change itself settles it: being busy or refusing a token does not. */
  async #keyed(request: RestRequest, endMs: number): Promise<RestAnswer> {
    let unknown: RestFailure | undefined;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#authorized(request);
      } catch (error) {
        if (!(error instanceof RestFailure)) throw error;
        const isSettled = unknown === undefined ? error.outcome !== 'unknown' : isAboutTheRequest(error);
        if (isSettled) throw error;
        unknown ??= error;
        const waitMs = this.#pauseMs(error, tries);
        if (tries === MAX_TRIES || waitMs > LONGEST_WAIT_MS || this.#clock.nowMs() + waitMs >= endMs) throw unknown;
        await wait(waitMs);
      }
    }
  }

  /** The wait before another try: at least what the server asks for. */
  #pauseMs({ retryAfterMs = 0 }: RestFailure, tries: number): number {
    return Math.max(
      retryAfterMs,
      backOffMs(BACK_OFF, tries, () => this.#clock.random()),
    );
  }

  /** A request, and another one if the first was turned away for its token: nothing was done then, and a new token may be had. */
  async #authorized(request: RestRequest): Promise<RestAnswer> {
    try {
      return await this.#send(request);
    } catch (error) {
      if (!(error instanceof RestFailure && error.isUnauthorized && this.#auth.rejected())) throw error;
      return await this.#send(request);
    }
  }

  async #send({ method, path, body, headers }: RestRequest): Promise<RestAnswer> {
    const url = `${this.address}${path}`;
    // Whoever joins the two parts of an address anew would read names such as ".." as folders.
    if (new URL(url).href !== url) throw new RestFailure('unreached', `${path} is not an address that HTTP can name`);
    const text = body === undefined ? undefined : stringifyJson(body);
    const unsigned = {
      accept: 'application/json',
      ...this.#headers,
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...(await this.#auth.headers()),
      ...headers,
    };
    const sent = await this.#signed(method, url, unsigned, text ?? '');
    return await this.#exchange(url, { method, headers: sent, ...(text === undefined ? {} : { body: text }) });
  }

  async #signed(method: string, url: string, headers: Readonly<Record<string, string>>, body: string) {
    if (this.#sign === undefined) return headers;
    try {
      return await this.#sign({ method, url: new URL(url), headers, body });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RestFailure('unreached', `the request could not be signed: ${this.#hidden(reason)}`, { cause });
    }
  }

  async #fetchToken(
    endpoint: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
  ): Promise<JsonObject> {
    try {
      const init = { method: 'POST', headers, body: new URLSearchParams(form) };
      const { text } = await this.#exchange(endpoint, init, MAX_TOKEN_BYTES);
      return members(text);
    } catch (error) {
      if (!(error instanceof RestFailure)) throw error;
      // No request of the catalog's own has been sent. Busy token servers may be asked again.
      const isRefused = error.outcome === 'refused' && error.status !== 429;
      const message = `no token could be had: ${error.message}`;
      const { remedy } = error;
      if (isRefused) throw new RestFailure('refused', message, { status: 401, remedy, cause: error });
      throw new RestFailure('unreached', message, { retryAfterMs: error.retryAfterMs, cause: error });
    }
  }

  async #exchange(
    url: string,
    init: RequestInit & { readonly method: string },
    maxBytes = MAX_ANSWER_BYTES,
  ): Promise<RestAnswer> {
    let response: Response;
    let text: string;
    try {
      response = await proxiedFetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(this.#timeoutMs) });
      const { status } = response;
      text = await boundedText(response, maxBytes, (message) => new RestFailure('unknown', message, { status }));
    } catch (error) {
      if (error instanceof RestFailure) throw error;
      throw this.#lost(error);
    }
    const { status, headers } = response;
    const isAnswer = response.ok || status === 304 || (init.method === 'HEAD' && status === 404);
    // An answer to HEAD has no body by which a page would be known.
    if (isAnswer && /^\s*text\/html\b/i.test(headers.get('content-type') ?? ''))
      throw new RestFailure('unknown', 'a web page came in place of its answer; check uri and proxies', { status });
    if (isAnswer) return { status, etag: headers.get('etag') ?? undefined, text };
    throw this.#failed(response, text);
  }

  #lost(error: unknown): RestFailure {
    const { code, isTls, text } = connectionError(error);
    const outcome: RestOutcome = UNREACHED.has(code) || isTls ? 'unreached' : 'unknown';
    return new RestFailure(outcome, this.#hidden(text), { cause: error });
  }

  #failed({ status, headers }: Response, text: string): RestFailure {
    const model = errorModel(text);
    const retryAfterMs = retryAfter(headers.get('retry-after'), this.#clock);
    if (status >= 300 && status < 400) {
      const to = headers.get('location') ?? 'another address';
      return new RestFailure(
        'refused',
        this.#hidden(`it redirects to ${to}, which is not followed: set uri to it if you trust it`),
        { status },
      );
    }
    const said = model === undefined ? oauthError(text) : `${model.type}: ${model.message}`;
    const message = this.#hidden(
      `it answered ${status} ${said ?? 'without an error of the REST catalog specification'}`,
    );
    const outcome = status >= 500 ? 'unknown' : 'refused';
    const remedy = [401, 403].includes(status) ? this.#clockRemedy(headers) : undefined;
    return new RestFailure(outcome, message, { status, model, retryAfterMs, remedy });
  }

  /** Tokens and signatures are refused where clocks differ, and servers seldom say that this is why. */
  #clockRemedy(headers: Headers): string | undefined {
    const seconds = Math.round((Date.parse(headers.get('date') ?? '') - this.#clock.nowMs()) / 1000);
    if (!(Math.abs(seconds) > LARGEST_SKEW_SECONDS)) return undefined;
    const where = seconds > 0 ? 'behind' : 'ahead of';
    return `The clock of this machine is ${Math.abs(seconds)} seconds ${where} the server's: set it.`;
  }

  /** A text of the server or of the network, without the secrets that it may repeat. */
  #hidden(text: string): string {
    let shown = text;
    const secrets = [...this.#auth.secrets(), ...this.#keys].filter((secret) => secret !== '');
    // One of them may be part of another.
    for (const secret of secrets.toSorted((a, b) => b.length - a.length)) shown = shown.replaceAll(secret, '***');
    return shown.length > LONGEST_MESSAGE ? `${shown.slice(0, LONGEST_MESSAGE)}...` : shown;
  }
}

/** Busy servers, lost answers, and servers that are not there yet. Other 5xx say that this very request fails. */
function isWorthAnotherTry({ outcome, status }: RestFailure): boolean {
  if (status === undefined) return true;
  return outcome === 'refused' ? status === 429 : status === 502 || status === 503 || status === 504;
}

/** A refusal that the server decided on by looking at the request. */
function isAboutTheRequest({ outcome, status = 0, model }: RestFailure): boolean {
  return outcome === 'refused' && model !== undefined && [400, 404, 409, 412, 422].includes(status);
}

/** The members of a JSON object. @throws RestFailure `unknown` for anything else */
export function members(text: string): JsonObject {
  let value;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new RestFailure('unknown', 'its answer is not JSON', { status: 200, cause });
  }
  if (isJsonObject(value)) return value;
  throw new RestFailure('unknown', 'its answer is not a JSON object', { status: 200 });
}

function errorModel(text: string): RestErrorModel | undefined {
  try {
    const { error } = members(text);
    if (!isJsonObject(error)) return undefined;
    const { type, message } = error;
    return { type: typeof type === 'string' ? type : 'error', message: typeof message === 'string' ? message : '' };
  } catch {
    return undefined;
  }
}

/** The error of a token server. Source: RFC 6749, section 5.2. */
function oauthError(text: string): string | undefined {
  try {
    const { error, error_description: description } = members(text);
    if (typeof error !== 'string') return undefined;
    return typeof description === 'string' ? `${error}: ${description}` : error;
  } catch {
    return undefined;
  }
}

/** `Retry-After`, seconds or a date. Source: RFC 9110, section 10.2.3. */
export function retryAfter(text: string | null, clock: Clock): number | undefined {
  if (text === null) return undefined;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - clock.nowMs();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
