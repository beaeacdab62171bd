/** Steps of a run may end without hearing that it was cancelled; what comes after them must. */
import { CancellationScope, CancelledFailure } from '@temporalio/workflow';

/** Whether the run was asked to end. Activities, timers and conditions look by themselves. */
export const isCancelled = (): boolean => CancellationScope.current().consideredCancelled;

/** To be called before what begins in spite of a cancellation: a commit, a new execution. @throws CancelledFailure */
export function throwIfCancelled(): void {
  if (isCancelled()) throw new CancelledFailure('cancelled between two steps');
}
