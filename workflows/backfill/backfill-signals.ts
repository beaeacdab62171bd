/** Signals and updates of a backfill, by the names that people see in the web UI. */
import { ApplicationFailure, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { MaxConcurrency } from '../../activities/backfill-contract.js';
import type { DescribedSignal } from '../forward-signals.js';

const MAX_CONCURRENCY: MaxConcurrency = 16;

export const pause = {
  signal: defineSignal('pause'),
  description: 'Begins no further window. Those in flight are finished and committed.',
} satisfies DescribedSignal;

export const resume = {
  signal: defineSignal('resume'),
  description: 'Goes on after a pause.',
} satisfies DescribedSignal;

export const retry = {
  signal: defineSignal('retry'),
  description: 'Tries the windows again that have failed; after a hundred failures also those that were not begun.',
} satisfies DescribedSignal;

/** Returns the number of windows that are worked on at a time from now on. */
export const changeConcurrency = defineUpdate<number, [number]>('changeConcurrency');

export const CHANGE_CONCURRENCY = {
  description: `Windows that are worked on at a time from now on: a number from 1 to ${MAX_CONCURRENCY}.`,
  validator: (windows: unknown): void => {
    if (typeof windows === 'number' && Number.isInteger(windows) && windows >= 1 && windows <= MAX_CONCURRENCY) return;
    const message = `the concurrency is a number from 1 to ${MAX_CONCURRENCY}, not ${JSON.stringify(windows)}`;
    const refusal = ApplicationFailure.create({ message, type: 'INVALID_ARGUMENT', nonRetryable: true });
    // The web UI shows all of it to whoever asked, whom lines of our code do not help.
    refusal.stack = '';
    throw refusal;
  },
};
