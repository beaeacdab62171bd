/** How the activities of compaction are retried. */
import { proxyActivities } from '@temporalio/workflow';
import type { CompactActivities } from '../activities/compact-contract.js';
import { NON_RETRYABLE_CODES } from '../errors/index.js';

const retry = {
  initialInterval: '200 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
};

/** Short steps that ask Temporal itself; a request is checked by planning it. */
export const compactRequests = proxyActivities<Pick<CompactActivities, 'requestCompact' | 'compactOutcome'>>({
  startToCloseTimeout: '5 minutes',
  retry: { ...retry, maximumAttempts: 20 },
});

const step = { heartbeatTimeout: '10 seconds', cancellationType: 'WAIT_CANCELLATION_COMPLETED' } as const;

export const compaction = proxyActivities<Pick<CompactActivities, 'planCompaction' | 'rewriteGroup'>>({
  ...step,
  startToCloseTimeout: '1 day',
  retry: { ...retry, maximumAttempts: 20 },
});

/**
 * Conflicts are part of the answer. An unknown outcome is retried without end: every attempt looks for the commit by its key first,
 * and giving up would leave the operator with a guess.
 */
export const compactCommit = proxyActivities<Pick<CompactActivities, 'commitCompaction'>>({
  ...step,
  startToCloseTimeout: '1 hour',
  retry,
});

export const compactEnd = proxyActivities<Pick<CompactActivities, 'endCompaction'>>({
  ...step,
  startToCloseTimeout: '1 minute',
  retry: { ...retry, maximumAttempts: 5 },
});
