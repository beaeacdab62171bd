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

/** Attempts of a commit before it is parked; see `parked-commit.ts`. */
const COMMIT_ATTEMPTS = 6;

/** A conflict is not retried: the plan has to be made again on the newer table. */
export const committing = proxyActivities<Pick<Activities, 'commitMaterialization'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: {
    ...retry,
    maximumAttempts: COMMIT_ATTEMPTS,
    nonRetryableErrorTypes: [...NON_RETRYABLE_CODES, 'COMMIT_CONFLICT'],
  },
  summary: 'Commit: one snapshot under the run key',
});

export const trainingPlanning = proxyActivities<Pick<Activities, 'planTrainingSet'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, maximumAttempts: 20 },
  summary: 'Plan: pin the definitions and snapshots',
});

export const pinning = proxyActivities<Pick<Activities, 'pinTrainingSet'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, maximumAttempts: 20 },
  summary: 'Pin: tag the source snapshots',
});

/** A shard may wait for others of its worker, so that its time starts long before its work. */
export const staging = proxyActivities<Pick<Activities, 'stageTrainingShard'>>({
  ...base,
  startToCloseTimeout: '7 days',
  retry: { ...retry, maximumAttempts: 20 },
});

/** Parked as {@link committing}; every attempt goes on where the one before has ended. */
export const trainingCommit = proxyActivities<Pick<Activities, 'commitTrainingSet'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, maximumAttempts: COMMIT_ATTEMPTS },
  summary: 'Commit: the table, its snapshot, the record',
});

export const discarding = proxyActivities<Pick<Activities, 'discardTrainingSet'>>({
  ...base,
  startToCloseTimeout: '1 hour',
  retry: { ...retry, maximumAttempts: 20 },
  summary: 'Take back what was made',
});
