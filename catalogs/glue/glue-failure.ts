/** What is known after a request to Glue that did not succeed. */
import { MoraineError } from '../../errors/index.js';

/** As far as the SDK's errors have them. */
interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $fault?: 'client' | 'server';
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number };
}

/** Failures before anything is sent. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'CredentialsProviderError', 'TokenProviderError']);

/** Names that a service without a better word gives to what it refuses; the server may have gone on after this one. */
const MAY_GO_ON = new Set(['OperationTimeoutException', 'RequestTimeout', 'RequestTimeoutException']);

const ADVICE = new Map([
  ['AccessDeniedException', 'Allow the action in the policy of these credentials'],
  ['CredentialsProviderError', 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or glue.profile-name'],
  ['UnrecognizedClientException', 'Correct glue.access-key-id, or the credentials of the environment'],
  ['InvalidSignatureException', 'Correct glue.secret-access-key, glue.region or the clock of this machine'],
  ['ExpiredTokenException', 'Renew the credentials'],
  ['ThrottlingException', 'Try again later'],
  ['ECONNREFUSED', 'Check glue.endpoint and the network'],
  ['ENOTFOUND', 'Check glue.region, glue.endpoint and the network'],
]);

const ADVICE_OF_FOREIGN = 'Check glue.endpoint, and the proxies on the way';

/** Somebody else has answered. */
function foreignAnswer({ $metadata, $response }: SdkError): string {
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  return `its answer is not one of Glue${status === undefined ? '' : ` (HTTP ${status})`}`;
}

/** Whether an error is the refusal that Glue calls by this name. */
export const isRefusal = (error: unknown, name: string): boolean => (error as SdkError | undefined)?.name === name;

/**
 * What callers of a catalog see of a failed request.
 * @param access `write`: something may have been done although no answer says so
 */
export function glueFailure(error: unknown, database: string, access: 'read' | 'write'): MoraineError {
  const { name = 'unknown', code = '', message = String(error) } = (error ?? {}) as SdkError;
  const isForeign = name === 'SyntaxError' || [name, message].includes('UnknownError');
  const reason = isForeign ? foreignAnswer(error as SdkError) : message.replace(/[.\s]+$/, '') || name;
  if (access === 'write' && !isCertain(error as SdkError)) {
    const unknown = `AWS Glue (${database}) did not say whether a change was made: ${reason}.`;
    return new MoraineError('COMMIT_STATE_UNKNOWN', unknown, { cause: error });
  }
  const advice = isForeign ? ADVICE_OF_FOREIGN : (ADVICE.get(name) ?? ADVICE.get(code));
  const text = `AWS Glue (${database}) does not answer: ${reason}.${advice === undefined ? '' : ` ${advice}.`}`;
  return new MoraineError('CATALOG_UNAVAILABLE', text, { cause: error });
}

/** Whether nothing was done. */
function isCertain({ name = '', code = '', $fault, $metadata }: SdkError): boolean {
  if (UNREACHED.has(name) || UNREACHED.has(code)) return true;
  const status = $metadata?.httpStatusCode ?? 0;
  return $fault === 'client' && status >= 400 && status < 500 && status !== 408 && !MAY_GO_ON.has(name);
}
