import {
  type Client,
  WorkflowContinuedAsNewError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionDescription,
  WorkflowFailedError,
} from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { MoraineError } from '../errors/index.js';
import type { MaterializeResult, RequestedRun, RunInput, RunOutcome } from './contract.js';
import { type MaterializeRequest, runWorkflowId } from './materialize-request.js';

/** The workflow's type, as a run of it. The code itself lives in the workflow sandbox, so only its name is used. */
type MaterializeRunWorkflow = (input: RunInput) => Promise<MaterializeResult>;

/** Whose run, and where it is started. */
export interface RunPlace {
  readonly taskQueue: string;
  /** Identity of the project, which the workflow id carries; null: the id is without one. */
  readonly project: string | null;
}

export interface StartRunOptions extends RunPlace {
  /** Whether the namespace has our search attributes. */
  readonly searchAttributes: boolean;
  /** Workflow that gets a signal when the run ends. */
  readonly replyTo?: string;
  /** Whether a run in flight is joined, as by default, or refused. */
  readonly ifRunning?: 'join' | 'refuse';
}

/**
 * Starts the run of the request's view and interval, or joins the one in flight, which then makes another pass after the
 * one that it is in, so that it sees everything the caller has seen.
 *
 * @throws `RUN_ALREADY_ACTIVE` if the one in flight is not to be joined
 */
export async function startRun(
  client: Client,
  request: MaterializeRequest,
  { taskQueue, project, searchAttributes, replyTo, ifRunning = 'join' }: StartRunOptions,
): Promise<RequestedRun> {
  const input: RunInput = {
    view: request.view,
    searchAttributes,
    ...(request.startUs === undefined ? {} : { startUs: String(request.startUs) }),
    ...(request.endUs === undefined ? {} : { endUs: String(request.endUs) }),
    ...(request.shards === undefined ? {} : { shards: request.shards }),
    ...(request.engine === undefined ? {} : { engine: request.engine }),
  };
  const workflowId = runWorkflowId(request, project);
  const workflow = {
    workflowId,
    taskQueue,
    args: [input] as [RunInput],
    staticSummary: `Materialize ${workflowId.slice('materialize/'.length)}`,
    memo: { view: request.view },
  };
  if (ifRunning === 'refuse') {
    const started = await client.workflow.start<MaterializeRunWorkflow>('materializeRun', workflow).catch((error) => {
      throw error instanceof WorkflowExecutionAlreadyStartedError ? runsInFlight([request.view], error) : error;
    });
    return { workflowId, runId: started.firstExecutionRunId };
  }
  const handle = await client.workflow.signalWithStart<MaterializeRunWorkflow, [{ replyTo?: string }]>(
    'materializeRun',
    { ...workflow, signal: 'requested', signalArgs: [replyTo === undefined ? {} : { replyTo }] },
  );
  return { workflowId, runId: handle.signaledRunId };
}

/** @throws `RUN_ALREADY_ACTIVE` naming the views whose runs are in flight */
export async function refuseRunsInFlight(
  client: Client,
  requests: readonly MaterializeRequest[],
  project: string | null,
): Promise<void> {
  const isInFlight = await Promise.all(
    requests.map(async (request) => {
      const handle = client.workflow.getHandle(runWorkflowId(request, project));
      const described = await handle.describe().catch((error: unknown) => {
        if (isWorkflowNotFound(error)) return undefined;
        throw error;
      });
      return described?.status.name === 'RUNNING';
    }),
  );
  const views = requests.filter((_, index) => isInFlight[index]).map(({ view }) => view);
  if (views.length > 0) throw runsInFlight(views);
}

function runsInFlight(views: readonly string[], cause?: unknown): MoraineError {
  const names = views.map((view) => `'${view}'`).join(', ');
  const message = `This interval of ${names} is being materialized already. Wait for that run, or join it.`;
  return new MoraineError('RUN_ALREADY_ACTIVE', message, { details: { views }, cause });
}

/** Waits for a workflow's result and says how it ended. */
export async function outcomeOf<Result>(result: Promise<Result>): Promise<RunOutcome<Result>> {
  try {
    return { status: 'completed', result: await result };
  } catch (error) {
    if (error instanceof WorkflowFailedError) return failed(error);
    throw error;
  }
}

function failed(error: WorkflowFailedError): RunOutcome<never> {
  let cause: unknown = error.cause;
  if (cause instanceof ActivityFailure) cause = cause.cause;
  if (cause instanceof CancelledFailure)
    return { status: 'failed', code: 'CANCELLED', message: 'the run was cancelled' };
  const code = cause instanceof ApplicationFailure ? (cause.type ?? 'RUN_FAILED') : 'RUN_FAILED';
  const message = cause instanceof TemporalFailure ? cause.message : error.message;
  return { status: 'failed', code, message };
}

/** The end of a run, in whichever history; null while it is in flight. @throws `WORKFLOW_NOT_FOUND` */
export async function outcomeIfEnded<Result = MaterializeResult>(
  client: Client,
  run: RequestedRun,
): Promise<RunOutcome<Result> | null> {
  const handle = client.workflow.getHandle<() => Promise<Result>>(run.workflowId, run.runId);
  const described = await handle.describe().catch((error: unknown) => {
    throw notFound(run, error);
  });
  const latest =
    described.status.name === 'CONTINUED_AS_NEW'
      ? await client.workflow.getHandle(run.workflowId).describe()
      : described;
  const isSame = firstRunId(latest) === firstRunId(described);
  return isSame && latest.status.name === 'RUNNING' ? null : outcomeOf<Result>(handle.result());
}

/** The same for all histories of a run. */
const firstRunId = ({ raw }: WorkflowExecutionDescription) => raw.workflowExecutionInfo?.firstRunId;

/**
 * The result of a run for somebody who has asked for it: that of the history which got the request if the run ended with it, else that of
 * the next one, whose pass began after the request.
 *
 * @throws as `WorkflowHandle.result`
 */
export async function resultForAsker(client: Client, { workflowId, runId }: RequestedRun): Promise<MaterializeResult> {
  const resultOf = (history: string): Promise<MaterializeResult> =>
    client.workflow.result<MaterializeRunWorkflow>(workflowId, history, { followRuns: false });
  try {
    return await resultOf(runId);
  } catch (error) {
    if (!(error instanceof WorkflowContinuedAsNewError)) throw error;
    const next = error.newExecutionRunId;
    return resultOf(next).catch(async (failure: unknown) => {
      if (!(failure instanceof WorkflowContinuedAsNewError)) throw failure;
      const { memo } = await client.workflow.getHandle(workflowId, next).describe();
      return memo?.['result'] as MaterializeResult;
    });
  }
}

const isWorkflowNotFound = (error: unknown): boolean =>
  error instanceof Error && error.name === 'WorkflowNotFoundError';

function notFound(run: RequestedRun, error: unknown): unknown {
  if (!isWorkflowNotFound(error)) return error;
  return new MoraineError('WORKFLOW_NOT_FOUND', `there is no run ${run.workflowId} on the Temporal server`, {
    cause: error,
  });
}
