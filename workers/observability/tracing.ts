/**
 * OpenTelemetry traces from the client through workflows and activities to DuckDB's statements, exported by OTLP over HTTP. Loaded only
 * if {@link tracingIfConfigured} says so. Endpoint, headers, sampler, batches and resource come from the standard OTEL variables.
 */
import { tracingChannel } from 'node:diagnostics_channel';
import { context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResourcesSync, envDetectorSync, Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { ClientInterceptors } from '@temporalio/client';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
} from '@temporalio/interceptors-opentelemetry';
import type { WorkerInterceptors, WorkerOptions } from '@temporalio/worker';
import { STATEMENT_CHANNEL, type StatementEvent } from '../../engine/index.js';

/** Interceptors that clients and workers mount to be traced. */
export interface Tracing {
  readonly client: ClientInterceptors;
  readonly activity: NonNullable<WorkerInterceptors['activity']>;
  readonly sinks: NonNullable<WorkerOptions['sinks']>;
  /** Sends what has not been sent; a collector that does not answer is not an error. */
  flush(): Promise<void>;
}

/** Starts exporting spans of this process. */
export function startTracing(): Tracing {
  const resource = new Resource({ 'service.name': 'moraine' }).merge(
    detectResourcesSync({ detectors: [envDetectorSync] }),
  );
  const processor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  provider.register();
  traceStatements(provider.getTracer('moraine'));
  return {
    client: { workflow: [new OpenTelemetryWorkflowClientInterceptor()] },
    activity: [
      (activity) => ({
        inbound: new OpenTelemetryActivityInboundInterceptor(activity),
        outbound: new OpenTelemetryActivityOutboundInterceptor(activity),
      }),
    ],
    sinks: { exporter: makeWorkflowExporter(processor, resource) },
    flush: () => provider.forceFlush().catch(() => undefined),
  };
}

/** One span for each statement that runs within a traced step: its kind and rows, never its text. */
function traceStatements(tracer: Tracer): void {
  const spans = new WeakMap<object, Span>();
  tracingChannel(STATEMENT_CHANNEL).subscribe({
    start: (message) => {
      const { kind } = message as StatementEvent;
      if (trace.getSpan(context.active()) === undefined) return;
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
