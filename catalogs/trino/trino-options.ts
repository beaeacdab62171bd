/** Where Trino is, and who asks it. */
import { optionInvalid } from '../option-invalid.js';
import { extraHeaders } from '../rest/rest-options.js';

/** Options by name. Secrets among them never appear in messages. */
export type TrinoOptions = Readonly<Record<string, string>>;

export interface TrinoPlace {
  /** Scheme, host and port, without a slash at its end. */
  readonly server: string;
  /** The catalog's name in Trino. */
  readonly catalog: string;
}

/** A statement must end within this time unless `trino.query-timeout-ms` says otherwise. */
const QUERY_TIMEOUT_MS = 300_000;
const DEFAULT_USER = 'moraine';
const CAPABILITIES = 'x-trino-client-capabilities';
/** Without it times have three digits after the point. */
const OWN_CAPABILITY = 'PARAMETRIC_DATETIME';

/** What to do where Trino does not believe who asks. */
export const TRINO_PROOF = 'Check trino.user, and trino.password or trino.token.';

/**
 * The parts of `https://HOST:PORT/CATALOG`.
 * @throws MoraineError `CONFIG_INVALID`
 */
export function trinoPlace(uri: string): TrinoPlace {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const catalog = /^\/([^/]+)\/?$/.exec(url?.pathname ?? '')?.[1];
  if (url === undefined || catalog === undefined || !/^https?:$/.test(url.protocol))
    throw optionInvalid('uri', 'must be the address of a catalog of Trino, such as https://host:8443/CATALOG');
  if (url.username !== '' || url.password !== '')
    throw optionInvalid('uri', 'must not hold a user or password: set trino.user and trino.password');
  if (url.search !== '' || url.hash !== '') throw optionInvalid('uri', 'must not have a query or a fragment');
  return { server: url.origin, catalog: decodeURIComponent(catalog) };
}

/** How long a statement may take, in milliseconds. */
export function queryTimeoutMs(options: TrinoOptions): number {
  const text = options['trino.query-timeout-ms'];
  if (text === undefined) return QUERY_TIMEOUT_MS;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 86_400_000) return value;
  throw optionInvalid('trino.query-timeout-ms', 'must be a whole number of milliseconds, at most 86400000');
}

/** Headers of every request, and the secrets among them. */
export interface TrinoIdentity {
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** Shorter values would be hidden inside of other words and numbers of a message. */
const SHORTEST_SECRET = 6;

/** Values of headers that may be secrets. */
const secretHeaders = (headers: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(headers)
    .filter(
      ([name, value]) => value.length >= SHORTEST_SECRET || /auth|cookie|credential|key|pass|secret|token/.test(name),
    )
    .map(([, value]) => value);

/**
 * The user who asks, with a password or a token where Trino wants a proof. A token names its own user.
 * Source: Trino documentation, "Client REST API", and RFC 7617 and 6750 for the proofs.
 * @throws MoraineError `CONFIG_INVALID`, also for a proof that would be sent without TLS
 */
export function trinoIdentity(server: string, options: TrinoOptions): TrinoIdentity {
  const { 'trino.password': password, 'trino.token': token } = options;
  const user = options['trino.user'] ?? (token === undefined ? DEFAULT_USER : undefined);
  if (password !== undefined && token !== undefined)
    throw optionInvalid('trino.token', 'cannot be beside trino.password: set one of them');
  const name = password === undefined ? 'trino.token' : 'trino.password';
  if ((password ?? token) !== undefined && !server.startsWith('https:'))
    throw optionInvalid(name, 'is sent over TLS only: uri must begin with https://');
  const basic = password === undefined ? undefined : Buffer.from(`${user}:${password}`).toString('base64');
  const proof = basic === undefined ? token && `Bearer ${token}` : `Basic ${basic}`;
  const extra = extraHeaders(options);
  return {
    headers: {
      ...(user === undefined ? {} : { 'x-trino-user': user }),
      'x-trino-source': 'moraine',
      'x-trino-time-zone': 'UTC',
      ...extra,
      [CAPABILITIES]: extra[CAPABILITIES] === undefined ? OWN_CAPABILITY : `${extra[CAPABILITIES]},${OWN_CAPABILITY}`,
      ...(proof === undefined ? {} : { authorization: proof }),
    },
    secrets: [password, token, basic, ...secretHeaders(extra)].filter(
      (each) => each !== undefined && each !== '',
    ) as string[],
  };
}
