/** Errors of object stores, classified once. */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { type ErrorCode, isMoraineError, MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';

interface Reason {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** By the name of the error, or by its HTTP status. */
const REASONS = new Map<string | number, Reason>([
  [
    'NoSuchBucket',
    { code: 'STORAGE_UNAVAILABLE', reason: 'the bucket does not exist. Make it, or correct the location' },
  ],
  [404, { code: 'FILE_NOT_FOUND', reason: 'it does not exist' }],
  [412, { code: 'FILE_ALREADY_EXISTS', reason: 'it exists already' }],
  [416, { code: 'DATA_FILE_CORRUPT', reason: 'it ends before the bytes that were asked for' }],
  [
    301,
    {
      code: 'STORAGE_UNAVAILABLE',
      reason: 'the bucket is in another region, or behind another endpoint. Set s3.region or s3.endpoint',
    },
  ],
  [
    'AuthorizationHeaderMalformed',
    { code: 'STORAGE_UNAVAILABLE', reason: 'the request was signed for another region. Set s3.region' },
  ],
  ['RequestTimeTooSkewed', { code: 'STORAGE_UNAVAILABLE', reason: 'the clock of this machine is wrong. Set it' }],
  [
    'InvalidAccessKeyId',
    {
      code: 'STORAGE_UNAVAILABLE',
      reason: 'the access key is not known there. Correct s3.access-key-id or the credentials of the environment',
    },
  ],
  [
    'SignatureDoesNotMatch',
    {
      code: 'STORAGE_UNAVAILABLE',
      reason: 'the secret access key is wrong. Correct s3.secret-access-key or the credentials of the environment',
    },
  ],
  ['ExpiredToken', { code: 'STORAGE_UNAVAILABLE', reason: 'the credentials have expired. Renew them' }],
  [
    'CredentialsProviderError',
    {
      code: 'STORAGE_UNAVAILABLE',
      reason: 'no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile',
    },
  ],
  [
    403,
    {
      code: 'STORAGE_UNAVAILABLE',
      reason: 'permission is denied. Allow the action in the policy of these credentials',
    },
  ],
  [
    501,
    {
      code: 'STORAGE_UNAVAILABLE',
      reason: 'the store does not implement this request. Creating files needs conditional writes (If-None-Match)',
    },
  ],
  [
    'ENOTFOUND',
    { code: 'STORAGE_UNAVAILABLE', reason: 'the host of the endpoint has no address. Correct s3.endpoint' },
  ],
  [
    'ECONNREFUSED',
    { code: 'STORAGE_UNAVAILABLE', reason: 'nothing listens at the endpoint. Correct s3.endpoint, or start the store' },
  ],
]);

/** Codes of a certificate that is not trusted, has ended, or is of another host. */
const UNTRUSTED = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT)/;
const NOT_TRUSTED: Reason = {
  code: 'STORAGE_UNAVAILABLE',
  reason:
    'the certificate of the store is not trusted. Set NODE_EXTRA_CA_CERTS to the file of its authority, or correct s3.endpoint',
};

/** The HTTP status of an answer; undefined where there was none. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

/**
 * The error for a failed request. Errors that are classified already pass through. Nothing of the request's headers is repeated.
 * @param action what was tried, as a verb: `read`, `create`
 */
export function s3Error(error: unknown, action: string, location: Location): MoraineError {
  if (isMoraineError(error)) return error;
  const { name = 'unknown', code = '', message = String(error) } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const status = statusOf(error);
  const known =
    (UNTRUSTED.test(code) ? NOT_TRUSTED : undefined) ??
    REASONS.get(name) ??
    REASONS.get(code) ??
    (status === undefined ? undefined : REASONS.get(status));
  const text = `Cannot ${action} ${printableLocation(location)}: ${known?.reason ?? (message === '' ? name : message)}.`;
  const details = { location, storeCode: name, ...(status === undefined ? {} : { httpStatus: status }) };
  return new MoraineError(known?.code ?? 'STORAGE_UNAVAILABLE', text, { details, cause: error });
}
