/** Errors of object stores, classified once. */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { type ErrorCode, isMoraineError, MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';
import { type StoreScheme, schemeOf } from './s3-location.js';

/** Settings that errors name, for each kind of store. */
interface SettingNames {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Where credentials come from unless options have them. */
  readonly otherCredentials: string;
  readonly conditionalWrites: string;
}

const SETTINGS: Readonly<Record<StoreScheme, SettingNames>> = {
  s3: {
    endpoint: 's3.endpoint',
    accessKey: 's3.access-key-id',
    secretKey: 's3.secret-access-key',
    otherCredentials: 'the credentials of the environment',
    conditionalWrites: 'If-None-Match',
  },
  gs: {
    endpoint: 'gcs.service.host',
    accessKey: 'gcs.access-key-id',
    secretKey: 'gcs.secret-access-key',
    otherCredentials: 'gcs.oauth2.token',
    conditionalWrites: 'x-goog-if-generation-match',
  },
};

interface Reason {
  readonly code: ErrorCode;
  readonly reason: string;
}

type ReasonOf = (settings: SettingNames, region: string | undefined) => Reason;

const is =
  (code: ErrorCode, reason: string): ReasonOf =>
  () => ({ code, reason });
const unavailable =
  (reason: (settings: SettingNames, region: string | undefined) => string): ReasonOf =>
  (settings, region) => ({ code: 'STORAGE_UNAVAILABLE', reason: reason(settings, region) });

const wrongRegion = unavailable(({ endpoint }, region) =>
  region === undefined
    ? `the bucket is in another region, or behind another endpoint. Set s3.region or ${endpoint}`
    : `the bucket is in the region ${region}. Set s3.region: ${region}`,
);
const expired = unavailable(() => 'the credentials have expired. Renew them');
const noHost = unavailable(
  ({ endpoint }) => `the host of the endpoint has no address. Correct ${endpoint}, or the proxy's address`,
);

/** By the name of the error, or by its HTTP status. */
const REASONS = new Map<string | number, ReasonOf>([
  ['NoSuchBucket', unavailable(() => 'the bucket does not exist. Make it, or correct the location')],
  [404, is('FILE_NOT_FOUND', 'it does not exist')],
  [412, is('FILE_ALREADY_EXISTS', 'it exists already')],
  [416, is('DATA_FILE_CORRUPT', 'it ends before the bytes that were asked for')],
  [301, wrongRegion],
  [307, wrongRegion],
  ['AuthorizationHeaderMalformed', wrongRegion],
  ['IllegalLocationConstraintException', wrongRegion],
  ['RequestTimeTooSkewed', unavailable(() => 'the clock of this machine is wrong. Set it')],
  [
    'InvalidAccessKeyId',
    unavailable(
      (names) => `the access key is not known there. Correct ${names.accessKey} or ${names.otherCredentials}`,
    ),
  ],
  [
    'SignatureDoesNotMatch',
    unavailable((names) => `the secret access key is wrong. Correct ${names.secretKey} or ${names.otherCredentials}`),
  ],
  ['ExpiredToken', expired],
  ['TokenRefreshRequired', expired],
  ['InvalidToken', unavailable(() => 'the session token is wrong. Correct s3.session-token')],
  [
    'CredentialsProviderError',
    unavailable(() => 'no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile'),
  ],
  [
    401,
    unavailable(
      (names) => `the store does not take the credentials. Correct ${names.accessKey} or ${names.otherCredentials}`,
    ),
  ],
  [403, unavailable(() => 'permission is denied. Allow the action in the policy of these credentials')],
  [407, unavailable(() => 'the proxy asks who is there. Put user and password into its address')],
  [
    501,
    unavailable(
      (names) =>
        `the store does not implement this request. Creating files needs conditional writes (${names.conditionalWrites})`,
    ),
  ],
  ['ENOTFOUND', noHost],
  ['EAI_AGAIN', noHost],
  [
    'ECONNREFUSED',
    unavailable(({ endpoint }) => `nothing listens at the endpoint. Correct ${endpoint}, or start the store`),
  ],
]);

/** Codes of the service that has the keys of encryption. */
const OF_KEYS = /^kms[.:]/i;
const notEncrypted = unavailable(
  () => 'the store cannot use the key of its encryption. Correct s3.sse.key, or allow these credentials to use the key',
);

/** Codes of a certificate that is not trusted, has ended, or is of another host. */
const UNTRUSTED = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT)/;
const notTrusted = unavailable(
  ({ endpoint }) =>
    `the certificate of the store is not trusted. Set NODE_EXTRA_CA_CERTS to the file of its authority, or correct ${endpoint}`,
);

/** The HTTP status of an answer; undefined where there was none. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

/** The region that an answer names. */
function regionOf(error: unknown): string | undefined {
  if (!(error instanceof S3ServiceException)) return undefined;
  const { Region } = error as { readonly Region?: unknown };
  const region = typeof Region === 'string' ? Region : error.$response?.headers['x-amz-bucket-region'];
  return region !== undefined && /^[a-z0-9-]+$/.test(region) ? region : undefined;
}

/**
 * The error for a failed request. Errors that are classified already pass through. Nothing of the request's headers is repeated.
 * @param action what was tried, as a verb: `read`, `create`
 */
export function s3Error(error: unknown, action: string, location: Location): MoraineError {
  if (isMoraineError(error)) return error;
  const { name = 'unknown', code = '', message = String(error) } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const status = statusOf(error);
  const reasonOf =
    (UNTRUSTED.test(code) ? notTrusted : undefined) ??
    (OF_KEYS.test(name) ? notEncrypted : undefined) ??
    REASONS.get(name) ??
    REASONS.get(code) ??
    (status === undefined ? undefined : REASONS.get(status));
  const known = reasonOf?.(SETTINGS[schemeOf(location)], regionOf(error));
  const text = `Cannot ${action} ${printableLocation(location)}: ${known?.reason ?? (message === '' ? name : message)}.`;
  const details = { location, storeCode: name, ...(status === undefined ? {} : { httpStatus: status }) };
  return new MoraineError(known?.code ?? 'STORAGE_UNAVAILABLE', text, { details, cause: error });
}

/** The error of a store that replaces the file at the location of a new one, although it was asked not to. */
export function replacesFiles(location: Location): MoraineError {
  const { conditionalWrites } = SETTINGS[schemeOf(location)];
  const message = `The store of ${printableLocation(location)} ignores the condition of writes (${conditionalWrites}): a new file replaces one of its name. Turn conditional writes on there, or use a store that has them.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { location } });
}
