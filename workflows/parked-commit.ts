import { ActivityFailure, ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import type { ParkedCommit } from '../activities/contract.js';
import { lookWaitMs } from './look-wait.js';
import { retryCommit } from './signals.js';
import { turns } from './turns.js';

/** How long a parked commit waits before it is looked for again by itself. */
const WAITS = { firstMs: 15_000, intervalMs: 300_000 };

/**
 * Commits, and does not end before the outcome is known. When an activity has used up its attempts without an answer, the commit is
 * parked: the report shows what is known of it, and it is tried again after a while, or when an operator says so.
 * Every attempt looks for the commit by its key first. Nothing is cleaned up meanwhile.
 *
 * @param commit an activity with a bounded number of attempts
 */
export async function commitUntilKnown<Committed>(
  commit: () => Promise<Committed>,
  report: { parked(commit: ParkedCommit | undefined): void },
): Promise<Committed> {
  let isAskedFor = false;
  const { signal, description } = retryCommit;
  setHandler(signal, () => void (isAskedFor = true), { description });
  for (const retries of turns()) {
    try {
      const committed = await commit();
      if (retries > 0) report.parked(undefined);
      return committed;
    } catch (error) {
      const parked = parkedBy(error);
      if (parked === undefined) throw error;
      report.parked(parked);
      isAskedFor = false;
      await condition(() => isAskedFor, lookWaitMs(retries, WAITS));
    }
  }
  // The compiler does not know that turns() never ends.
  throw new TypeError('unreachable');
}

/** The state of a commit whose attempts are used up; undefined if the failure is an answer. */
function parkedBy(error: unknown): ParkedCommit | undefined {
  if (!(error instanceof ActivityFailure) || error.retryState !== 'MAXIMUM_ATTEMPTS_REACHED') return undefined;
  const { cause } = error;
  const reason = cause?.message ?? error.message;
  if (!(cause instanceof ApplicationFailure)) return { code: 'COMMIT_STATE_UNKNOWN', reason };
  const [details] = (cause.details ?? []) as [Partial<Pick<ParkedCommit, 'runKey' | 'snapshotId'>>?];
  const { runKey, snapshotId } = details ?? {};
  return {
    code: cause.type ?? 'COMMIT_STATE_UNKNOWN',
    reason,
    ...(runKey === undefined ? {} : { runKey }),
    ...(snapshotId === undefined ? {} : { snapshotId }),
  };
}
