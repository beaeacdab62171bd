/** Whether requests are traced, without loading what traces them. */
import type { FastifyInstance } from 'fastify';
import { withinTime } from '../../processes/index.js';
import { spansIfConfigured } from '../../tracing/index.js';

/** The tracing of a service's requests. */
export interface RequestTracing {
  /** Sends the spans that have not been sent. Never rejects, and ends within {@link FLUSH_MS}. */
  flush(): Promise<void>;
}

/** Milliseconds that a collector has to take the last spans. */
const FLUSH_MS = 2_000;

/** Traces the requests of an app, if the environment configures it; undefined, and nothing loaded, if not. */
export async function traceRequestsIfConfigured(app: FastifyInstance): Promise<RequestTracing | undefined> {
  const spans = await spansIfConfigured();
  if (spans === undefined) return undefined;
  const { traceRequests } = await import('./request-spans.js');
  traceRequests(app);
  const late = (): Error => new Error('The collector does not answer.');
  const lost = (error: unknown): void => app.log.warn(error, 'the last spans were not sent');
  return { flush: () => withinTime(spans.flush(), FLUSH_MS, late).catch(lost) };
}
