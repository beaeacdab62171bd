import { HandlerUnfinishedPolicy } from '@temporalio/common';
import { getExternalWorkflowHandle, patched, type SignalDefinition, setHandler } from '@temporalio/workflow';
import type { RequestedRun } from '../activities/contract.js';

/** A signal that people send, and what it does. */
export interface DescribedSignal {
  readonly signal: SignalDefinition;
  readonly description: string;
}

/** Entries of earlier versions kept such signals without a handler: what they did not forward is not forwarded in a replay either. */
const FORWARDS_SIGNALS = 'forwards-signals';

/**
 * Has an entry pass signals on to its run: people see the entry that they have started, and the run may have continued in an execution
 * that they do not see. A run that has ended needs none.
 * @param run of the entry, once it is known
 */
export function forwardSignals(run: () => Promise<RequestedRun>, signals: readonly DescribedSignal[]): void {
  for (const { signal, description } of signals) {
    const forward = async (): Promise<void> => {
      if (!patched(FORWARDS_SIGNALS)) return;
      const { workflowId } = await run();
      await getExternalWorkflowHandle(workflowId)
        .signal(signal)
        .catch(() => undefined);
    };
    setHandler(signal, forward, { description, unfinishedPolicy: HandlerUnfinishedPolicy.ABANDON });
  }
}
