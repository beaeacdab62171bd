/** How each activity is retried: by the error table alone. */
import { type ActivityOptions, proxyActivities, type RetryPolicy } from '@temporalio/workflow';
import type { Activities } from '../activities/contract.js';
import { NON_RETRYABLE_CODES } from '../errors/index.js';

/** A worker that has died is noticed after this long. Activities heartbeat every few seconds from a timer. */
const HEARTBEAT_TIMEOUT = '10 seconds';

const retry = {
  initialInterval: '200 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
} satisfies RetryPolicy;

const base: ActivityOptions = {
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
};

/** Short steps that ask Temporal itself. */
export const requests = proxyActivities<Pick<Activities, 'requestRun' | 'runOutcome'>>({
  startToCloseTimeout: '1 minute',
  retry,
});

export const planning = proxyActivities<Pick<Activities, 'planMaterialization'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, maximumAttempts: 20 },
  summary: 'Plan: pin the source snapshot, choose files',
});

export const extraction = proxyActivities<Pick<Activities, 'extractShard'>>({
  ...base,
  startToCloseTimeout: '1 day',
  retry: { ...retry, maximumAttempts: 20 },
});

/**
 * A conflict is not retried: the plan has to be made again on the newer table. An unknown outcome is retried without
 * end: every attempt looks for the commit by its key first, and giving up would leave the operator with a guess.
 */
export const committing = proxyActivities<Pick<Activities, 'commitMaterialization'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, nonRetryableErrorTypes: [...NON_RETRYABLE_CODES, 'COMMIT_CONFLICT'] },
  summary: 'Commit: one snapshot under the run key',
});
