import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RequestedRun } from '../../activities/contract.js';
import { isUnmarked, type Poller, projectsOf, type RunPlace } from '../../activities/index.js';
import { inputTooLarge, MoraineError } from '../../errors/index.js';
import { throwIfAborted, unlessAborted } from '../../processes/index.js';
import type { TemporalClient } from '../clients/connection.js';
import { whyVersionsGetNothing } from './deployment.js';

/** `TASK_QUEUE_TYPE_WORKFLOW` and `PENDING_WORKFLOW_TASK_STATE_SCHEDULED` of Temporal's API. */
const TYPE_WORKFLOW = 1;
const STATE_SCHEDULED = 1;

const POLL_MS = 100;
/** Within this time it is reported that nobody works on a task queue. */
const UNPOLLED_AFTER_MS = 5_000;
/** After a cancellation, how long a start that is under way may take: only a run that is known can be cancelled, too. */
const START_GRACE_MS = 2_000;

/** Before a server is asked, which would refuse what is too large only after many attempts. @throws `LIMIT_EXCEEDED` */
export function requireSmallInput(workflow: string, input: unknown): void {
  const message = inputTooLarge(workflow, input);
  if (message !== null) throw new MoraineError('LIMIT_EXCEEDED', message);
}

/**
 * Starts a run, or joins one, on a task queue that workers of its project poll.
 *
 * @throws `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it; `PROJECT_MISMATCH` if only workers of other projects would;
 * `RUN_ALREADY_ACTIVE` as {@link assertPickedUp}; `CANCELLED` if nothing was started. Once it is, an aborted signal only shortens the wait for
 * a worker.
 */
export async function startOnPolledQueue(
  { client, signal }: Pick<TemporalClient, 'client' | 'signal'>,
  { taskQueue, project }: RunPlace,
  start: () => Promise<RequestedRun>,
): Promise<RequestedRun> {
  const deadlineMs = Date.now() + UNPOLLED_AFTER_MS;
  await unlessAborted(assertTaskQueuePolled(client, taskQueue, { project }), signal);
  throwIfAborted(signal);
  const run = await unlessAborted(start(), signal, START_GRACE_MS);
  await unlessAborted(assertPickedUp(client, run, taskQueue, deadlineMs), signal).catch((error: unknown) => {
    if (signal?.aborted !== true) throw error;
  });
  return run;
}

/**
 * Waits until a worker polls the task queue: of the project, or one that does not say of which it is.
 *
 * @throws `TASK_QUEUE_UNPOLLED` if none has polled it after `timeoutMs`; `PROJECT_MISMATCH` if only workers of other projects have
 */
export async function assertTaskQueuePolled(
  client: Client,
  taskQueue: string,
  { project = null, timeoutMs = UNPOLLED_AFTER_MS }: { project?: string | null; timeoutMs?: number } = {},
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const pollers = (await describeQueue(client, taskQueue)).pollers ?? [];
    const others = project === null ? [] : otherProjectsOnly(pollers, project);
    if (project !== null && others.length > 0) throw sharedQueue(taskQueue, project, others);
    if (pollers.length > 0) return;
    if (Date.now() + POLL_MS > deadlineMs) break;
    await sleep(POLL_MS);
  }
  throw new MoraineError('TASK_QUEUE_UNPOLLED', `no worker polls the task queue ${JSON.stringify(taskQueue)}`, {
    details: { taskQueue },
  });
}

/** The projects of the workers that poll a queue, if none of them is of `project` or says nothing. */
function otherProjectsOnly(pollers: readonly Poller[], project: string): readonly string[] {
  const projects = projectsOf(pollers);
  return projects.includes(project) || pollers.some((poller) => isUnmarked(poller)) ? [] : projects;
}

/** For a task queue that workers of other projects poll. */
export function sharedQueue(taskQueue: string, project: string, others: readonly string[]): MoraineError {
  const message =
    `Workers of the project ${others.join(', ')} poll the task queue ${JSON.stringify(taskQueue)}, and this project is ${project}. ` +
    'Give each project a task queue of its own: set temporal.taskQueue in moraine.yaml, and start `moraine worker` with it.';
  return new MoraineError('PROJECT_MISMATCH', message, { details: { taskQueue, project, others: others.join(',') } });
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
 * `RUN_ALREADY_ACTIVE` if the run that was joined was started on another task queue
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
    `The run ${run.workflowId} in flight was started on the task queue ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}. ` +
      'Wait for it if the task queue of this project has changed; if the project is a copy of another one, give it an identity of its own with `moraine project new-id`.',
    { details: { workflowId: run.workflowId, taskQueue: actual } },
  );
}
