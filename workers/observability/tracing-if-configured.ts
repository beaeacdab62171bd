/** Whether traces are wanted, without loading what makes them. */
import type { Tracing } from './tracing.js';

type Environment = Readonly<Record<string, string | undefined>>;

let started: Promise<Tracing> | undefined;

/**
 * The tracing of this process; undefined unless OpenTelemetry's standard environment variables name a collector
 * (`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) and do not switch it off.
 */
export async function tracingIfConfigured(environment: Environment = process.env): Promise<Tracing | undefined> {
  if (!isTracingConfigured(environment)) return undefined;
  started ??= import('./tracing.js').then(({ startTracing }) => startTracing());
  return started;
}

function isTracingConfigured(environment: Environment): boolean {
  const endpoint =
    environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  const exporter = environment['OTEL_TRACES_EXPORTER'] ?? 'otlp';
  return endpoint !== '' && exporter === 'otlp' && environment['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true';
}
