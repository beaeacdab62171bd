/** How the activities of compaction are retried. */
import { proxyActivities } from '@temporalio/workflow';
import type { CompactActivities } from '../../activities/compact-contract.js';
import { COMMIT_ATTEMPTS, REQUEST, RETRY, STEP } from '../retry.js';

/** Short steps that ask Temporal itself; a request is checked by planning it. */
export const compactRequests = proxyActivities<Pick<CompactActivities, 'requestCompact' | 'compactOutcome'>>({
  ...REQUEST,
  startToCloseTimeout: '5 minutes',
  retry: { ...RETRY, maximumAttempts: 20 },
});

export const compaction = proxyActivities<Pick<CompactActivities, 'planCompaction' | 'rewriteGroup'>>({
  ...STEP,
  startToCloseTimeout: '1 day',
  retry: { ...RETRY, maximumAttempts: 20 },
});

/** Conflicts are part of the answer. An unknown outcome is parked; every attempt looks for the commit by its key first. */
export const compactCommit = proxyActivities<Pick<CompactActivities, 'commitCompaction'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: COMMIT_ATTEMPTS },
});

export const compactEnd = proxyActivities<Pick<CompactActivities, 'endCompaction'>>({
  ...STEP,
  startToCloseTimeout: '1 minute',
  retry: { ...RETRY, maximumAttempts: 5 },
});
