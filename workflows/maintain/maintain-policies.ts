/** How the activities of maintenance are retried: every one may be repeated, and goes on where the attempt before has ended. */
import { proxyActivities } from '@temporalio/workflow';
import type { MaintainActivities } from '../../activities/maintain-contract.js';
import { REQUEST, RETRY, STEP } from '../retry.js';

/** Short steps that ask Temporal itself. */
export const maintainRequests =
  proxyActivities<Pick<MaintainActivities, 'requestMaintain' | 'maintainOutcome'>>(REQUEST);

export const maintenance = proxyActivities<Omit<MaintainActivities, 'requestMaintain' | 'maintainOutcome'>>({
  ...STEP,
  startToCloseTimeout: '1 day',
  retry: { ...RETRY, maximumAttempts: 20 },
});
