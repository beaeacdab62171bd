/**
 * Spans of this process, exported by OTLP over HTTP; one for each DuckDB statement of a traced step. Loaded only if
 * {@link spansIfConfigured} says so. Endpoint, headers, sampler, batches and resource come from the standard OTEL variables.
 */
import { tracingChannel } from 'node:diagnostics_channel';
import { context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResourcesSync, envDetectorSync, Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { STATEMENT_CHANNEL, type StatementEvent } from '../engine/index.js';

/** The export of a process's spans. */
export interface SpanExport {
  readonly processor: SpanProcessor;
  /** What the spans are of: the service's name, and what the environment says. */
  readonly resource: Resource;
  /** Sends what has not been sent; a collector that does not answer is not an error. */
  flush(): Promise<void>;
}

/** Starts exporting spans of this process. */
export function exportSpans(): SpanExport {
  const resource = new Resource({ 'service.name': 'moraine' }).merge(
    detectResourcesSync({ detectors: [envDetectorSync] }),
  );
  const processor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  provider.register();
  traceStatements(provider.getTracer('moraine'));
  return { processor, resource, flush: () => provider.forceFlush().catch(() => undefined) };
}

/** One span for each statement that runs within a traced step: its kind and rows, never its text. */
function traceStatements(tracer: Tracer): void {
  const spans = new WeakMap<object, Span>();
  tracingChannel(STATEMENT_CHANNEL).subscribe({
    start: (message) => {
      const { kind } = message as StatementEvent;
      // Work in the background that a request began may outlive its span.
      if (trace.getSpan(context.active())?.isRecording() !== true) return;
      const attributes = { 'db.system': 'duckdb', 'db.operation.name': kind };
      spans.set(message, tracer.startSpan(`duckdb ${kind}`, { attributes }));
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (message) => {
      const { rows } = message as StatementEvent;
      const span = spans.get(message);
      if (rows !== undefined) span?.setAttribute('db.response.returned_rows', rows);
      span?.end();
    },
    error: (message) => spans.get(message)?.setStatus({ code: SpanStatusCode.ERROR }),
  });
}
