import { condition, defineSignal, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { RequestedRun, RunOutcome } from '../activities/contract.js';
import { lookWaitMs } from './look-wait.js';
import { asFailure } from './run-outcome.js';
import { runEnded } from './signals.js';
import { turns } from './turns.js';
import { runLink } from './ui-links.js';

/** How long to wait for the run's own word before looking whether it was terminated. */
const LOOKS = { firstMs: 30_000, intervalMs: 600_000 };

/** A run that an entry workflow has others do. */
export interface AskedRun<Result> {
  /** Its name in the details; `run` by default. */
  readonly what?: string;
  /** Starts or joins it. @param replyTo the workflow that it tells how it ended */
  readonly request: (replyTo: string) => Promise<RequestedRun>;
  /** Sets the handlers of what people say to the entry and mean for its run. @param run the run, once it is known */
  readonly accept?: (run: () => Promise<RequestedRun>) => void;
  /** Looks at the run itself, in case it was terminated and cannot report; null: it is in flight. */
  readonly look: (run: RequestedRun) => Promise<RunOutcome<Result> | null>;
}

/** Asks for a run, waits for it, and gives its result or fails as it did. */
export async function awaitRun<Result>({ what = 'run', request, accept, look }: AskedRun<Result>): Promise<Result> {
  let told: RunOutcome<Result> | undefined;
  let know: (run: RequestedRun) => void = () => undefined;
  const known = new Promise<RequestedRun>((resolve) => {
    know = resolve;
  });
  accept?.(() => known);
  setHandler(
    defineSignal<[RunOutcome<Result>]>(runEnded.name),
    (outcome) => {
      // Anything but an outcome was sent by hand.
      if (typeof outcome?.status === 'string') told = outcome;
    },
    { description: `How the ${what} ended; sent by the ${what}.` },
  );
  const run = await request(workflowInfo().workflowId);
  know(run);
  setCurrentDetails(`Waiting for the ${what} ${runLink(run)}.`);
  for (const looks of turns()) {
    if (await condition(() => told !== undefined, lookWaitMs(looks, LOOKS))) break;
    const outcome = await look(run);
    if (outcome !== null) told = outcome;
    if (told !== undefined) break;
  }
  const outcome = told ?? { status: 'failed', code: 'INTERNAL', message: 'the run ended without an outcome' };
  setCurrentDetails(
    `The ${what} ${runLink(run)} ${outcome.status === 'failed' ? `failed: ${outcome.code}` : 'completed'}.`,
  );
  return resultOf(outcome);
}

function resultOf<Result>(outcome: RunOutcome<Result>): Result {
  if (outcome.status === 'completed') return outcome.result;
  throw asFailure(outcome);
}
