/** The header `Idempotency-Key`: a request under it is done once. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { MoraineError } from '../errors/index.js';
import { type ClientBatch, idempotencyKey } from '../online/index.js';

const HEADER = 'idempotency-key';

export const IDEMPOTENCY_HEADER = {
  'Idempotency-Key':
    'A name of the request, 1 to 255 characters: repeated within 24 hours, it is done once and answered alike.',
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Id of the API key of the request; null where keys are off. */
    apiKeyId: string | null;
    /** SHA-256 of the body in hex, of a request under an idempotency key. */
    bodyDigest: string | null;
    /** Bytes of its body that were read, whether or not its head named them; 0 while none were, and where the handler reads them. */
    bodyBytes: number;
  }
}

/** Notes the size of a body, and its digest if the request has a key. */
export function noteBody(request: FastifyRequest, body: Uint8Array): void {
  request.bodyBytes = body.length;
  if (request.headers[HEADER] !== undefined) request.bodyDigest = createHash('sha256').update(body).digest('hex');
}

/**
 * The key of a request: of its API key, its path and its header. @throws INVALID_ARGUMENT for a header that is no key
 */
export function idempotencyKeyOf(request: FastifyRequest): ClientBatch['key'] {
  const header = request.headers[HEADER];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(header))
    throw new MoraineError(
      'INVALID_ARGUMENT',
      'The header Idempotency-Key has to have 1 to 255 printable ASCII characters.',
    );
  const parts = [request.apiKeyId ?? '', request.routeOptions.url ?? '', header];
  return idempotencyKey(parts.join('\0'), request.bodyDigest ?? '');
}
