/** Options of an object store as the settings of a client. */
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { MoraineError } from '../../errors/index.js';
import { requestHandler, staticCredentials } from './aws-client.js';
import { proxyAgents } from './proxy-agents.js';
import type { StorageOptions, StoreDialect } from './store-dialect.js';

const CONNECT_SECONDS = 10;
const REQUEST_SECONDS = 60;

/** A request is tried this many times, with waits in between. */
const ATTEMPTS = 5;

/**
 * Settings that every client of a store has.
 * @param prefix of the options' names: `s3`, `gcs`
 * @param endpoint where most requests go
 */
export function commonClientConfig(options: StorageOptions, prefix: string, endpoint: string): S3ClientConfig {
  return {
    maxAttempts: ATTEMPTS,
    // Other stores refuse the checksums that the SDK adds by itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: requestHandler({
      connectMs: 1000 * Number(options[`${prefix}.connect-timeout`] ?? CONNECT_SECONDS),
      requestMs: requestTimeoutMs(options, prefix),
      agents: proxyAgents(endpoint, options[`${prefix}.proxy-uri`]),
    }),
  };
}

export const requestTimeoutMs = (options: StorageOptions, prefix: string): number =>
  1000 * Number(options[`${prefix}.request-timeout`] ?? REQUEST_SECONDS);

/** Whether an option that is a flag is set to true. */
export const isOn = (options: StorageOptions, name: string): boolean => options[name]?.toLowerCase() === 'true';

function clientConfig(options: StorageOptions): S3ClientConfig {
  const endpoint = options['s3.endpoint'];
  refuseGoogle(endpoint);
  const region = options['s3.region'] ?? (endpoint === undefined ? undefined : 'us-east-1');
  const credentials = roleCredentials(options, region) ?? staticCredentials(options, 's3', optionInvalid);
  const profile = options['s3.profile-name'];
  const isVirtual = options['s3.force-virtual-addressing']?.toLowerCase() ?? String(endpoint === undefined);
  return {
    ...commonClientConfig(options, 's3', endpoint ?? `https://s3.${region ?? 'us-east-1'}.amazonaws.com`),
    // Few stores but AWS have a host name for each bucket.
    forcePathStyle: isVirtual !== 'true',
    // Elsewhere any region does; AWS has the environment's or the profile's.
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(profile === undefined ? {} : { profile }),
    ...(isOn(options, 's3.anonymous') ? UNSIGNED : {}),
  };
}

/** Credentials of a role that is taken with the other ones; undefined where no role is named. */
function roleCredentials(options: StorageOptions, region: string | undefined): S3ClientConfig['credentials'] {
  const role = options['s3.role-arn'];
  if (role === undefined) return undefined;
  const own = staticCredentials(options, 's3', optionInvalid);
  const params = { RoleArn: role, RoleSessionName: options['s3.role-session-name'] ?? 'moraine' };
  return async () => {
    const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
    const assume = fromTemporaryCredentials({
      params,
      ...(own === undefined ? {} : { masterCredentials: own }),
      ...(region === undefined ? {} : { clientConfig: { region } }),
    });
    return await assume();
  };
}

/** Requests as they are. The SDK asks for credentials all the same. */
export const UNSIGNED: Pick<S3ClientConfig, 'credentials' | 'signer'> = {
  credentials: { accessKeyId: 'nobody', secretAccessKey: '' },
  signer: { sign: (request) => Promise.resolve(request) },
};

/** It would take two writers' files for one: its stores answer 200 to `If-None-Match` and replace what is there. */
function refuseGoogle(endpoint: string | undefined): void {
  if (endpoint === undefined || !/(^|\.)storage\.googleapis\.com$/.test(new URL(endpoint).hostname)) return;
  throw optionInvalid(
    's3.endpoint',
    'is that of Google Cloud Storage, which ignores the condition of writes under s3://; name its buckets gs://BUCKET and set gcs.access-key-id and gcs.secret-access-key, or gcs.oauth2.token',
  );
}

/** Commands that make objects. */
const MAKES_OBJECTS = new Set(['PutObjectCommand', 'CreateMultipartUploadCommand', 'CopyObjectCommand']);

/** Values of `s3.sse.type`, as Java has them, with those of the header. */
const ENCRYPTIONS = new Map([
  ['none', undefined],
  ['s3', 'AES256'],
  ['kms', 'aws:kms'],
  ['dsse-kms', 'aws:kms:dsse'],
]);

function adapt(client: S3Client, options: StorageOptions): void {
  const payer: Record<string, string> = isOn(options, 's3.requester-pays')
    ? { 'x-amz-request-payer': 'requester' }
    : {};
  const encryption = encryptionHeaders(options);
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (sent) => {
        const { headers } = sent.request as { readonly headers: Record<string, string> };
        Object.assign(headers, payer, MAKES_OBJECTS.has(commandName) ? encryption : {});
        return next(sent);
      },
    { step: 'build', name: 'headersOfOptions' },
  );
}

function encryptionHeaders(options: StorageOptions): Record<string, string> {
  const type = options['s3.sse.type']?.toLowerCase() ?? 'none';
  const key = options['s3.sse.key'];
  if (!ENCRYPTIONS.has(type)) {
    throw optionInvalid('s3.sse.type', `must be one of ${[...ENCRYPTIONS.keys()].join(', ')}`);
  }
  const method = ENCRYPTIONS.get(type);
  const takesKey = method?.startsWith('aws:kms') === true;
  if (key !== undefined && !takesKey) throw optionInvalid('s3.sse.key', 'goes with s3.sse.type kms or dsse-kms');
  return {
    ...(method === undefined ? {} : { 'x-amz-server-side-encryption': method }),
    ...(key === undefined ? {} : { 'x-amz-server-side-encryption-aws-kms-key-id': key }),
  };
}

/** Whether the options say whose credentials are used, rather than leaving it to the environment or to catalogs. */
export const hasCredentials = (options: StorageOptions): boolean =>
  CREDENTIALS.some((name) => options[name] !== undefined);

/** Those of the options that say where a store is. */
export const addressOptions = (options: StorageOptions): StorageOptions =>
  Object.fromEntries(Object.entries(options).filter(([name]) => name === 's3.endpoint' || name === 'gcs.service.host'));

const CREDENTIALS = [
  's3.access-key-id',
  's3.secret-access-key',
  's3.session-token',
  's3.profile-name',
  's3.role-arn',
  's3.anonymous',
  'gcs.access-key-id',
  'gcs.secret-access-key',
  'gcs.oauth2.token',
  'gcs.no-auth',
];

export function optionInvalid(name: string, rule: string): MoraineError {
  return new MoraineError('CONFIG_INVALID', `The storage option ${name} ${rule}.`, { details: { option: name } });
}

function scopeOf(options: StorageOptions): string {
  const own =
    options['s3.access-key-id'] ?? options['s3.profile-name'] ?? (isOn(options, 's3.anonymous') ? '' : undefined);
  const ofEnvironment = IDENTITIES.map((name) => process.env[name] ?? '');
  return JSON.stringify([
    options['s3.endpoint'] ?? '',
    options['s3.region'] ?? '',
    ...(options['s3.role-arn'] === undefined ? [] : [options['s3.role-arn']]),
    ...(own === undefined ? ofEnvironment : [own]),
  ]);
}

/** Variables by which the SDK finds credentials, as far as they are no secrets. */
const IDENTITIES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_ROLE_ARN',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CONFIG_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
];

function grantedAccess(held: () => Promise<StorageOptions>): Pick<S3ClientConfig, 'credentials'> {
  return {
    credentials: async () => {
      const options = await held();
      return {
        accessKeyId: options['s3.access-key-id'] ?? 'signed-by-the-catalog',
        secretAccessKey: options['s3.secret-access-key'] ?? '',
        ...(options['s3.session-token'] === undefined ? {} : { sessionToken: options['s3.session-token'] }),
        // The client must not keep them: when they end is not its to know.
        expiration: new Date(0),
      };
    },
  };
}

/** S3, and stores with its protocol. */
export const S3_DIALECT: StoreDialect = {
  clientConfig,
  requireAccess: () => undefined,
  grantedAccess,
  adapt,
  requestTimeoutMs: (options) => requestTimeoutMs(options, 's3'),
  scopeOf,
  completesConditionally: true,
};
