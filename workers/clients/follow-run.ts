/** Waiting for a workflow, and showing how far it is meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunOutcome } from '../../activities/contract.js';
import { outcomeOf } from '../../activities/index.js';
import { ERROR_TABLE, type ErrorCode, MoraineError } from '../../errors/index.js';
import { unlessAborted } from '../../processes/index.js';

const PROGRESS_INTERVAL_MS = 500;
/** How long a question that is under way when the run ends may take to be answered. */
const LAST_ANSWER_MS = 5000;
/** Time for a run to end after its cancellation. */
const CANCELLATION_WAIT_MS = 30_000;
const CANCELLATION_INTERVAL_MS = 500;

/** A workflow's handle, as far as it is used here. */
export interface FollowedRun<Result> {
  readonly workflowId: string;
  /** Of the run that does the work and that {@link cancel} ends, where the workflow only waits for it. */
  readonly workId?: string;
  result(): Promise<Result>;
  cancel(): Promise<unknown>;
  query<Answer>(name: string): Promise<Answer>;
}

export interface FollowOptions<Progress> {
  /** Stops the waiting; the run goes on unless `cancels`. */
  readonly signal?: AbortSignal;
  /** Whether the signal cancels the run, and its end is waited for: for runs whose server or worker ends with the waiting. */
  readonly cancels?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Waits until a run has ended.
 *
 * @throws the run's own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export async function followRun<Result, Progress>(
  run: FollowedRun<Result>,
  { signal, cancels = false, onProgress }: FollowOptions<Progress>,
): Promise<Result> {
  const ended = new AbortController();
  const stop = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  const following = onProgress === undefined ? undefined : followProgress(run, onProgress, stop);
  try {
    const outcome = outcomeOf(run.result());
    return resultOf(
      await unlessAborted(outcome, signal).catch((error: unknown) => {
        if (signal?.aborted !== true) throw error;
        return cancels ? cancelled(run, outcome) : stopWaiting(run, 'the run goes on', goesOn(run));
      }),
      run,
    );
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

/** Cancels a run until it has ended: one that was only asked for may not have begun when it is cancelled first. */
async function cancelled<Result>(
  run: FollowedRun<Result>,
  outcome: Promise<RunOutcome<Result>>,
): Promise<RunOutcome<Result>> {
  const deadlineMs = Date.now() + CANCELLATION_WAIT_MS;
  while (Date.now() < deadlineMs) {
    void run.cancel().catch(() => undefined);
    const ended = await Promise.race([outcome, sleep(CANCELLATION_INTERVAL_MS, undefined)]);
    if (ended !== undefined) return ended;
  }
  return stopWaiting(run, `it has not ended ${CANCELLATION_WAIT_MS / 1000} s after its cancellation`);
}

function stopWaiting({ workflowId }: FollowedRun<unknown>, why: string, remedy?: string): never {
  throw new MoraineError('CANCELLED', `stopped waiting for ${workflowId}: ${why}`, {
    details: { workflowId },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** The remedy for a run that goes on: for those who want it, and for those who do not. */
function goesOn({ workflowId, workId = workflowId }: FollowedRun<unknown>): string {
  const cancel = workId.startsWith('backfill/') ? 'moraine backfill cancel' : 'temporal workflow cancel --workflow-id';
  return `\`moraine run show ${workflowId} --watch\` follows it; \`${cancel} ${workId}\` stops it.`;
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'RUN_FAILED';
}
