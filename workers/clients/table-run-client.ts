/** Asking for compactions and maintenance of a table and waiting for them, from a command or a library call. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { CompactInput, CompactProgress, CompactResult } from '../../activities/compact-contract.js';
import type { RequestedRun } from '../../activities/contract.js';
import { type RunPlace, tableRunId } from '../../activities/index.js';
import type { MaintainProgress, MaintainRequest, MaintainResult } from '../../activities/maintain-contract.js';
import { projectName, projectOfId } from '../../features/index.js';
import { requireSmallInput, startOnPolledQueue } from '../worker/task-queue.js';
import type { TemporalClient } from './connection.js';
import { type FollowOptions, followRun } from './follow-run.js';

/** Each asks the one run of its table, `<type>/<table>@<project>`, whose progress it shows. */
type TableWorkflow = 'compact' | 'maintain';

/**
 * Asks for a compaction of a table on the server.
 *
 * @throws `LIMIT_EXCEEDED`; `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export function startCompact(
  temporal: Pick<TemporalClient, 'client' | 'signal'>,
  settings: RunPlace,
  request: CompactInput,
): Promise<RequestedRun> {
  return startTableRun(temporal, settings, 'compact', request, `Ask for a compaction of ${request.table}`);
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
  return followTableRun(client, tableRunId('compact', table, projectOfId(asked.workflowId)), asked, options);
}

/** Asks for maintenance of a table on the server. @throws as {@link startCompact} */
export function startMaintain(
  temporal: Pick<TemporalClient, 'client' | 'signal'>,
  settings: RunPlace,
  request: MaintainRequest,
): Promise<RequestedRun> {
  return startTableRun(temporal, settings, 'maintain', request, `Ask for maintenance of ${request.table}`);
}

/** Waits until what was asked for is done. @throws as {@link waitForCompact} */
export function waitForMaintain(
  client: Client,
  asked: RequestedRun,
  table: string,
  options: FollowOptions<MaintainProgress> = {},
): Promise<MaintainResult> {
  return followTableRun(client, tableRunId('maintain', table, projectOfId(asked.workflowId)), asked, options);
}

async function startTableRun(
  { client, signal }: Pick<TemporalClient, 'client' | 'signal'>,
  place: RunPlace,
  workflow: TableWorkflow,
  request: { readonly table: string },
  staticSummary: string,
): Promise<RequestedRun> {
  const { table } = request;
  requireSmallInput(workflow, request);
  const { taskQueue, project } = place;
  const workflowId = projectName(`${workflow}-request/${table}/${randomUUID()}`, project);
  return startOnPolledQueue({ client, signal }, place, async () => {
    const options = { workflowId, taskQueue, args: [request], staticSummary, memo: { table } };
    const handle = await client.workflow.start(workflow, options);
    return { workflowId, runId: handle.firstExecutionRunId };
  });
}

function followTableRun<Result, Progress>(
  client: Client,
  runId: string,
  { workflowId, ...asked }: RequestedRun,
  options: FollowOptions<Progress>,
): Promise<Result> {
  const request = client.workflow.getHandle(workflowId, asked.runId);
  const run = client.workflow.getHandle(runId);
  const followed = {
    workflowId,
    workId: runId,
    result: (): Promise<Result> => request.result(),
    cancel: () => run.cancel(),
    query: <Answer>(name: string) => run.query<Answer>(name),
  };
  return followRun(followed, options);
}
