/** Starting ingests and speaking to them, from a command or a library call. */
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { RequestedRun } from '../../activities/contract.js';
import { type IngestRequest, ingestWorkflowId, type RunPlace } from '../../activities/index.js';
import type { IngestBatch, IngestInput, IngestResult, IngestStatus } from '../../activities/ingest-contract.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { requireSmallInput, startOnPolledQueue } from '../worker/task-queue.js';
import type { TemporalClient } from './connection.js';
import { workerAnswer } from './worker-answer.js';

/** The workflow's type. The code itself lives in the workflow sandbox, so only its name is used. */
type IngestWorkflow = (input: IngestInput) => Promise<IngestResult>;

/** What is said to an ingest in flight. */
export type IngestControl = 'pause' | 'resume' | 'drain' | 'cancel';

/**
 * Starts the ingest of a sink on the server. There is one at a time of each.
 *
 * @throws `RUN_ALREADY_ACTIVE`, `LIMIT_EXCEEDED`; `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export async function startIngest(
  temporal: Pick<TemporalClient, 'client' | 'signal'>,
  { taskQueue, project }: RunPlace,
  request: IngestRequest,
): Promise<RequestedRun> {
  requireSmallInput('ingest', request);
  const { table, name } = request;
  const workflowId = ingestWorkflowId(table, name, project);
  return await startOnPolledQueue(temporal, { taskQueue, project }, async () => {
    const started = await temporal.client.workflow
      .start<IngestWorkflow>('ingest', {
        ...{ workflowId, taskQueue, args: [request] as [IngestInput], memo: { table } },
        staticSummary: `Ingest into ${table}`,
      })
      .catch((cause: unknown) => {
        if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
        const message = `The sink ${JSON.stringify(name)} of ${table} is being written already, by ${workflowId}. Drain that first, or give this one another name.`;
        throw new MoraineError('RUN_ALREADY_ACTIVE', message, { details: { workflowId }, cause });
      });
    return { workflowId, runId: started.firstExecutionRunId };
  });
}

/** @throws `WORKFLOW_NOT_FOUND` if there is no ingest of that id in flight */
export async function controlIngest(client: Client, id: string, control: IngestControl): Promise<void> {
  const handle = handleOf(client, id);
  await known<unknown>(id, control === 'cancel' ? handle.cancel() : handle.signal(control));
}

/**
 * Changes when batches are committed; the sink begins anew with them.
 * @returns the settings that hold now
 * @throws `WORKFLOW_NOT_FOUND`; `INVALID_ARGUMENT` for a setting that it does not take; `TASK_QUEUE_UNPOLLED` if no worker answers
 */
export async function changeIngestBatch(
  client: Client,
  id: string,
  batch: IngestBatch,
): Promise<Required<IngestBatch>> {
  const change = (): Promise<Required<IngestBatch>> =>
    handleOf(client, id).executeUpdate<Required<IngestBatch>, [IngestBatch]>('changeBatch', { args: [batch] });
  return await known(id, workerAnswer(client, id, change)).catch((error: unknown) => {
    const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
    if (!(cause instanceof ApplicationFailure) || cause.type !== 'INVALID_ARGUMENT') throw error;
    throw new MoraineError('INVALID_ARGUMENT', `${cause.message}.`, { cause: error });
  });
}

/**
 * How an ingest is doing, or how it was when it ended; as it has noted it last, if no worker answers.
 * @throws `WORKFLOW_NOT_FOUND`; `TASK_QUEUE_UNPOLLED` for one that has noted nothing yet
 */
export async function ingestStatus(client: Client, id: string): Promise<IngestStatus> {
  const handle = handleOf(client, id);
  return await known(
    id,
    workerAnswer(client, id, () => handle.query<IngestStatus>('status')).catch(async (error: unknown) => {
      if (!isMoraineError(error, 'TASK_QUEUE_UNPOLLED')) throw error;
      const noted = (await handle.describe()).memo?.['progress'] as IngestStatus | undefined;
      if (noted === undefined) throw error;
      return noted;
    }),
  );
}

const handleOf = (client: Client, id: string) => client.workflow.getHandle<IngestWorkflow>(id);

async function known<T>(id: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowNotFoundError') throw error;
    throw new MoraineError('WORKFLOW_NOT_FOUND', `There is no ingest ${id} in flight.`, { cause: error });
  }
}
