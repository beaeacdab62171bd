import { ensureSearchAttributes } from '../activities/index.js';
import type { Project } from '../project/index.js';
import type { WorkflowSource } from './bundle.js';
import { connectWorker, type ServerSettings } from './connection.js';
import { createWorker } from './create-worker.js';
import { installQuietRuntime, type NativeLog } from './native-runtime.js';

export interface RunWorkerOptions {
  readonly settings: ServerSettings;
  readonly project: Project;
  /** When aborted, the worker takes no new work, finishes what it has within a grace period, and returns. */
  readonly signal: AbortSignal;
  /** Called once the worker polls. */
  readonly onReady?: () => void;
  /** Told what was left out, such as search attributes that may not be registered. */
  readonly warn?: (message: string) => void;
  readonly workflows?: WorkflowSource;
  /** What Temporal's own runtime writes to standard error; warnings unless said otherwise. */
  readonly nativeLog?: NativeLog;
}

/**
 * Runs a worker in this process until the signal: the body of `moraine worker` and of everything with an own worker.
 *
 * @throws `TEMPORAL_UNAVAILABLE`
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { settings, project, signal } = options;
  installQuietRuntime(options.nativeLog ?? 'warnings');
  const connection = await connectWorker(settings);
  try {
    await ensureSearchAttributes(connection, settings.namespace, options.warn ?? (() => {}));
    const worker = await createWorker(settings, project, connection, options.workflows);
    if (signal.aborted) return;
    signal.addEventListener('abort', () => worker.getState() === 'RUNNING' && worker.shutdown(), { once: true });
    const running = worker.run();
    options.onReady?.();
    await running;
  } finally {
    await connection.close();
  }
}
