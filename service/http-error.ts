/** Errors as the service answers them: a status and a JSON body, both from the one table of error codes. */
import { didYouMean, ERROR_TABLE, type ErrorCode, isMoraineError, MoraineError } from '../errors/index.js';
import { MAX_BODY_BYTES } from './route.js';
import { bodyTooLarge } from './spool.js';

/** Body of an answer that is not 200. */
export interface ErrorBody {
  /** What was wrong, and where. */
  readonly error: string;
  readonly code: ErrorCode;
  /** What to do. */
  readonly remedy: string;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;
}

/** Seconds after which a client may ask again. */
const RETRY_AFTER = '1';

/**
 * @param error whatever a route or the server threw
 * @param maxBodyBytes of the route
 */
export function errorAnswer(error: unknown, maxBodyBytes?: number): ErrorAnswer {
  const { code, message, remedy, retryable } = asMoraineError(error, maxBodyBytes);
  const status = ERROR_TABLE[code].httpStatus;
  return {
    status,
    body: { error: message, code, remedy },
    headers: {
      ...(retryable && (status === 429 || status === 503) ? { 'retry-after': RETRY_AFTER } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      // The rest of a late body is not waited for.
      ...(status === 408 ? { connection: 'close' } : {}),
    },
  };
}

function asMoraineError(error: unknown, maxBodyBytes?: number): MoraineError {
  if (isMoraineError(error)) return error;
  return (
    fastifyError(error as FastifyFailure, maxBodyBytes) ??
    new MoraineError('INTERNAL', 'The service failed; its log has the reason.', { cause: error })
  );
}

/** The part of Fastify's errors that is read here. */
interface FastifyFailure {
  readonly code?: string;
  readonly message?: string;
  readonly validation?: readonly SchemaProblem[];
  readonly validationContext?: string;
  readonly statusCode?: number;
}

interface SchemaProblem {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parentSchema?: { readonly properties?: object };
}

function fastifyError(
  { code, message = '', validation, validationContext, statusCode }: FastifyFailure,
  maxBodyBytes = MAX_BODY_BYTES,
): MoraineError | undefined {
  const [problem] = validation ?? [];
  if (problem !== undefined)
    return new MoraineError(
      'INVALID_ARGUMENT',
      problemText(problem, validationContext === 'querystring' ? 'query' : 'body'),
    );
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge(maxBodyBytes);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new MoraineError('MEDIA_TYPE_UNSUPPORTED', sentence(message));
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new MoraineError('INVALID_ARGUMENT', sentence(message));
  return undefined;
}

function problemText(
  { instancePath, keyword, message, params, parentSchema }: SchemaProblem,
  part: 'body' | 'query',
): string {
  const place = instancePath === '' ? `The ${part}` : `The ${part}'s ${placeText(instancePath)}`;
  if (keyword === 'required') return `${place} has no '${String(params['missingProperty'])}'.`;
  if (keyword === 'enum')
    return `${place} must be one of ${(params['allowedValues'] as readonly unknown[]).map(String).join(', ')}.`;
  if (keyword !== 'additionalProperties') return `${place} ${message ?? 'is not valid'}.`;
  const name = String(params['additionalProperty']);
  return `${place} has an unknown field '${name}'. ${didYouMean(name, Object.keys(parentSchema?.properties ?? {}))}`;
}

/** A JSON pointer (RFC 6901) with dots between its parts. */
function placeText(pointer: string): string {
  const parts = pointer.slice(1).split('/');
  return parts.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~')).join('.');
}

const sentence = (text: string): string => (text.endsWith('.') ? text : `${text}.`);
