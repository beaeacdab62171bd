/** Starting maintenance and waiting for it, from a command or a library call. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { RequestedRun } from '../activities/contract.js';
import type { MaintainProgress, MaintainRequest, MaintainResult } from '../activities/maintain-contract.js';
import type { TemporalClient } from './connection.js';
import { type FollowOptions, followRun } from './follow-run.js';
import { startOnPolledQueue } from './task-queue.js';
import type { TemporalSettings } from './temporal-settings.js';

/** The workflow's type. The code itself lives in the workflow sandbox, so only its name is used. */
type MaintainWorkflow = (input: MaintainRequest) => Promise<MaintainResult>;

/**
 * Asks for maintenance of a table on the server.
 *
 * @throws `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export async function startMaintain(
  { client }: Pick<TemporalClient, 'client'>,
  { taskQueue }: Pick<TemporalSettings, 'taskQueue'>,
  request: MaintainRequest,
): Promise<RequestedRun> {
  const workflowId = `maintain-request/${request.table}/${randomUUID()}`;
  return startOnPolledQueue(client, taskQueue, async () => {
    const handle = await client.workflow.start<MaintainWorkflow>('maintain', {
      workflowId,
      taskQueue,
      args: [request],
      staticSummary: `Ask for maintenance of ${request.table}`,
      memo: { table: request.table },
    });
    return { workflowId, runId: handle.firstExecutionRunId };
  });
}

/**
 * Waits until what was asked for is done.
 *
 * @throws the run's own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export function waitForMaintain(
  client: Client,
  asked: RequestedRun,
  table: string,
  options: FollowOptions<MaintainProgress> = {},
): Promise<MaintainResult> {
  const request = client.workflow.getHandle<MaintainWorkflow>(asked.workflowId, asked.runId);
  const run = client.workflow.getHandle(`maintain/${table}`);
  const followed = {
    workflowId: asked.workflowId,
    result: () => request.result(),
    query: <Answer>(name: string) => run.query<Answer>(name),
  };
  return followRun<MaintainResult, MaintainProgress>(followed, options);
}
