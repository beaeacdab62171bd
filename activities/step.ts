import { createHash } from 'node:crypto';
import { Context, type Info } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, NamespaceNotFoundError } from '@temporalio/common';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TrinoProgress, WorkAttempt } from '../reduction/index.js';
import { isServerAway } from './server-away.js';

/** Failures are kept in histories and handed on; a server cuts those that it finds too large, and with them the code. */
const MAX_MESSAGE_CHARS = 16_384;

/**
 * The one place where errors become Temporal failures. The type is the code of the error table, which also says whether
 * it may be retried; an error of any other class is a bug of ours and is not repeated.
 */
export function toFailure(thrown: unknown): Error {
  if (thrown instanceof ApplicationFailure || thrown instanceof CancelledFailure) return thrown;
  const error = isAwayFromStep(thrown) ? serverAway(thrown) : thrown;
  const whole = error instanceof Error ? error.message : String(error);
  const isLong = whole.length > MAX_MESSAGE_CHARS;
  const told = {
    message: isLong ? `${whole.slice(0, MAX_MESSAGE_CHARS)} ...` : whole,
    // It has the message again, and once more in its stack.
    ...(error instanceof Error && !isLong ? { cause: error } : {}),
  };
  if (!isMoraineError(error)) return ApplicationFailure.create({ ...told, type: 'INTERNAL', nonRetryable: true });
  const { code, retryable, details } = error;
  return ApplicationFailure.create({ ...told, type: code, nonRetryable: !retryable, details: [details] });
}

/** Whether the Temporal server did not answer a step. A namespace that it does not find is the one that the step's own task came from. */
function isAwayFromStep(error: unknown): error is Error {
  return error instanceof NamespaceNotFoundError || isServerAway(error);
}

function serverAway(cause: Error): MoraineError {
  return new MoraineError('TEMPORAL_UNAVAILABLE', `The Temporal server did not answer: ${cause.message}`, { cause });
}

/** Heartbeats are sent this often, from a timer: work inside DuckDB does not block the event loop. */
const HEARTBEAT_INTERVAL_MS = 2_000;

/** The means of a step while it runs. */
export interface StepContext {
  /** Aborted when the run is cancelled, the worker shuts down, or the server gave up this attempt. */
  readonly signal: AbortSignal;
  /** What the next heartbeats say. */
  onQuery(query: TrinoProgress): void;
  /** The id of the run's workflow. */
  readonly run: string | undefined;
  /** Which attempt this is at the step. */
  readonly attempt: WorkAttempt;
}

/** What heartbeats say, as `moraine run show` and Temporal's pages have it. */
export interface HeartbeatDetails {
  /** The query that Trino runs for the step, or the last one that it has run. */
  readonly trino?: TrinoProgress;
}

function attemptOf(info: Info): WorkAttempt {
  const { workflowId, runId } = info.workflowExecution ?? {};
  return { work: workNamed(workflowId, runId, info.activityId), number: info.attempt };
}

/** A text that is equal for all attempts at the work of these names, and for no other work. */
export function workNamed(...names: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 16);
}

/** Runs an activity's work under a heartbeat; what it throws becomes a Temporal failure, once. */
export async function asActivity<T>(work: (step: StepContext) => Promise<T>): Promise<T> {
  const context = Context.current();
  const signal = context.cancellationSignal;
  let details: HeartbeatDetails = {};
  const timer = setInterval(() => context.heartbeat(details), HEARTBEAT_INTERVAL_MS);
  const onQuery = (trino: TrinoProgress): void => {
    details = { trino };
  };
  try {
    const { info } = context;
    return await work({ signal, onQuery, run: info.workflowExecution?.workflowId, attempt: attemptOf(info) });
  } catch (error) {
    // Whatever an interrupted step threw, it threw because it was interrupted.
    throw signal.aborted ? await context.cancelled.catch((cancelled: unknown) => cancelled) : toFailure(error);
  } finally {
    clearInterval(timer);
  }
}
