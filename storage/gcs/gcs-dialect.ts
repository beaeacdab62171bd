/**
 * Google Cloud Storage by its XML API, which is S3's protocol in words of its own. A request has headers of one of the two families, and the
 * condition of writes is in Google's alone: it ignores `If-None-Match`. So every header is put into Google's words, and signed in them.
 * Source: Cloud Storage, "XML API", "Request preconditions", "Simple migration from Amazon S3".
 */
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { MoraineError } from '../../errors/index.js';
import { staticCredentials } from '../s3/aws-client.js';
import { commonClientConfig, isOn, optionInvalid, requestTimeoutMs, UNSIGNED } from '../s3/s3-options.js';
import type { StorageOptions, StoreDialect } from '../s3/store-dialect.js';
import { gcsAuthorization, type HmacKey, sha256 } from './gcs-signature.js';

const ENDPOINT = 'https://storage.googleapis.com';

/** Headers of the SDK that mean nothing here: checksums, and what the SDK says of itself. */
const LEFT_OUT = /^(x-amz-checksum-|x-amz-sdk-|x-amz-user-agent$|x-amz-content-sha256$|x-amz-date$|amz-sdk-)/;

type SdkSigner = Extract<S3ClientConfig['signer'], { readonly sign: unknown }>;
type SdkRequest = Awaited<ReturnType<SdkSigner['sign']>>;

function clientConfig(options: StorageOptions): S3ClientConfig {
  const endpoint = options['gcs.service.host'] ?? ENDPOINT;
  return {
    ...commonClientConfig(options, 'gcs', endpoint),
    endpoint,
    region: 'auto',
    forcePathStyle: true,
    ...UNSIGNED,
    signer: { sign: (request) => Promise.resolve(translated(request, authorizationOf(options))) },
  };
}

/** Makes the header `authorization` of a request; undefined: it goes without one. */
type Authorize = (request: SdkRequest, contentSha256: string, time: string) => string | undefined;

/** @throws MoraineError `CONFIG_INVALID` where the options name no access, or half of a key; `STORAGE_UNAVAILABLE` for a token that has ended */
function authorizationOf(options: StorageOptions): Authorize {
  if (isOn(options, 'gcs.no-auth')) return () => undefined;
  const token = options['gcs.oauth2.token'];
  if (token !== undefined) {
    if (Date.now() < Number(options['gcs.oauth2.token-expires-at'] ?? Infinity)) return () => `Bearer ${token}`;
    throw new MoraineError('STORAGE_UNAVAILABLE', 'The token of gcs.oauth2.token has expired. Set a new one.');
  }
  const key: HmacKey | undefined = staticCredentials(options, 'gcs', optionInvalid);
  if (key === undefined) {
    throw optionInvalid(
      'gcs.access-key-id',
      'is missing: Google Cloud Storage needs an HMAC key (gcs.access-key-id, gcs.secret-access-key) or a token (gcs.oauth2.token)',
    );
  }
  return ({ method, path, query = {}, headers }, contentSha256, time) => {
    const pairs = Object.entries(query).map(([name, value]) => [name, String(value ?? '')] as const);
    return gcsAuthorization({ method, path, query: pairs, headers, contentSha256 }, key, time);
  };
}

/** The same request in Google's words, signed. */
function translated(request: SdkRequest, authorize: Authorize): SdkRequest {
  // All but the name of the operation, which AWS alone knows.
  const query = Object.fromEntries(Object.entries(request.query ?? {}).filter(([name]) => name !== 'x-id'));
  const port = request.port === undefined ? '' : `:${request.port}`;
  const own = Object.entries(request.headers).flatMap(([name, value]) => ownHeader(name.toLowerCase(), value));
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const body: unknown = request.body;
  const contentSha256 = sha256(typeof body === 'string' || body instanceof Uint8Array ? body : '');
  const headers: Record<string, string> = {
    ...Object.fromEntries(own),
    host: `${request.hostname}${port}`,
    'x-goog-date': time,
    'x-goog-content-sha256': contentSha256,
  };
  // Proxies and Google's own servers change the others on their way.
  const signed = Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('x-goog-') || SIGNED.has(name)),
  );
  const authorization = authorize({ ...request, query, headers: signed }, contentSha256, time);
  return { ...request, query, headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) } };
}

const SIGNED = new Set(['host', 'content-type', 'content-md5']);

function ownHeader(name: string, value: string): [string, string][] {
  if (LEFT_OUT.test(name)) return [];
  if (name === 'if-none-match') return [['x-goog-if-generation-match', '0']];
  return [[name.replace(/^x-amz-/, 'x-goog-'), value]];
}

function adapt(client: S3Client, options: StorageOptions): void {
  const payer = payerOf(options);
  client.middlewareStack.add(
    (next) => (sent) => {
      const { headers } = sent.request as { readonly headers: Record<string, string> };
      if (payer !== undefined) headers['x-goog-user-project'] = payer;
      return next(sent);
    },
    { step: 'build', name: 'headersOfOptions' },
  );
  client.middlewareStack.add(
    (next) => async (sent) => {
      const result = await next(sent);
      const { headers } = result.response as { readonly headers: Record<string, string> };
      for (const [name, value] of Object.entries(headers)) {
        if (name.startsWith('x-goog-meta-')) headers[name.replace('x-goog-', 'x-amz-')] = value;
      }
      return result;
    },
    // Before the SDK reads the answer.
    { step: 'deserialize', name: 'wordsOfTheSdk', priority: 'low' },
  );
}

/** The project that pays; undefined: the bucket's. */
function payerOf(options: StorageOptions): string | undefined {
  const project = options['gcs.project-id'];
  if (!isOn(options, 'gcs.requester-pays')) return options['gcs.user-project'];
  if (project !== undefined) return project;
  throw optionInvalid('gcs.project-id', 'is missing beside gcs.requester-pays: it is the project that pays');
}

/** Google Cloud Storage. */
export const GCS_DIALECT: StoreDialect = {
  clientConfig,
  // That a token has ended is said when it is used.
  requireAccess: (options) => void authorizationOf({ ...options, 'gcs.oauth2.token-expires-at': 'Infinity' }),
  grantedAccess: (held) => ({
    signer: { sign: async (request) => translated(request, authorizationOf(await held())) },
  }),
  adapt,
  requestTimeoutMs: (options) => requestTimeoutMs(options, 'gcs'),
  scopeOf: (options) =>
    JSON.stringify([
      options['gcs.service.host'] ?? ENDPOINT,
      options['gcs.access-key-id'] ?? sha256(options['gcs.oauth2.token'] ?? ''),
    ]),
  // The condition is ignored there.
  completesConditionally: false,
};
