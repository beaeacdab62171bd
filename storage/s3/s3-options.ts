/** Options of an object store as the settings of a client. */
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { MoraineError } from '../../errors/index.js';
import { requestHandler, staticCredentials } from './aws-client.js';

/** Options by the names that PyIceberg gives them, for example `s3.endpoint`. Secrets among them never appear in messages. */
export type StorageOptions = Readonly<Record<string, string>>;

const CONNECT_SECONDS = 10;
const REQUEST_SECONDS = 60;

/** A request is tried this many times, with waits in between. */
const ATTEMPTS = 5;

/**
 * The settings of the client.
 * @throws MoraineError `CONFIG_INVALID` naming the option
 */
export function s3ClientConfig(options: StorageOptions): S3ClientConfig {
  const endpoint = options['s3.endpoint'];
  const region = options['s3.region'] ?? (endpoint === undefined ? undefined : 'us-east-1');
  const credentials = staticCredentials(options, 's3', invalid);
  const profile = options['s3.profile-name'];
  const isVirtual = options['s3.force-virtual-addressing']?.toLowerCase() ?? String(endpoint === undefined);
  return {
    // Few stores but AWS have a host name for each bucket.
    forcePathStyle: isVirtual !== 'true',
    maxAttempts: ATTEMPTS,
    // Other stores refuse the checksums that the SDK adds by itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: requestHandler({
      connectMs: 1000 * Number(options['s3.connect-timeout'] ?? CONNECT_SECONDS),
      requestMs: requestTimeoutMs(options),
    }),
    // Elsewhere any region does; AWS has the environment's or the profile's.
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(profile === undefined ? {} : { profile }),
  };
}

/** How long the store may be silent, in milliseconds. */
export const requestTimeoutMs = (options: StorageOptions): number =>
  1000 * Number(options['s3.request-timeout'] ?? REQUEST_SECONDS);

/** Whether the options say whose credentials are used, rather than leaving it to the environment. */
export const hasCredentials = (options: StorageOptions): boolean =>
  ['s3.access-key-id', 's3.secret-access-key', 's3.session-token', 's3.profile-name'].some(
    (name) => options[name] !== undefined,
  );

function invalid(name: string, rule: string): MoraineError {
  return new MoraineError('CONFIG_INVALID', `The storage option ${name} ${rule}.`, { details: { option: name } });
}

/**
 * Tells a store with its credentials from others, among the files that processes of one user share: whoever has other credentials must not
 * read what these could. Nothing of it is a secret.
 */
export function scopeOf(options: StorageOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const own = options['s3.access-key-id'] ?? options['s3.profile-name'];
  const ofEnvironment = IDENTITIES.map((name) => environment[name] ?? '');
  return JSON.stringify([
    options['s3.endpoint'] ?? '',
    options['s3.region'] ?? '',
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
