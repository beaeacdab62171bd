/** Waiting for a workflow, and showing how far it is meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunOutcome } from '../activities/contract.js';
import { outcomeOf } from '../activities/index.js';
import { ERROR_TABLE, type ErrorCode, MoraineError } from '../errors/index.js';

const PROGRESS_INTERVAL_MS = 500;
/** How long a question that is under way when the run ends may take to be answered. */
const LAST_ANSWER_MS = 5000;

/** A workflow's handle, as far as it is used here. */
export interface FollowedRun<Result> {
  readonly workflowId: string;
  result(): Promise<Result>;
  query<Answer>(name: string): Promise<Answer>;
}

export interface FollowOptions<Progress> {
  /** Stops the waiting; the run goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Waits until a run has ended.
 *
 * @throws the run's own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export async function followRun<Result, Progress>(
  run: FollowedRun<Result>,
  { signal, onProgress }: FollowOptions<Progress>,
): Promise<Result> {
  const ended = new AbortController();
  const stop = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  const following = onProgress === undefined ? undefined : followProgress(run, onProgress, stop);
  try {
    return resultOf(await Promise.race([outcomeOf(run.result()), rejectWhenAborted(signal, run)]), run);
  } finally {
    ended.abort();
    // The caller closes the connection next, and a question that is then tried once more would end the process.
    if (following !== undefined) await Promise.race([following, sleep(LAST_ANSWER_MS, undefined, { ref: false })]);
  }
}

function resultOf<Result>(outcome: RunOutcome<Result>, { workflowId }: FollowedRun<Result>): Result {
  if (outcome.status === 'completed') return outcome.result;
  throw new MoraineError(knownCode(outcome.code), outcome.message, { details: { workflowId } });
}

async function followProgress<Progress>(
  run: FollowedRun<unknown>,
  onProgress: (progress: Progress) => void,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      const progress = await run.query<Progress>('progress');
      if (!stop.aborted) onProgress(progress);
    } catch {
      // A worker that restarts cannot answer for a moment; the result tells how it ended.
    }
    await sleep(PROGRESS_INTERVAL_MS, undefined, { signal: stop }).catch(() => {});
  }
}

function rejectWhenAborted(signal: AbortSignal | undefined, { workflowId }: FollowedRun<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const stopped = (): void => reject(new MoraineError('CANCELLED', `stopped waiting; the run ${workflowId} goes on`));
    if (signal?.aborted === true) stopped();
    else signal?.addEventListener('abort', stopped, { once: true });
  });
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'RUN_FAILED';
}
