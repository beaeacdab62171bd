/** Asking a workflow what only a worker can answer. */
import type { Client } from '@temporalio/client';
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { MoraineError } from '../../errors/index.js';

/** A worker answers within milliseconds. A client would ask again without end. */
const ANSWER_MS = 10_000;

/** `CANCELLED` (by the server, at the deadline) and `DEADLINE_EXCEEDED` of gRPC. */
const UNANSWERED: ReadonlySet<number> = new Set([1, 4]);
/** `FAILED_PRECONDITION` of gRPC: nobody polls; or the workflow fails on a worker that does, which is to be heard. */
const NOT_POSSIBLE = 9;

/**
 * The answer of a workflow to a query or an update.
 *
 * @param id of the workflow
 * @throws `TASK_QUEUE_UNPOLLED` if no worker answers within 10 s; an update may be made all the same once one is there
 */
export async function workerAnswer<T>(client: Client, id: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + ANSWER_MS, ask);
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    const message = `no worker has answered for ${id} within ${ANSWER_MS / 1000} s; it may hear this once one is there`;
    throw new MoraineError('TASK_QUEUE_UNPOLLED', message, { details: { workflowId: id }, cause: error });
  }
}

function isUnanswered(error: unknown): boolean {
  if (error instanceof Error && error.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return true;
  const answer = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(answer)) return false;
  const code: number = answer.code;
  return UNANSWERED.has(code) || (code === NOT_POSSIBLE && /\bno pollers?\b/i.test(answer.details));
}
