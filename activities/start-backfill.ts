import { createHash } from 'node:crypto';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { BackfillPlan, WindowRange } from '../backfill/index.js';
import { MoraineError } from '../errors/index.js';
import { trainingSetRequestToJson } from '../training/index.js';
import type { BackfillResult, BackfillRunInput } from './backfill-contract.js';
import {
  type BackfillSettings,
  type BackfillSubject,
  backfillWorkflowId,
  refuseEngineBeside,
} from './backfill-request.js';
import type { RequestedRun, RunOutcome, TrainingSetInput } from './contract.js';
import { outcomeOf, type RunPlace } from './start-run.js';

/** The workflow's type. The code itself lives in the workflow sandbox, so only its name is used. */
export type BackfillRunWorkflow = (input: BackfillRunInput) => Promise<BackfillResult>;

/** The input of a run. @throws `INVALID_ARGUMENT` for an engine beside a training set */
export function backfillInput(
  subject: BackfillSubject,
  { startUs, endUs, stepUs, order }: WindowRange & Pick<BackfillPlan, 'order'>,
  settings: BackfillSettings,
): Omit<BackfillRunInput, 'searchAttributes' | 'carried'> {
  const { view, trainingSet } = subject;
  const { concurrency, windowsPerCommit, engine } = settings;
  refuseEngineBeside(subject, settings);
  return {
    ...(view === undefined ? { trainingSet: trainingSetRequestToJson(trainingSet) } : { view }),
    startUs: String(startUs),
    endUs: String(endUs),
    stepUs: String(stepUs),
    newestFirst: order === 'newest-first',
    concurrency,
    ...(windowsPerCommit === undefined ? {} : { windowsPerCommit }),
    ...(engine === undefined ? {} : { engine }),
  };
}

/** The target of a plan. */
export function subjectOfPlan({ view, trainingSet }: BackfillPlan): BackfillSubject {
  return view === undefined ? { trainingSet: trainingSet.request } : { view };
}

/**
 * Starts a backfill, or joins the one of the same view, range and step that is in flight.
 * @throws `RUN_ALREADY_ACTIVE` if that makes another training set of the same name
 */
export async function startBackfillRun(
  client: Client,
  input: BackfillRunInput,
  options: RunPlace & { readonly replyTo?: string },
): Promise<RequestedRun> {
  const range = { startUs: BigInt(input.startUs), endUs: BigInt(input.endUs), stepUs: BigInt(input.stepUs) };
  const { view, trainingSet, engine } = input;
  const workflowId = backfillWorkflowId(view ?? `training-set:${trainingSet?.name}`, range, options.project);
  const work = trainingSet === undefined ? undefined : workOf(trainingSet);
  if (work !== undefined) await refuseOtherWork(client, workflowId, work);
  const handle = await client.workflow.signalWithStart<BackfillRunWorkflow, [{ replyTo?: string }]>('backfillRun', {
    workflowId,
    taskQueue: options.taskQueue,
    args: [input],
    signal: 'requested',
    signalArgs: [options.replyTo === undefined ? {} : { replyTo: options.replyTo }],
    staticSummary: `Backfill ${workflowId.slice('backfill/'.length)}`,
    // A retry of what has failed knows the engine from it.
    memo:
      view === undefined ? { dataset: trainingSet?.name, work } : { view, ...(engine === undefined ? {} : { engine }) },
  });
  return { workflowId, runId: handle.signaledRunId };
}

/** Tells training sets apart that have one name. */
const workOf = (trainingSet: TrainingSetInput): string =>
  createHash('sha256').update(JSON.stringify(trainingSet)).digest('hex').slice(0, 12);

/** One of an earlier version does not say what it makes. */
async function refuseOtherWork(client: Client, workflowId: string, work: string): Promise<void> {
  const running = await client.workflow
    .getHandle(workflowId)
    .describe()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    });
  const other = running?.status.name === 'RUNNING' ? running.memo?.['work'] : undefined;
  if (other === undefined || other === work) return;
  const message = `The backfill ${workflowId} in flight makes another training set of that name: of other features, entity rows or settings, or into another table. Wait for it or cancel it, or take another name.`;
  throw new MoraineError('RUN_ALREADY_ACTIVE', message, { details: { workflowId } });
}

/** How a backfill has ended, or null while it is in flight. Its executions follow one another under one id. @throws `WORKFLOW_NOT_FOUND` */
export async function backfillOutcome(
  client: Client,
  { workflowId }: RequestedRun,
): Promise<RunOutcome<BackfillResult> | null> {
  const handle = client.workflow.getHandle<BackfillRunWorkflow>(workflowId);
  const { status } = await handle
    .describe()
    .catch(asNotFound(`there is no backfill ${workflowId} on the Temporal server`));
  return status.name === 'RUNNING' ? null : outcomeOf(handle.result());
}

/** Changes how many windows a backfill works on at a time. @throws `WORKFLOW_NOT_FOUND` if none of that id is in flight */
export async function changeBackfillConcurrency(
  client: Client,
  { workflowId }: Pick<RequestedRun, 'workflowId'>,
  windows: number,
): Promise<number> {
  const handle = client.workflow.getHandle<BackfillRunWorkflow>(workflowId);
  return await handle
    .executeUpdate<number, [number]>('changeConcurrency', { args: [windows] })
    .catch(asNotFound(`There is no backfill ${workflowId} in flight.`));
}

/** Sorts the error of a workflow that is not there, or not any more. */
function asNotFound(message: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Error) || error.name !== 'WorkflowNotFoundError') throw error;
    throw new MoraineError('WORKFLOW_NOT_FOUND', message, { cause: error });
  };
}
