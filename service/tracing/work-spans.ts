/** Spans of what requests wait for: work that they share with others, and processes of their own. Loaded only if tracing is configured. */
import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { PART_CHANNEL, type SharedWork, WORK_CHANNEL } from '../../online/index.js';
import { type OfflineProcess, PROCESS_CHANNEL } from '../offline-processes.js';

/** Requests that a span is linked to; OpenTelemetry keeps as many links of a span. */
const MAX_LINKS = 128;

let isTraced = false;

/** Traces the work of this process, whose channels all services in it share. */
export function traceWork(tracer: Tracer): void {
  if (isTraced) return;
  isTraced = true;
  traceSharedWork(tracer);
  traceProcesses(tracer);
}

/** A span for each piece of shared work, below the first request that waits for it and linked to all of them. Its statements are below it. */
function traceSharedWork(tracer: Tracer): void {
  const waiting = new WeakMap<object, Map<string, Context>>();
  const spans = new WeakMap<object, Span>();
  subscribe(PART_CHANNEL, (part) => {
    const request = trace.getSpan(context.active());
    // Work in the background that a request began may outlive its span.
    if (request?.isRecording() !== true) return;
    const requests = waiting.get(part as object) ?? new Map<string, Context>();
    if (requests.size < MAX_LINKS)
      waiting.set(part as object, requests.set(request.spanContext().spanId, context.active()));
  });
  tracingChannel(WORK_CHANNEL).subscribe({
    start: (message) => {
      const work = message as SharedWork;
      const requests = new Map(work.parts.flatMap((part) => [...(waiting.get(part) ?? [])]));
      const [first] = requests.values();
      if (first === undefined) {
        // Nobody waits for it: what runs it is by chance in the context of some request.
        work.run = (act) => context.with(ROOT_CONTEXT, act);
        return;
      }
      const links = [...requests.values()].slice(0, MAX_LINKS).flatMap((each) => {
        const linked = trace.getSpanContext(each);
        return linked === undefined ? [] : [{ context: linked }];
      });
      const span = tracer.startSpan(work.name, { attributes: work.attributes, links }, first);
      spans.set(message, span);
      work.run = (act) => context.with(trace.setSpan(first, span), act);
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (message) => spans.get(message)?.end(),
    error: (message) => spans.get(message)?.setStatus({ code: SpanStatusCode.ERROR }),
  });
}

/** A span for each process of a request, below it, until the process has ended. */
function traceProcesses(tracer: Tracer): void {
  const spans = new WeakMap<object, Span>();
  tracingChannel(PROCESS_CHANNEL).subscribe({
    start: (message) => {
      const traced = message as OfflineProcess;
      const span = tracer.startSpan('offline process', { attributes: { 'moraine.work': traced.kind } });
      spans.set(message, span);
      const carrier: Record<string, string> = {};
      propagation.inject(trace.setSpan(context.active(), span), carrier);
      traced.carrier = carrier;
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (message) => {
      const { failure } = message as OfflineProcess;
      const span = spans.get(message);
      if (failure !== undefined) span?.setAttribute('error.type', failure).setStatus({ code: SpanStatusCode.ERROR });
      span?.end();
    },
    error: () => undefined,
  });
}
