import { type NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import type { Project } from '../project/index.js';
import { type WorkflowSource, workflowSource } from './bundle.js';
import type { ServerSettings } from './connection.js';

/** Activities at a time in one worker: extraction uses every core by itself, so that more only compete for memory. */
const MAX_CONCURRENT_ACTIVITIES = 4;

/** How long activities may go on after the worker was told to stop, before they are cancelled and tried elsewhere. */
const SHUTDOWN_GRACE = '30 seconds';
/** How long after that the worker stops regardless. */
const SHUTDOWN_FORCE = '60 seconds';

/** A worker of the project's task queue. The caller owns the connection, and runs it. */
export async function createWorker(
  settings: ServerSettings,
  project: Project,
  connection: NativeConnection,
  workflows: WorkflowSource = workflowSource(),
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: settings.namespace,
    taskQueue: settings.taskQueue,
    ...workflows,
    activities: createActivities(project),
    maxConcurrentActivityTaskExecutions: MAX_CONCURRENT_ACTIVITIES,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
  });
}
