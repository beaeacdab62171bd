import type { BackfillInput, BackfillResult } from '../../activities/backfill-contract.js';
import { awaitRun } from '../await-run.js';
import { ownInput } from '../own-input.js';
import { backfillRequests } from './backfill-policies.js';

/**
 * The entry for people, under any workflow id: starts the backfill of the input's view and range, or joins the one in flight, and waits for
 * it. To pause, cancel or speed up the work, speak to the backfill itself, which the details name.
 *
 * The input is one JSON object, for example
 * `{"view": "airport_delay", "start": "2001-01-01", "end": "2002-01-01", "step": "1d"}`.
 */
export async function backfill(input: BackfillInput): Promise<BackfillResult> {
  return awaitRun({
    what: 'backfill',
    request: (replyTo) => backfillRequests.requestBackfill({ request: ownInput(input), replyTo }),
    look: (run) => backfillRequests.backfillOutcome(run),
  });
}
