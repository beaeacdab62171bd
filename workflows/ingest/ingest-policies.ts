/** How the activity of `ingest` is retried: until it comes right, or an error is final. */
import { proxyActivities } from '@temporalio/workflow';
import type { IngestActivities } from '../../activities/ingest-contract.js';
import { RETRY, STEP } from '../retry.js';

export const writing = proxyActivities<IngestActivities>({ ...STEP, startToCloseTimeout: '7 days', retry: RETRY });
