import { ApplicationFailure, condition, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { MaterializeInput, MaterializeResult, RequestedRun, RunOutcome } from '../activities/contract.js';
import { requests } from './activity-policies.js';
import { runEnded } from './signals.js';

/** How long to wait for the run's own word before looking whether it was terminated. */
const FIRST_LOOK_MS = 30_000;
const LONGEST_LOOK_MS = 600_000;

/**
 * The entry for people and schedules, under any workflow id: starts the run of the input's interval, or joins the one
 * in flight, and waits for it. Cancelling this workflow stops the waiting only, because others may wait for the run
 * too; to stop the work, cancel the run itself, which the details name.
 *
 * The input is one JSON object, for example `{"view": "airport_delay"}` or, in a schedule,
 * `{"view": "airport_delay", "every": "1h"}`.
 */
export async function materialize(input: MaterializeInput): Promise<MaterializeResult> {
  let told: RunOutcome | undefined;
  setHandler(
    runEnded,
    (outcome) => {
      told = outcome;
    },
    { description: 'How the run ended; sent by the run.' },
  );
  const scheduledTime = nominalTime();
  const run = await requests.requestRun({
    request: input ?? null,
    replyTo: workflowInfo().workflowId,
    ...(scheduledTime === undefined ? {} : { scheduledTime }),
  });
  setCurrentDetails(`Waiting for the run \`${run.workflowId}\`.`);
  return resultOf(await outcomeOf(run, () => told));
}

/** Waits for the run's word; looks at the run itself now and then, in case it was terminated and cannot speak. */
async function outcomeOf(run: RequestedRun, told: () => RunOutcome | undefined): Promise<RunOutcome> {
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS)) {
    if (await condition(() => told() !== undefined, waitMs)) break;
    const outcome = await requests.runOutcome(run);
    if (outcome !== null) return outcome;
  }
  return told() ?? { status: 'failed', code: 'INTERNAL', message: 'the run ended without an outcome' };
}

function resultOf(outcome: RunOutcome): MaterializeResult {
  if (outcome.status === 'completed') return outcome.result;
  throw ApplicationFailure.create({ message: outcome.message, type: outcome.code, nonRetryable: true });
}

/** The time for which a schedule started this workflow; not when it did, which catch-up and backfill make later. */
function nominalTime(): string | undefined {
  const { searchAttributes } = workflowInfo();
  const [time] = searchAttributes['TemporalScheduledStartTime'] ?? [];
  if (time instanceof Date) return time.toISOString();
  return typeof time === 'string' ? time : undefined;
}
