/** OpenTelemetry of a process: whether it is configured, and the exporter of its spans. Importing this loads nothing of OpenTelemetry. */

export type { SpanExport } from './export-spans.js';
export { spansIfConfigured } from './spans-if-configured.js';
