import { workflowInfo } from '@temporalio/workflow';
import type { MaterializeInput, MaterializeResult } from '../../activities/contract.js';
import { requests } from '../activity-policies.js';
import { awaitRun } from '../await-run.js';
import { forwardSignals } from '../forward-signals.js';
import { ownInput } from '../own-input.js';
import { retryCommit } from '../signals.js';

/**
 * The entry for people and schedules, under any workflow id: starts the run of the input's interval, or joins the one
 * in flight, and waits for it. Cancelling this workflow stops the waiting only, because others may wait for the run
 * too; to stop the work, cancel the run itself, which the details name.
 *
 * The input is one JSON object, for example `{"view": "airport_delay"}` or, in a schedule,
 * `{"view": "airport_delay", "every": "1h"}`.
 */
export async function materialize(input: MaterializeInput): Promise<MaterializeResult> {
  const scheduledTime = nominalTime();
  const scheduled = scheduledTime === undefined ? {} : { scheduledTime };
  return awaitRun({
    accept: (run) => forwardSignals(run, [retryCommit]),
    request: (replyTo) => requests.requestRun({ request: ownInput(input), replyTo, ...scheduled }),
    look: (run) => requests.runOutcome(run),
  });
}

/** The time for which a schedule started this workflow; not when it did, which catch-up and backfill make later. */
function nominalTime(): string | undefined {
  const { searchAttributes } = workflowInfo();
  const [time] = searchAttributes['TemporalScheduledStartTime'] ?? [];
  if (time instanceof Date) return time.toISOString();
  return typeof time === 'string' ? time : undefined;
}
