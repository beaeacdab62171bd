/** The time that the body of a request may take to arrive. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { MoraineError } from '../errors/index.js';
import type { RouteConfig } from './add-route.js';
import { mediaTypeOf } from './media-type.js';
import { endWith, lateError } from './send-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Ends the request when its body is late; null for a request without one. */
    arrivalTimer: NodeJS.Timeout | null;
    /** Whether it was answered because its body did not arrive. What becomes of it after that is of no interest. */
    isLate: boolean;
  }
}

/** Milliseconds for a client to take the answer. Then the connection is closed, whatever it still sends. */
const TAKE_MS = 1_000;

/**
 * Answers 408 to requests whose bodies do not arrive in time, but for those that their handlers read.
 * @param refused hears of each
 */
export function limitArrival(
  app: FastifyInstance,
  ms: number,
  refused: (error: MoraineError, request: FastifyRequest) => void,
): void {
  app.decorateRequest('arrivalTimer', null);
  app.decorateRequest('isLate', false);
  app.addHook('onRequest', async (request) => {
    const { raw, routeOptions } = request;
    const hasBody = 'content-length' in raw.headers || 'transfer-encoding' in raw.headers;
    const { streamedTypes = [] } = routeOptions.config as RouteConfig;
    if (!hasBody || streamedTypes.includes(mediaTypeOf(raw.headers))) return;
    const late = (): void => {
      if (raw.complete) return;
      request.isLate = true;
      const error = lateError();
      refused(error, request);
      endWith(error, raw.socket);
      setTimeout(() => raw.socket.destroy(), TAKE_MS).unref();
    };
    request.arrivalTimer = setTimeout(late, ms);
  });
  // The rest of a body may arrive while its client takes the answer: what was refused is not done.
  app.addHook('preHandler', async ({ isLate }) => {
    if (isLate) throw lateError();
  });
  app.addHook('onResponse', async ({ arrivalTimer }) => {
    if (arrivalTimer !== null) clearTimeout(arrivalTimer);
  });
}
