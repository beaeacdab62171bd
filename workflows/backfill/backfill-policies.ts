/** How the activities of backfills are retried. See `activity-policies.ts`. */
import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { BackfillActivities } from '../../activities/backfill-contract.js';
import { NON_RETRYABLE_CODES } from '../../errors/index.js';
import { COMMIT_ATTEMPTS, REQUEST, RETRY, STEP } from '../retry.js';

/** Runs of schedules and people go first where a task queue has more work than slots; 3 is what others have. */
const BEHIND_OTHERS = { priorityKey: 4 };

export const backfillRequests =
  proxyActivities<Pick<BackfillActivities, 'requestBackfill' | 'backfillOutcome' | 'changeBackfillConcurrency'>>(
    REQUEST,
  );

export const backfillPlanning = proxyActivities<Pick<BackfillActivities, 'planBackfill' | 'readSegments'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: 20 },
});

/** A window that fails is reported and left to `retry`, so that it is not tried as long as a run's shards are. */
const WINDOW = {
  ...STEP,
  startToCloseTimeout: '1 day',
  retry: { ...RETRY, maximumAttempts: 8 },
  priority: BEHIND_OTHERS,
} satisfies ActivityOptions;

export const windowStaging = proxyActivities<Pick<BackfillActivities, 'stageWindow' | 'runWindowAlone'>>(WINDOW);
export const trainingWindowStaging = proxyActivities<Pick<BackfillActivities, 'stageTrainingWindow'>>(WINDOW);

/** An unknown outcome is parked; every attempt looks for the windows first. A conflict has been tried often inside. */
const COMMIT = {
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: {
    ...RETRY,
    maximumAttempts: COMMIT_ATTEMPTS,
    nonRetryableErrorTypes: [...NON_RETRYABLE_CODES, 'COMMIT_CONFLICT'],
  },
  summary: 'Commit: the staged windows in one snapshot',
  priority: BEHIND_OTHERS,
} satisfies ActivityOptions;

export const windowsCommit = proxyActivities<Pick<BackfillActivities, 'commitWindows'>>(COMMIT);
export const trainingWindowsCommit = proxyActivities<Pick<BackfillActivities, 'commitTrainingWindows'>>(COMMIT);
