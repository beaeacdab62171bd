/** Starting compactions and waiting for them, from a command or a library call. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { CompactInput, CompactProgress, CompactResult } from '../activities/compact-contract.js';
import type { RequestedRun } from '../activities/contract.js';
import type { TemporalClient } from './connection.js';
import { type FollowOptions, followRun } from './follow-run.js';
import { startOnPolledQueue } from './task-queue.js';
import type { TemporalSettings } from './temporal-settings.js';

/** The workflow's type. The code itself lives in the workflow sandbox, so only its name is used. */
type CompactWorkflow = (input: CompactInput) => Promise<CompactResult>;

/**
 * Asks for a compaction of a table on the server.
 *
 * @throws `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export async function startCompact(
  { client }: Pick<TemporalClient, 'client'>,
  { taskQueue }: Pick<TemporalSettings, 'taskQueue'>,
  request: CompactInput,
): Promise<RequestedRun> {
  const workflowId = `compact-request/${request.table}/${randomUUID()}`;
  return startOnPolledQueue(client, taskQueue, async () => {
    const handle = await client.workflow.start<CompactWorkflow>('compact', {
      workflowId,
      taskQueue,
      args: [request],
      staticSummary: `Ask for a compaction of ${request.table}`,
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
export function waitForCompact(
  client: Client,
  asked: RequestedRun,
  table: string,
  options: FollowOptions<CompactProgress> = {},
): Promise<CompactResult> {
  const request = client.workflow.getHandle<CompactWorkflow>(asked.workflowId, asked.runId);
  const run = client.workflow.getHandle(`compact/${table}`);
  const followed = {
    workflowId: asked.workflowId,
    result: () => request.result(),
    query: <Answer>(name: string) => run.query<Answer>(name),
  };
  return followRun<CompactResult, CompactProgress>(followed, options);
}
