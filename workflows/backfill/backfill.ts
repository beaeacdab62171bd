import { setHandler } from '@temporalio/workflow';
import type { BackfillInput, BackfillResult } from '../../activities/backfill-contract.js';
import { awaitRun } from '../await-run.js';
import { forwardSignals } from '../forward-signals.js';
import { ownInput } from '../own-input.js';
import { retryCommit } from '../signals.js';
import { backfillRequests } from './backfill-policies.js';
import { CHANGE_CONCURRENCY, changeConcurrency, pause, resume, retry } from './backfill-signals.js';

/**
 * The entry for people, under any workflow id: starts the backfill of the input's view and range, or joins the one in flight, and waits for
 * it. What a backfill takes (`pause`, `resume`, `retry`, `changeConcurrency`, ..) it takes here, too, and passes on. Cancelling this workflow
 * stops the waiting only; to stop the work, cancel the backfill itself, which the details name.
 *
 * The input is one JSON object, for example
 * `{"view": "airport_delay", "start": "2001-01-01", "end": "2002-01-01", "step": "1d"}`.
 */
export async function backfill(input: BackfillInput): Promise<BackfillResult> {
  return awaitRun({
    what: 'backfill',
    accept: (run) => {
      forwardSignals(run, [pause, resume, retry, retryCommit]);
      setHandler(
        changeConcurrency,
        async (windows) => backfillRequests.changeBackfillConcurrency({ run: await run(), windows }),
        CHANGE_CONCURRENCY,
      );
    },
    request: (replyTo) => backfillRequests.requestBackfill({ request: ownInput(input), replyTo }),
    look: (run) => backfillRequests.backfillOutcome(run),
  });
}
