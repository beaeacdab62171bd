/** Paths that tell how the service is. */
import { type Readiness, type ReadinessDeps, readiness } from './readiness.js';
import type { Route } from './route.js';
import { HEALTH_ANSWER, READINESS_ANSWER } from './schemas.js';
import type { ServiceMetrics } from './service-metrics.js';

export interface StateDeps extends ReadinessDeps {
  readonly metrics: ServiceMetrics;
  /** Aborted when the service begins to close. */
  readonly closing: AbortSignal;
}

/** Load balancers send requests elsewhere. */
const CLOSING: Readiness = { status: 'not ready', error: 'The service is closing.', views: [] };

export function stateRoutes(deps: StateDeps): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      summary: 'The process lives.',
      scope: null,
      answers: { 200: HEALTH_ANSWER },
      handle: (_, reply) => reply.send({ status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/ready',
      summary: 'Whether every online view is open, and the service does not close.',
      scope: null,
      answers: { 200: READINESS_ANSWER, 503: READINESS_ANSWER },
      handle: async (_, reply) => {
        const found = deps.closing.aborted ? CLOSING : await readiness(deps);
        return reply.status(found.status === 'ready' ? 200 : 503).send(found);
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      summary: "Metrics in Prometheus' text format.",
      scope: 'read',
      answers: { 200: null },
      handle: async (_, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.text()),
    },
  ];
}
