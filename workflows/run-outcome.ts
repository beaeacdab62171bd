/** How runs end: telling those who asked for them. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
} from '@temporalio/workflow';
import type { RunOutcome } from '../activities/contract.js';
import { runEnded } from './signals.js';

/** The code of the error table, and the reason. */
export interface RunFailure {
  readonly code: string;
  readonly message: string;
}

/** The cause of a failure of a step or of the run itself. */
export function failureOf(error: unknown): RunFailure {
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  const code = cause instanceof ApplicationFailure ? (cause.type ?? 'RUN_FAILED') : 'RUN_FAILED';
  return { code, message: cause instanceof Error ? cause.message : String(error) };
}

/** The failure of {@link failureOf}, to be thrown once more. */
export function asFailure({ code, message }: RunFailure): ApplicationFailure {
  return ApplicationFailure.create({ message, type: code, nonRetryable: true });
}

/** @param what the run is called in the message of a cancellation */
export function failureOutcome(error: unknown, what = 'run'): RunOutcome<never> {
  if (isCancellation(error)) return { status: 'failed', code: 'CANCELLED', message: `the ${what} was cancelled` };
  return { status: 'failed', ...failureOf(error) };
}

/** Tells everybody who waits, even if the run is cancelled; who has gone meanwhile needs no answer. */
export async function tellAll<Result>(workflowIds: Iterable<string>, outcome: RunOutcome<Result>): Promise<void> {
  await CancellationScope.nonCancellable(() =>
    Promise.allSettled([...workflowIds].map((id) => getExternalWorkflowHandle(id).signal(runEnded.name, outcome))),
  );
}
