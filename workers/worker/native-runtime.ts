import {
  DefaultLogger,
  type LogEntry,
  type MetricsExporterConfig,
  makeTelemetryFilterString,
  Runtime,
} from '@temporalio/worker';

let installed = false;

/** `warnings` for a worker that runs for long; `errors` for commands, which report a failed run themselves. */
export type NativeLog = 'warnings' | 'errors';

/**
 * Quietens Temporal's native runtime, and leaves signals to the command. For processes of our own: who mounts the
 * activities in their own worker keeps their own runtime. The first call in a process counts.
 *
 * @param metricsAddress `host:port` where the runtime serves its metrics; nowhere unless given
 */
export function installQuietRuntime(log: NativeLog = 'errors', metricsAddress?: string): void {
  if (installed) return;
  installed = true;
  const level = log === 'warnings' ? 'WARN' : 'ERROR';
  Runtime.install({
    logger: new DefaultLogger(level, (entry) => process.stderr.write(`${formatEntry(entry)}\n`)),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: level, other: 'ERROR' }), forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: nativeMetrics(metricsAddress) }),
    },
    shutdownSignals: [],
  });
}

/** Named as Prometheus wants it: units in the name, seconds, `_total` on counters. */
function nativeMetrics(bindAddress: string): MetricsExporterConfig {
  return { prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true } };
}

/** One line: the stack of a failed run is in its history. */
function formatEntry({ level, timestampNanos, message, meta }: LogEntry): string {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const about = ['workflowType', 'workflowId', 'activityType', 'attempt'].flatMap((key) => {
    const value: unknown = meta?.[key];
    return typeof value === 'string' || typeof value === 'number' ? [`${key}=${value}`] : [];
  });
  return [time, level, message, ...about, ...reasonsOf(meta?.['error'])].join(' ').replaceAll('\n', ' ');
}

function reasonsOf(error: unknown): string[] {
  const reasons: string[] = [];
  for (let next = error; next instanceof Error; next = next.cause) reasons.push(`: ${next.message}`);
  return reasons;
}
