/** A span for each group commit of writes, below the first of its requests and linked to all of them. Loaded only if tracing is configured. */
import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import { type Context, context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { GROUP_CHANNEL, type GroupEvent, WRITE_CHANNEL } from '../../online/index.js';

let isTraced = false;

/** Traces the group commits of this process. */
export function traceGroups(tracer: Tracer): void {
  if (isTraced) return;
  isTraced = true;
  const writes = new WeakMap<object, Context>();
  const spans = new WeakMap<object, Span>();
  subscribe(WRITE_CHANNEL, (write) => void writes.set(write as object, context.active()));
  tracingChannel(GROUP_CHANNEL).subscribe({
    start: (message) => {
      const group = message as GroupEvent;
      const contexts = group.writes.flatMap((write) => writes.get(write) ?? []);
      const links = contexts.flatMap((each) => {
        const linked = trace.getSpanContext(each);
        return linked === undefined ? [] : [{ context: linked }];
      });
      const attributes = { 'moraine.view': group.view, 'moraine.group.writes': group.writes.length };
      spans.set(message, tracer.startSpan('group commit', { attributes, links }, contexts[0]));
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (message) => spans.get(message)?.end(),
    error: (message) => spans.get(message)?.setStatus({ code: SpanStatusCode.ERROR }),
  });
}
