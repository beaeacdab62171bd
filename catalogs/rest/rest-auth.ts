/**
 * Who asks a REST catalog: nobody, the bearer of a token, or an OAuth2 client.
 * Source: Iceberg REST catalog specification, "/v1/oauth/tokens"; RFC 6749 section 4.4 (client credentials), RFC 8693 (token exchange).
 */
import type { Clock } from '../clock.js';
import { optionInvalid } from '../option-invalid.js';
import { RestFailure } from './rest-failure.js';
import type { RestOptions } from './rest-options.js';

/** One way to prove who asks. */
export interface RestAuth {
  /** Headers of the next request. @throws RestFailure if there is no valid token and none can be had */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** The server did not accept the headers of a request. Whether other ones can be had, so that it is worth another try. */
  rejected(): boolean;
  /** Texts that must not be shown to anyone. */
  secrets(): readonly string[];
}

/** Sends a form to a token endpoint, and gives the JSON members of the answer. @throws RestFailure */
export type FetchToken = (
  endpoint: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
) => Promise<Readonly<Record<string, unknown>>>;

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** A token is replaced when less than this, or a fifth of its time, is left: a request, and a clock that is wrong, need some. */
const REFRESH_BEFORE_MS = 60_000;
const REFRESH_BEFORE_SHARE = 0.2;

const KEPT_TOKENS = 8;

/** What goes with a request for a token. Source: RFC 6749, RFC 8693 and the options of PyIceberg. */
const FORM_OPTIONS = ['scope', 'audience', 'resource'] as const;

/**
 * @param tokenEndpoint where tokens are had unless `oauth2-server-uri` names another place
 * @throws MoraineError `CONFIG_INVALID`
 */
export function restAuth(options: RestOptions, tokenEndpoint: string, fetchToken: FetchToken, clock: Clock): RestAuth {
  const { token, credential } = options;
  if (credential !== undefined) {
    const colon = credential.indexOf(':');
    const clientSecret = credential.slice(colon + 1);
    if (clientSecret === '') throw optionInvalid('credential', 'must be CLIENT_ID:CLIENT_SECRET');
    const form = {
      grant_type: 'client_credentials',
      ...(colon < 0 ? {} : { client_id: credential.slice(0, colon) }),
      client_secret: clientSecret,
      ...formOptions(options),
    };
    return new OAuth2(
      options['oauth2-server-uri'] ?? tokenEndpoint,
      { form, secret: clientSecret },
      token,
      fetchToken,
      clock,
    );
  }
  if (token === undefined) return NOBODY;
  const canRefresh =
    (options['token-refresh-enabled'] ?? 'true').toLowerCase() === 'true' && expiryOf(token) !== undefined;
  if (!canRefresh) return new Bearer(token);
  return new OAuth2(
    options['oauth2-server-uri'] ?? tokenEndpoint,
    { form: formOptions(options) },
    token,
    fetchToken,
    clock,
  );
}

function formOptions(options: RestOptions): Record<string, string> {
  const form: Record<string, string> = { scope: 'catalog' };
  for (const name of FORM_OPTIONS) if (options[name] !== undefined) form[name] = options[name];
  return form;
}

const NOBODY: RestAuth = {
  headers: () => Promise.resolve({}),
  rejected: () => false,
  secrets: () => [],
};

/** A token that is used as it is for as long as it lasts. */
class Bearer implements RestAuth {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  headers(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({ authorization: `Bearer ${this.#token}` });
  }

  rejected(): boolean {
    return false;
  }

  secrets(): readonly string[] {
    return [this.#token];
  }
}

interface Token {
  readonly text: string;
  /** When to replace it; undefined for a token that does not say when it expires. */
  readonly replaceAtMs: number | undefined;
}

/**
 * A client whose tokens are replaced before they expire: with its credential for new ones, without one by exchanging the old token for the
 * next. All requests that wait for a token wait for the same one.
 */
class OAuth2 implements RestAuth {
  readonly #endpoint: string;
  /** The form of client credentials with its secret, or what goes with the exchange of a token. */
  readonly #grant: { readonly form: Readonly<Record<string, string>>; readonly secret?: string };
  readonly #fetchToken: FetchToken;
  readonly #clock: Clock;
  #token: Token | undefined;
  #next: Promise<Token> | undefined;
  /** The last tokens: a late answer may repeat one that has been replaced. */
  #tokens: readonly string[] = [];

  constructor(
    endpoint: string,
    grant: { readonly form: Readonly<Record<string, string>>; readonly secret?: string },
    token: string | undefined,
    fetchToken: FetchToken,
    clock: Clock,
  ) {
    this.#endpoint = endpoint;
    this.#grant = grant;
    this.#fetchToken = fetchToken;
    this.#clock = clock;
    if (token !== undefined) this.#use({ text: token, replaceAtMs: replaceAt(expiryOf(token)) });
  }

  async headers(): Promise<Readonly<Record<string, string>>> {
    const token = this.#token;
    const isFresh = token !== undefined && (token.replaceAtMs ?? Infinity) > this.#clock.nowMs();
    return { authorization: `Bearer ${isFresh ? token.text : (await this.#replace()).text}` };
  }

  rejected(): boolean {
    if (this.#grant.secret === undefined) return false;
    this.#token = undefined;
    return true;
  }

  secrets(): readonly string[] {
    const { secret } = this.#grant;
    return [...(secret === undefined ? [] : [secret]), ...this.#tokens];
  }

  async #replace(): Promise<Token> {
    this.#next ??= this.#fetch(this.#token);
    try {
      return this.#use(await this.#next);
    } finally {
      this.#next = undefined;
    }
  }

  #use(token: Token): Token {
    if (token !== this.#token) this.#tokens = [...this.#tokens, token.text].slice(-KEPT_TOKENS);
    this.#token = token;
    return token;
  }

  async #fetch(old: Token | undefined): Promise<Token> {
    const { form, secret } = this.#grant;
    const exchange = {
      grant_type: TOKEN_EXCHANGE,
      subject_token: old?.text ?? '',
      subject_token_type: ACCESS_TOKEN,
      ...form,
    };
    const asked = secret === undefined ? exchange : form;
    const headers: Record<string, string> = {};
    if (secret === undefined) headers['authorization'] = `Bearer ${old?.text ?? ''}`;
    const answer = await this.#fetchToken(this.#endpoint, asked, headers);
    const { access_token: text, expires_in: seconds } = answer;
    if (typeof text !== 'string' || text === '')
      throw new RestFailure('refused', 'the token endpoint answered without an access_token');
    const lastsMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
    const expiresMs = lastsMs === undefined ? expiryOf(text) : this.#clock.nowMs() + lastsMs;
    return { text, replaceAtMs: replaceAt(expiresMs, lastsMs) };
  }
}

function replaceAt(expiresMs: number | undefined, lastsMs = Infinity): number | undefined {
  if (expiresMs === undefined) return undefined;
  return expiresMs - Math.min(REFRESH_BEFORE_MS, lastsMs * REFRESH_BEFORE_SHARE);
}

/** When a JSON web token expires, as it says itself; undefined for any other token. Source: RFC 7519, section 4.1.4. */
function expiryOf(token: string): number | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const seconds = (claims as { exp?: unknown } | null)?.exp;
    return typeof seconds === 'number' ? seconds * 1000 : undefined;
  } catch {
    return undefined;
  }
}
