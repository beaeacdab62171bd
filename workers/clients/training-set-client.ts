/** Starting training sets and waiting for them, from a command or a library call. */
import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type {
  RequestedRun,
  TrainingSetInput,
  TrainingSetProgress,
  TrainingSetResult,
} from '../../activities/contract.js';
import type { RunPlace } from '../../activities/index.js';
import { projectName } from '../../features/index.js';
import { requireSmallInput, startOnPolledQueue } from '../worker/task-queue.js';
import type { TemporalClient } from './connection.js';
import { type FollowOptions, followRun } from './follow-run.js';

/** The workflow's type. The code itself lives in the workflow sandbox, so only its name is used. */
type TrainingSetWorkflow = (input: TrainingSetInput) => Promise<TrainingSetResult>;

/** The workflow id of a training set, `training-set/<name>/<hash of the input>@<project>`: there is at most one in flight of each. */
function trainingSetWorkflowId(input: TrainingSetInput, project: string | null): string {
  const hash = createHash('sha256').update(JSON.stringify(input)).digest('hex');
  return projectName(`training-set/${input.name}/${hash.slice(0, 12)}`, project);
}

/**
 * Starts a training set on the server, or joins the one of the same input in flight.
 *
 * @throws `LIMIT_EXCEEDED`; `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export async function startTrainingSet(
  { client, signal }: Pick<TemporalClient, 'client' | 'signal'>,
  { taskQueue, project }: RunPlace,
  input: TrainingSetInput,
): Promise<RequestedRun> {
  requireSmallInput('trainingSet', input);
  const workflowId = trainingSetWorkflowId(input, project);
  return startOnPolledQueue({ client, signal }, { taskQueue, project }, async () => {
    const handle = await client.workflow.start<TrainingSetWorkflow>('trainingSet', {
      workflowId,
      workflowIdConflictPolicy: 'USE_EXISTING',
      taskQueue,
      args: [input],
      staticSummary: `Training set ${input.name}`,
      memo: { dataset: input.name },
    });
    return { workflowId, runId: handle.firstExecutionRunId };
  });
}

/**
 * Waits until a training set is saved.
 *
 * @throws its own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export function waitForTrainingSet(
  client: Client,
  run: RequestedRun,
  options: FollowOptions<TrainingSetProgress> = {},
): Promise<TrainingSetResult> {
  return followRun(client.workflow.getHandle<TrainingSetWorkflow>(run.workflowId, run.runId), options);
}
