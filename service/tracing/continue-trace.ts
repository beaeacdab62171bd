/** Traces the work of a process of its own below the request that it is for, without loading what traces it where nothing is configured. */
import { withinTime } from '../../processes/index.js';
import { spansIfConfigured } from '../../tracing/index.js';

/** What names a span to another process: headers of the W3C's trace context. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** Milliseconds that a collector has to take the spans: the end of the answer waits for it. */
const FLUSH_MS = 500;

/**
 * Does work in a span of this process below that of the carrier; its statements are spans below it. They are sent before this returns.
 * @param carrier undefined: nobody traces what this is for
 */
export async function continueTrace<T>(
  carrier: TraceCarrier | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const spans = carrier === undefined ? undefined : await spansIfConfigured();
  if (spans === undefined || carrier === undefined) return await work();
  const { context, propagation, ROOT_CONTEXT, trace } = await import('@opentelemetry/api');
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
  const span = trace.getTracer('moraine').startSpan(name, {}, parent);
  try {
    return await context.with(trace.setSpan(parent, span), work);
  } finally {
    span.end();
    await withinTime(spans.flush(), FLUSH_MS, () => new Error('The collector does not answer.')).catch(() => undefined);
  }
}
