import { ApplicationFailure, condition } from '@temporalio/workflow';
import type { RunOutcome } from '../activities/contract.js';

/** How long to wait for the run's own word before looking whether it was terminated. */
const FIRST_LOOK_MS = 30_000;
const LONGEST_LOOK_MS = 600_000;

/**
 * Waits for a run that this workflow has asked for, and gives its result or fails as it did.
 * @param told what the run has said of its end, by signal
 * @param look looks at the run itself, in case it was terminated and cannot speak; null: it is in flight
 */
export async function awaitRun<Result>(
  told: () => RunOutcome<Result> | undefined,
  look: () => Promise<RunOutcome<Result> | null>,
): Promise<Result> {
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS)) {
    if (await condition(() => told() !== undefined, waitMs)) break;
    const outcome = await look();
    if (outcome !== null) return resultOf(outcome);
  }
  return resultOf(told() ?? { status: 'failed', code: 'INTERNAL', message: 'the run ended without an outcome' });
}

function resultOf<Result>(outcome: RunOutcome<Result>): Result {
  if (outcome.status === 'completed') return outcome.result;
  throw ApplicationFailure.create({ message: outcome.message, type: outcome.code, nonRetryable: true });
}
