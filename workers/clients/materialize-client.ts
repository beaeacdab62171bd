/** Starting materializations and waiting for them, from a command or a library call. */
import type { Client } from '@temporalio/client';
import type { MaterializeResult, RequestedRun, RunProgress } from '../../activities/contract.js';
import {
  hasSearchAttributes,
  type MaterializeRequest,
  resultForAsker,
  type StartRunOptions,
  startRun,
} from '../../activities/index.js';
import type { ProjectSettings } from '../temporal-settings.js';
import { startOnPolledQueue } from '../worker/task-queue.js';
import type { TemporalClient } from './connection.js';
import { type FollowOptions, followRun } from './follow-run.js';

/**
 * Starts the run of a view and interval on the server, or joins the one in flight.
 *
 * @throws `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it; `RUN_ALREADY_ACTIVE` if one in flight is not to be joined
 */
export async function startMaterialization(
  { client, connection, signal }: TemporalClient,
  settings: ProjectSettings,
  request: MaterializeRequest,
  options: Pick<StartRunOptions, 'ifRunning'> = {},
): Promise<RequestedRun> {
  const { namespace, taskQueue, project } = settings;
  return startOnPolledQueue({ client, signal }, settings, async () => {
    const searchAttributes = await hasSearchAttributes(connection, namespace);
    return startRun(client, request, { ...options, taskQueue, project, searchAttributes });
  });
}

/** See {@link followRun}. */
export type WaitOptions = FollowOptions<RunProgress>;

/**
 * Waits until the run has ended, or the first of its passes that began after the request: it goes on while others ask.
 *
 * @throws the run's own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export function waitForRun(client: Client, run: RequestedRun, options: WaitOptions = {}): Promise<MaterializeResult> {
  const { workflowId } = run;
  const latest = client.workflow.getHandle(workflowId);
  const followed = {
    workflowId,
    result: () => resultForAsker(client, run),
    cancel: () => latest.cancel(),
    query: <Answer>(name: string) => latest.query<Answer>(name),
  };
  return followRun(followed, options);
}
