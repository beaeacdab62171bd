/** How the activities of backfills are retried. See `activity-policies.ts`. */
import { type ActivityOptions, proxyActivities, type RetryPolicy } from '@temporalio/workflow';
import type { BackfillActivities } from '../activities/backfill-contract.js';
import { NON_RETRYABLE_CODES } from '../errors/index.js';

const retry = {
  initialInterval: '200 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
} satisfies RetryPolicy;

const base: ActivityOptions = {
  heartbeatTimeout: '10 seconds',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
};

/** Runs of schedules and people go first where a task queue has more work than slots; 3 is what others have. */
const BEHIND_OTHERS = { priorityKey: 4 };

export const backfillRequests = proxyActivities<Pick<BackfillActivities, 'requestBackfill' | 'backfillOutcome'>>({
  startToCloseTimeout: '1 minute',
  retry,
});

export const backfillPlanning = proxyActivities<Pick<BackfillActivities, 'planBackfill' | 'readSegments'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, maximumAttempts: 20 },
});

/** A window that fails is reported and left to `retry`, so that it is not tried as long as a run's shards are. */
export const windowStaging = proxyActivities<Pick<BackfillActivities, 'stageWindow' | 'runWindowAlone'>>({
  ...base,
  startToCloseTimeout: '1 day',
  retry: { ...retry, maximumAttempts: 8 },
  priority: BEHIND_OTHERS,
});

/** An unknown outcome is retried without end: every attempt looks for the windows first. A conflict has been tried often inside. */
export const windowsCommit = proxyActivities<Pick<BackfillActivities, 'commitWindows'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, nonRetryableErrorTypes: [...NON_RETRYABLE_CODES, 'COMMIT_CONFLICT'] },
  summary: 'Commit: the staged windows in one snapshot',
  priority: BEHIND_OTHERS,
});
