/** How the activities of maintenance are retried: every one may be repeated, and goes on where the attempt before has ended. */
import { proxyActivities } from '@temporalio/workflow';
import type { MaintainActivities } from '../activities/maintain-contract.js';
import { NON_RETRYABLE_CODES } from '../errors/index.js';

const retry = {
  initialInterval: '200 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
};

/** Short steps that ask Temporal itself. */
export const maintainRequests = proxyActivities<Pick<MaintainActivities, 'requestMaintain' | 'maintainOutcome'>>({
  startToCloseTimeout: '1 minute',
  retry,
});

export const maintenance = proxyActivities<Omit<MaintainActivities, 'requestMaintain' | 'maintainOutcome'>>({
  heartbeatTimeout: '10 seconds',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  startToCloseTimeout: '1 day',
  retry: { ...retry, maximumAttempts: 20 },
});
