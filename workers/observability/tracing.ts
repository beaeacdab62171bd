/** OpenTelemetry traces from the client through workflows to activities. Loaded only if {@link tracingIfConfigured} says so. */
import type { ClientInterceptors } from '@temporalio/client';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
} from '@temporalio/interceptors-opentelemetry';
import type { WorkerInterceptors, WorkerOptions } from '@temporalio/worker';
import type { SpanExport } from '../../tracing/index.js';

/** Interceptors that clients and workers mount to be traced. */
export interface Tracing {
  readonly client: ClientInterceptors;
  readonly activity: NonNullable<WorkerInterceptors['activity']>;
  readonly sinks: NonNullable<WorkerOptions['sinks']>;
  /** Sends what has not been sent; a collector that does not answer is not an error. */
  flush(): Promise<void>;
}

/** What traces Temporal's steps with the spans of this process. */
export function traceTemporal(spans: SpanExport): Tracing {
  return {
    client: { workflow: [new OpenTelemetryWorkflowClientInterceptor()] },
    activity: [
      (activity) => ({
        inbound: new OpenTelemetryActivityInboundInterceptor(activity),
        outbound: new OpenTelemetryActivityOutboundInterceptor(activity),
      }),
    ],
    sinks: { exporter: makeWorkflowExporter(spans.processor, spans.resource) },
    flush: () => spans.flush(),
  };
}
