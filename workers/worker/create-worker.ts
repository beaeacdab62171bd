import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities, type PolledQueue, workerIdentity } from '../../activities/index.js';
import type { DeploymentConfig } from '../../config/index.js';
import type { Project } from '../../project/index.js';
import type { ServerSettings } from '../clients/connection.js';
import type { WorkerMetrics } from '../observability/metrics.js';
import type { Tracing } from '../observability/tracing.js';
import { dataConverter } from '../payloads/data-converter.js';
import { bundleWithSettings, type WorkflowSource, workflowSource } from './bundle.js';
import { heavyQueues } from './heavy-activities.js';
import { FORCE_AFTER_GRACE_MS } from './run-until.js';

/** The work that a worker process takes: workflows decide, light activities ask, plan and commit, heavy ones read and write data files. */
export const WORKER_ROLES = ['workflows', 'light', 'heavy'] as const;
export type WorkerRole = (typeof WORKER_ROLES)[number];

/** An activity hears with a heartbeat that it is to end. */
const HEARD_WITHIN_MS = 1_000;

export interface CreateWorkersOptions {
  readonly settings: ServerSettings;
  readonly project: Project;
  readonly connection: NativeConnection;
  /** Identity of the project. */
  readonly projectId: string;
  /** All of them unless given. */
  readonly roles?: readonly WorkerRole[] | undefined;
  readonly workflows?: WorkflowSource | undefined;
  readonly metrics?: WorkerMetrics | undefined;
  readonly tracing?: Tracing | undefined;
}

/**
 * The workers of one process: one of the project's task queue, one of its heavy activities, one of the windows of backfills, and one of its sinks. None
 * takes the slots of the others. The caller owns the connection, and runs them.
 */
export async function createWorkers(options: CreateWorkersOptions): Promise<Worker[]> {
  const { settings, project, roles = WORKER_ROLES } = options;
  const { taskQueue } = settings;
  const { lightActivities, heavyActivities } = project.config.worker;
  const common = commonOptions(options);
  const activities = createActivities(project);
  const workers: Worker[] = [];
  if (roles.includes('workflows') || roles.includes('light')) {
    const light = { activities, maxConcurrentActivityTaskExecutions: lightActivities };
    workers.push(
      await Worker.create({
        ...common,
        taskQueue,
        ...(roles.includes('workflows') ? await workflowOptions(options) : {}),
        ...(roles.includes('light') ? light : {}),
      }),
    );
  }
  if (roles.includes('heavy')) {
    for (const heavy of heavyQueues(taskQueue, heavyActivities)) {
      const options = { taskQueue: heavy.taskQueue, activities, maxConcurrentActivityTaskExecutions: heavy.slots };
      const ends =
        heavy.areEndless === true ? { shutdownGraceTime: 0, maxHeartbeatThrottleInterval: HEARD_WITHIN_MS } : {};
      workers.push(await Worker.create({ ...common, ...options, ...ends }));
    }
  }
  return workers;
}

/** The task queues that the roles of a process poll. */
export function polledQueues(taskQueue: string, roles: readonly WorkerRole[] = WORKER_ROLES): readonly PolledQueue[] {
  const heavy = heavyQueues(taskQueue, 1).map((queue) => ({ taskQueue: queue.taskQueue, kind: 'activities' as const }));
  return [
    ...(roles.includes('workflows') ? [{ taskQueue, kind: 'workflows' as const }] : []),
    ...(roles.includes('light') ? [{ taskQueue, kind: 'activities' as const }] : []),
    ...(roles.includes('heavy') ? heavy : []),
  ];
}

function commonOptions({ settings, project, projectId, connection, metrics, tracing }: CreateWorkersOptions) {
  const { shutdownGraceSeconds } = project.config.worker;
  return {
    connection,
    namespace: settings.namespace,
    identity: workerIdentity(projectId),
    shutdownGraceTime: shutdownGraceSeconds * 1000,
    shutdownForceTime: shutdownGraceSeconds * 1000 + FORCE_AFTER_GRACE_MS,
    ...dataConverter(settings.encryptionKeys),
    ...(settings.deployment === undefined ? {} : { workerDeploymentOptions: deploymentOptions(settings.deployment) }),
    interceptors: {
      activity: [...(tracing?.activity ?? []), ...(metrics === undefined ? [] : [metrics.activityInterceptors])],
      ...(tracing === undefined ? {} : { client: tracing.client }),
    },
    ...(tracing === undefined ? {} : { sinks: tracing.sinks }),
  } satisfies Partial<WorkerOptions>;
}

/** Long runs go on with the newest version, which replays them; workflows that end soon say for themselves that they stay. */
function deploymentOptions({ name, buildId }: DeploymentConfig): NonNullable<WorkerOptions['workerDeploymentOptions']> {
  return {
    version: { deploymentName: name, buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  };
}

async function workflowOptions({ settings, project, workflows, tracing }: CreateWorkersOptions) {
  const traced = tracing !== undefined;
  return bundleWithSettings(
    workflows ?? workflowSource({ traced }),
    {
      queues: heavyQueues(settings.taskQueue, project.config.worker.heavyActivities),
      encodesFailures: settings.encryptionKeys !== undefined,
      isVersioned: settings.deployment !== undefined,
    },
    { traced },
  );
}
