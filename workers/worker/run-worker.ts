import type { NativeConnection, Worker } from '@temporalio/worker';
import { ensureSearchAttributes, otherProjects } from '../../activities/index.js';
import type { HostAndPort } from '../../config/index.js';
import type { Project } from '../../project/index.js';
import { connectWorker, type ServerSettings } from '../clients/connection.js';
import { serverError } from '../clients/server-error.js';
import { serveHealth } from '../observability/health-server.js';
import type { Listening } from '../observability/listen.js';
import type { WorkerMetrics } from '../observability/metrics.js';
import { tracingIfConfigured } from '../observability/tracing-if-configured.js';
import { readinessOf } from '../observability/worker-readiness.js';
import { WorkflowTaskHealth } from '../observability/workflow-task-health.js';
import { freePorts } from '../server/free-ports.js';
import type { WorkflowSource } from './bundle.js';
import { createWorkers, polledQueues, type WorkerRole } from './create-worker.js';
import { installQuietRuntime, type NativeLog } from './native-runtime.js';
import { runUntil } from './run-until.js';
import { sharedQueue } from './task-queue.js';

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
  /** The level of Temporal's own runtime on standard error; warnings by default. */
  readonly nativeLog?: NativeLog;
  /** Roles of this process; default: all. */
  readonly roles?: readonly WorkerRole[];
  /** Where to serve health and metrics; nowhere unless given. */
  readonly health?: HostAndPort;
  /** Told the URL of health and metrics. */
  readonly onHealth?: (url: string) => void;
}

/**
 * Runs the workers of this process until the signal: the body of `moraine worker` and of everything with an own worker.
 *
 * @throws `TEMPORAL_UNAVAILABLE`; `PROJECT_MISMATCH` if workers of another project poll its task queue; `INVALID_ARGUMENT` if health cannot
 *   be served where it was asked for; `TIMED_OUT` if a worker has not ended in time after the signal: its threads run on, so that the
 *   process has to be ended
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { settings, project } = options;
  const metrics = await startRuntime(options);
  const tracing = await tracingIfConfigured();
  const connection = await connectWorker(settings);
  let health: Listening | undefined;
  let tasks: WorkflowTaskHealth | undefined;
  try {
    const workers: Worker[] = [];
    if (options.health !== undefined && metrics !== undefined) {
      const watched = new WorkflowTaskHealth(workers, () => metrics.sdkText());
      tasks = watched;
      const readiness = () => readinessOf(settings.address, connection, workers, watched);
      health = await serveHealth(options.health, { readiness, metrics: () => metrics.text() });
      options.onHealth?.(health.url);
    }
    await ensureSearchAttributes(connection, settings.namespace, options.warn ?? (() => {}));
    const { roles, workflows } = options;
    const projectId = await project.identity();
    await assertOwnQueues(connection, settings, projectId, roles);
    workers.push(
      ...(await createWorkers({ settings, project, projectId, connection, roles, workflows, metrics, tracing })),
    );
    const graceMs = project.config.worker.shutdownGraceSeconds * 1000;
    await runUntil(options.signal, workers, graceMs, options.onReady);
  } catch (error) {
    throw serverError(settings, error);
  } finally {
    tasks?.close();
    await health?.close();
    metrics?.close();
    await tracing?.flush();
    // Refused while a worker has not ended, which has been reported.
    await connection.close().catch(() => undefined);
  }
}

/** Two projects on one task queue would take each other's runs, and refuse them. @throws `PROJECT_MISMATCH` */
async function assertOwnQueues(
  { workflowService }: NativeConnection,
  { namespace, taskQueue }: ServerSettings,
  projectId: string,
  roles: readonly WorkerRole[] | undefined,
): Promise<void> {
  for (const queue of polledQueues(taskQueue, roles)) {
    const others = await otherProjects({ workflowService, options: { namespace } }, queue, projectId);
    if (others.length > 0) throw sharedQueue(queue.taskQueue, projectId, others);
  }
}

/** Metrics are kept only where they are served. */
async function startRuntime({ nativeLog, health, project }: RunWorkerOptions): Promise<WorkerMetrics | undefined> {
  const log = nativeLog ?? 'warnings';
  if (health === undefined) {
    installQuietRuntime(log);
    return undefined;
  }
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  installQuietRuntime(log, address);
  const { WorkerMetrics } = await import('../observability/metrics.js');
  return new WorkerMetrics(project, `http://${address}/metrics`);
}
