import { isGrpcServiceError, ServiceError } from '@temporalio/client';

/**
 * gRPC status codes of a Temporal server that is away, starting or overloaded: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED,
 * ABORTED, INTERNAL, UNAVAILABLE.
 */
const SERVER_AWAY_CODES: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 13, 14]);

/** Whether a call failed because the Temporal server did not answer it. */
export function isServerAway(error: unknown): error is Error {
  const answer = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(answer) && SERVER_AWAY_CODES.has(answer.code);
}
