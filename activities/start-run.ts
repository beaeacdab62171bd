import { type Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
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
  /** Workflow that is told when the run ends. */
  readonly replyTo?: string;
}

/**
 * Starts the run of the request's view and interval, or joins the one in flight, which then makes another pass after the
 * one that it is in, so that it sees everything the caller has seen.
 */
export async function startRun(
  client: Client,
  request: MaterializeRequest,
  options: StartRunOptions,
): Promise<RequestedRun> {
  const input: RunInput = {
    view: request.view,
    searchAttributes: options.searchAttributes,
    ...(request.startUs === undefined ? {} : { startUs: String(request.startUs) }),
    ...(request.endUs === undefined ? {} : { endUs: String(request.endUs) }),
  };
  const { taskQueue, project } = options;
  const workflowId = runWorkflowId(request, project);
  const handle = await client.workflow.signalWithStart<MaterializeRunWorkflow, [{ replyTo?: string }]>(
    'materializeRun',
    {
      workflowId,
      taskQueue,
      args: [input],
      signal: 'requested',
      signalArgs: [options.replyTo === undefined ? {} : { replyTo: options.replyTo }],
      staticSummary: `Materialize ${workflowId.slice('materialize/'.length)}`,
      memo: { view: request.view },
    },
  );
  return { workflowId, runId: handle.signaledRunId };
}

/** The handle of a run. */
export function runHandle(client: Client, run: RequestedRun): WorkflowHandle<MaterializeRunWorkflow> {
  return client.workflow.getHandle<MaterializeRunWorkflow>(run.workflowId, run.runId);
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

/** How a run has ended, or null while it is in flight. @throws `WORKFLOW_NOT_FOUND` */
export async function outcomeIfEnded<Result = MaterializeResult>(
  client: Client,
  run: RequestedRun,
): Promise<RunOutcome<Result> | null> {
  const handle = client.workflow.getHandle<() => Promise<Result>>(run.workflowId, run.runId);
  const { status } = await handle.describe().catch((error: unknown) => {
    throw notFound(run, error);
  });
  return status.name === 'RUNNING' ? null : outcomeOf<Result>(handle.result());
}

function notFound(run: RequestedRun, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'WorkflowNotFoundError') return error;
  return new MoraineError('WORKFLOW_NOT_FOUND', `there is no run ${run.workflowId} on the Temporal server`, {
    cause: error,
  });
}
