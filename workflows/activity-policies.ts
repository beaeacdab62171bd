/** How each activity is retried: by the error table alone. */
import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/contract.js';
import { NON_RETRYABLE_CODES } from '../errors/index.js';
import { COMMIT_ATTEMPTS, REQUEST, RETRY, STEP } from './retry.js';

/** Short steps that ask Temporal itself. */
export const requests = proxyActivities<Pick<Activities, 'requestRun' | 'runOutcome'>>(REQUEST);

export const planning = proxyActivities<Pick<Activities, 'planMaterialization'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: 20 },
  summary: 'Plan: pin the source snapshot, choose files',
});

export const extraction = proxyActivities<Pick<Activities, 'extractShard'>>({
  ...STEP,
  startToCloseTimeout: '1 day',
  retry: { ...RETRY, maximumAttempts: 20 },
});

/** A part whose worker is lost or stops is taken again by another one. */
export const reduction = proxyActivities<Pick<Activities, 'reducePart'>>({
  ...STEP,
  startToCloseTimeout: '1 day',
  retry: { ...RETRY, maximumAttempts: 20 },
});

/** What it leaves, the sweep of orphans finds. */
export const discardingReduced = proxyActivities<Pick<Activities, 'discardReduced'>>({
  ...STEP,
  startToCloseTimeout: '10 minutes',
  retry: { ...RETRY, maximumAttempts: 5 },
  summary: 'Take away what the parts have left for the shards',
});

/** A conflict is not retried: the plan has to be made again on the newer table. */
export const committing = proxyActivities<Pick<Activities, 'commitMaterialization'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: {
    ...RETRY,
    maximumAttempts: COMMIT_ATTEMPTS,
    nonRetryableErrorTypes: [...NON_RETRYABLE_CODES, 'COMMIT_CONFLICT'],
  },
  summary: 'Commit: one snapshot under the run key',
});

export const trainingPlanning = proxyActivities<Pick<Activities, 'planTrainingSet'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: 20 },
  summary: 'Plan: pin the definitions and snapshots',
});

export const pinning = proxyActivities<Pick<Activities, 'pinTrainingSet'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: 20 },
  summary: 'Pin: tag the source snapshots',
});

/** A part or a shard may wait for others of its worker, so that its time starts long before its work. */
export const staging = proxyActivities<Pick<Activities, 'reduceTrainingPart' | 'stageTrainingShard'>>({
  ...STEP,
  startToCloseTimeout: '7 days',
  retry: { ...RETRY, maximumAttempts: 20 },
});

/** Parked as {@link committing}; every attempt goes on where the one before has ended. */
export const trainingCommit = proxyActivities<Pick<Activities, 'commitTrainingSet'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: COMMIT_ATTEMPTS },
  summary: 'Commit: the table, its snapshot, the record',
});

export const discarding = proxyActivities<Pick<Activities, 'discardTrainingSet'>>({
  ...STEP,
  startToCloseTimeout: '1 hour',
  retry: { ...RETRY, maximumAttempts: 20 },
  summary: 'Take back what was made',
});
