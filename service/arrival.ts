/** The time that the body of a request may take to arrive. */
import type { FastifyInstance } from 'fastify';
import type { RouteConfig } from './add-route.js';
import { mediaTypeOf } from './media-type.js';
import { clientErrorHandler, LATE } from './send-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Ends the request when its body is late; null for a request without one. */
    arrivalTimer: NodeJS.Timeout | null;
  }
}

/** Answers 408 to requests whose bodies do not arrive in time, but for those that their handlers read. */
export function limitArrival(app: FastifyInstance, ms: number): void {
  app.decorateRequest('arrivalTimer', null);
  app.addHook('onRequest', async (request) => {
    const { raw, routeOptions } = request;
    const hasBody = 'content-length' in raw.headers || 'transfer-encoding' in raw.headers;
    const { streamedTypes = [] } = routeOptions.config as RouteConfig;
    if (!hasBody || streamedTypes.includes(mediaTypeOf(raw.headers))) return;
    const late = (): void => {
      if (!raw.complete) clientErrorHandler(Object.assign(new Error('late'), { code: LATE }), raw.socket);
    };
    request.arrivalTimer = setTimeout(late, ms);
  });
  app.addHook('onResponse', async ({ arrivalTimer }) => {
    if (arrivalTimer !== null) clearTimeout(arrivalTimer);
  });
}
