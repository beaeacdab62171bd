import { setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { BackfillInput, BackfillResult } from '../activities/backfill-contract.js';
import type { RunOutcome } from '../activities/contract.js';
import { awaitRun } from './await-run.js';
import { backfillRequests } from './backfill-policies.js';
import { backfillEnded } from './backfill-signals.js';

/**
 * The entry for people, under any workflow id: starts the backfill of the input's view and range, or joins the one in flight, and waits for
 * it. To pause, cancel or speed up the work, speak to the backfill itself, which the details name.
 *
 * The input is one JSON object, for example
 * `{"view": "airport_delay", "start": "2001-01-01", "end": "2002-01-01", "step": "1d"}`.
 */
export async function backfill(input: BackfillInput): Promise<BackfillResult> {
  let told: RunOutcome<BackfillResult> | undefined;
  setHandler(
    backfillEnded,
    (outcome) => {
      told = outcome;
    },
    { description: 'How the backfill ended; sent by it.' },
  );
  const run = await backfillRequests.requestBackfill({ request: input ?? null, replyTo: workflowInfo().workflowId });
  setCurrentDetails(`Waiting for the backfill \`${run.workflowId}\`.`);
  return awaitRun(
    () => told,
    () => backfillRequests.backfillOutcome(run),
  );
}
