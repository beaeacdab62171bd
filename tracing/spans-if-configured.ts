/** Whether traces are wanted, without loading what makes them. */
import type { SpanExport } from './export-spans.js';

type Environment = Readonly<Record<string, string | undefined>>;

let started: Promise<SpanExport> | undefined;

/**
 * The export of this process's spans; undefined unless OpenTelemetry's standard environment variables name a collector
 * (`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) and do not switch it off.
 */
export async function spansIfConfigured(environment: Environment = process.env): Promise<SpanExport | undefined> {
  if (!isTracingConfigured(environment)) return undefined;
  started ??= import('./export-spans.js').then(({ exportSpans }) => exportSpans());
  return started;
}

function isTracingConfigured(environment: Environment): boolean {
  const endpoint =
    environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  const exporter = environment['OTEL_TRACES_EXPORTER'] ?? 'otlp';
  return endpoint !== '' && exporter === 'otlp' && environment['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true';
}
