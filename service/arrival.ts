/** The time that the body of a request may take to arrive. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RouteConfig } from './add-route.js';
import { clientErrorHandler, LATE } from './send-error.js';

/** Answers 408 to requests whose bodies do not arrive in time, but for those that their handlers read. */
export function limitArrival(app: FastifyInstance, ms: number): void {
  const waiting = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  app.addHook('onRequest', async (request) => {
    const { raw, routeOptions } = request;
    const hasBody = 'content-length' in raw.headers || 'transfer-encoding' in raw.headers;
    if (!hasBody || (routeOptions.config as RouteConfig).readsBody === true) return;
    const late = (): void => {
      if (!raw.complete) clientErrorHandler(Object.assign(new Error('late'), { code: LATE }), raw.socket);
    };
    waiting.set(request, setTimeout(late, ms));
  });
  app.addHook('onResponse', async (request) => clearTimeout(waiting.get(request)));
}
