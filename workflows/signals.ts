/** Signals of the workflows, by the names that people see in the web UI. */
import { defineSignal } from '@temporalio/workflow';
import type { RunOutcome } from '../activities/contract.js';
import type { DescribedSignal } from './forward-signals.js';

/** Somebody asks for the run: a pass that starts after this has to follow. */
export interface RunRequested {
  /** Workflow that waits for the outcome. */
  readonly replyTo?: string;
}

/** Who is to be told, if anybody: people send `requested` from the web UI, too, with nothing or anything in it. */
export function replyToOf(input: unknown): string | undefined {
  const { replyTo } = (input ?? {}) as { readonly replyTo?: unknown };
  return typeof replyTo === 'string' ? replyTo : undefined;
}

/** To `materializeRun`; sent with the start, so that it also starts the run if none is in flight. */
export const requested = defineSignal<[RunRequested]>('requested');

/** From a run to those who asked; with the result of its kind. */
export const runEnded = defineSignal<[RunOutcome]>('runEnded');

/** To a run whose commit is parked. */
export const retryCommit = {
  signal: defineSignal('retryCommit'),
  description: 'Looks for a parked commit now.',
} satisfies DescribedSignal;
