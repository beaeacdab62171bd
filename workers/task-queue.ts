import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RequestedRun } from '../activities/contract.js';
import { inputTooLarge, MoraineError } from '../errors/index.js';
import { whyVersionsGetNothing } from './deployment.js';

/** `TASK_QUEUE_TYPE_WORKFLOW` and `PENDING_WORKFLOW_TASK_STATE_SCHEDULED` of Temporal's API. */
const TYPE_WORKFLOW = 1;
const STATE_SCHEDULED = 1;

const POLL_MS = 100;
/** Within this time it is reported that nobody works on a task queue. */
const UNPOLLED_AFTER_MS = 5_000;

/** Before a server is asked, which would refuse what is too large only after many attempts. @throws `LIMIT_EXCEEDED` */
export function requireSmallInput(workflow: string, input: unknown): void {
  const message = inputTooLarge(workflow, input);
  if (message !== null) throw new MoraineError('LIMIT_EXCEEDED', message);
}

/**
 * Starts a run, or joins one, on a task queue that somebody works on.
 *
 * @throws `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it; `RUN_ALREADY_ACTIVE` as {@link assertPickedUp}
 */
export async function startOnPolledQueue(
  client: Client,
  taskQueue: string,
  start: () => Promise<RequestedRun>,
): Promise<RequestedRun> {
  const deadlineMs = Date.now() + UNPOLLED_AFTER_MS;
  await assertTaskQueuePolled(client, taskQueue);
  const run = await start();
  await assertPickedUp(client, run, taskQueue, deadlineMs);
  return run;
}

/**
 * Waits until a worker polls the task queue.
 *
 * @throws `TASK_QUEUE_UNPOLLED` if none has polled it after `timeoutMs`
 */
export async function assertTaskQueuePolled(
  client: Client,
  taskQueue: string,
  timeoutMs = UNPOLLED_AFTER_MS,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const { pollers } = await describeQueue(client, taskQueue);
    if (pollers !== undefined && pollers !== null && pollers.length > 0) return;
    if (Date.now() + POLL_MS > deadlineMs) break;
    await sleep(POLL_MS);
  }
  throw new MoraineError('TASK_QUEUE_UNPOLLED', `no worker polls the task queue ${JSON.stringify(taskQueue)}`, {
    details: { taskQueue },
  });
}

function describeQueue(client: Client, name: string) {
  const { namespace } = client.options;
  return client.workflowService.describeTaskQueue({ namespace, taskQueue: { name }, taskQueueType: TYPE_WORKFLOW });
}

/**
 * Waits until a worker has taken the run's next workflow task. The server remembers pollers for minutes, so only this
 * shows that one is alive.
 *
 * @throws `TASK_QUEUE_UNPOLLED` if none has at the deadline; the run is kept and starts when a worker comes. `DEPLOYMENT_NOT_CURRENT` if
 * workers poll, but not of the version that gets new runs.
 * `RUN_ALREADY_ACTIVE` if the run that was joined belongs to another task queue, and so to another project
 */
export async function assertPickedUp(
  client: Client,
  run: RequestedRun,
  taskQueue: string,
  deadlineMs: number,
): Promise<void> {
  for (;;) {
    const { pendingWorkflowTask, executionConfig } = await client.workflowService.describeWorkflowExecution({
      namespace: client.options.namespace,
      execution: { workflowId: run.workflowId, runId: run.runId },
    });
    assertSameTaskQueue(run, executionConfig?.taskQueue?.name, taskQueue);
    const state: number | null | undefined = pendingWorkflowTask?.state;
    if (state !== STATE_SCHEDULED) return;
    if (Date.now() + POLL_MS > deadlineMs) break;
    await sleep(POLL_MS / 4);
  }
  const why = whyVersionsGetNothing(await describeQueue(client, taskQueue));
  throw new MoraineError(
    why === undefined ? 'TASK_QUEUE_UNPOLLED' : 'DEPLOYMENT_NOT_CURRENT',
    `no worker has taken the run ${run.workflowId} from the task queue ${JSON.stringify(taskQueue)}; it waits there${why === undefined ? '' : `: ${why}`}`,
    { details: { taskQueue, workflowId: run.workflowId } },
  );
}

function assertSameTaskQueue(run: RequestedRun, actual: string | null | undefined, expected: string): void {
  if (actual === undefined || actual === null || actual === expected) return;
  throw new MoraineError(
    'RUN_ALREADY_ACTIVE',
    `the run ${run.workflowId} in flight belongs to the task queue ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}: ` +
      'projects that share a Temporal namespace need different names of views',
    { details: { workflowId: run.workflowId, taskQueue: actual } },
  );
}
