/** Common part of all activity policies: the error table alone decides what is retried. */
import type { ActivityOptions, RetryPolicy } from '@temporalio/workflow';
import { backOffMs, NON_RETRYABLE_CODES } from '../errors/index.js';

/** Retry policy of every activity. The number of attempts is unbounded unless the activity's own policy bounds it. */
export const RETRY = {
  initialInterval: '200 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
} satisfies RetryPolicy;

/** A worker that has died is noticed by the heartbeats, which activities send every few seconds from a timer. */
const HEARTBEAT = { heartbeatTimeout: '10 seconds' } as const satisfies ActivityOptions;

/** Options of activities that ask Temporal something, which takes a short time. */
export const REQUEST = {
  ...HEARTBEAT,
  startToCloseTimeout: '1 minute',
  retry: RETRY,
} as const satisfies ActivityOptions;

/** Options of all other activities. */
export const STEP = {
  ...HEARTBEAT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
} as const satisfies ActivityOptions;

/** Attempts of a commit before it is parked; see `parked-commit.ts`. */
export const COMMIT_ATTEMPTS = 6;

/**
 * Milliseconds to wait before planning again on the newer table.
 * @param conflicts lost commits before this one
 */
export const conflictWaitMs = (conflicts: number): number =>
  backOffMs({ minWaitMs: 100, maxWaitMs: 30_000 }, conflicts + 1, () => 1);
