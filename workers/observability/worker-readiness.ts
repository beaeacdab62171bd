import type { NativeConnection, Worker } from '@temporalio/worker';
import type { Readiness } from './health-server.js';
import type { WorkflowTaskHealth } from './workflow-task-health.js';

/** How long the Temporal server may take to answer. */
const SERVER_TIMEOUT_MS = 2000;

/**
 * Whether the workers of this process take work.
 *
 * @param workers none until they are made
 */
export async function readinessOf(
  address: string,
  connection: NativeConnection,
  workers: readonly Worker[],
  tasks: Pick<WorkflowTaskHealth, 'problems'>,
): Promise<Readiness> {
  const state = (await isReachable(connection)) ? stateOf(workers) : 'server-unreachable';
  const problems = await tasks.problems();
  return {
    status: state === 'ready' && problems.length > 0 ? 'failing' : state,
    server: address,
    problems,
    taskQueues: workers.map((worker) => {
      const { runState, numInFlightWorkflowActivations, numInFlightActivities } = worker.getStatus();
      return {
        name: worker.options.taskQueue,
        state: runState.toLowerCase(),
        workflowTasks: numInFlightWorkflowActivations,
        activities: numInFlightActivities,
      };
    }),
  };
}

function stateOf(workers: readonly Worker[]): Readiness['status'] {
  const states = workers.map((worker) => worker.getState());
  if (states.includes('FAILED')) return 'failed';
  if (states.length === 0 || states.includes('INITIALIZED')) return 'starting';
  return states.every((state) => state === 'RUNNING') ? 'ready' : 'draining';
}

async function isReachable(connection: NativeConnection): Promise<boolean> {
  try {
    const deadlineMs = Date.now() + SERVER_TIMEOUT_MS;
    await connection.withDeadline(deadlineMs, () => connection.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  }
}
