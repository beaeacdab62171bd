import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { BackfillRunInput, MaxConcurrency } from '../../activities/backfill-contract.js';
import { replyToOf, requested } from '../signals.js';
import { changeConcurrency, pause, resume, retry } from './backfill-signals.js';

const MAX_CONCURRENCY: MaxConcurrency = 16;

/** What people have said to a backfill so far. It outlives one workflow execution. */
export class BackfillControls {
  isPaused: boolean;
  concurrency: number;
  /** Workflows that wait for the outcome. */
  readonly waiting: Set<string>;
  #wantsRetry = false;

  /**
   * @param show called after every change; within the constructor, too, for what was said before the execution began, so that whoever makes
   *   these has no name for them yet
   */
  constructor({ carried, concurrency }: BackfillRunInput, show: (controls: BackfillControls) => void) {
    this.isPaused = carried?.isPaused ?? false;
    this.concurrency = concurrency;
    this.waiting = new Set(carried?.waiting);
    setHandler(
      requested,
      (input) => {
        const replyTo = replyToOf(input);
        if (replyTo !== undefined) this.waiting.add(replyTo);
      },
      { description: 'Asks for this backfill: whoever asks while it is in flight waits for it.' },
    );
    setHandler(
      pause,
      () => {
        this.isPaused = true;
        show(this);
      },
      { description: 'Begins no further window. Those in flight are finished and committed.' },
    );
    setHandler(
      resume,
      () => {
        this.isPaused = false;
        show(this);
      },
      { description: 'Goes on after a pause.' },
    );
    setHandler(
      retry,
      () => {
        this.#wantsRetry = true;
      },
      { description: 'Tries the windows again that have failed, and no others.' },
    );
    setHandler(
      changeConcurrency,
      (windows) => {
        this.concurrency = windows;
        show(this);
        return windows;
      },
      {
        description: `Windows that are worked on at a time from now on: a number from 1 to ${MAX_CONCURRENCY}.`,
        validator: requireConcurrency,
      },
    );
  }

  /** Whether the failed windows are to be tried again; asked for once. */
  takeRetry(): boolean {
    const wanted = this.#wantsRetry;
    this.#wantsRetry = false;
    return wanted;
  }
}

function requireConcurrency(windows: unknown): void {
  if (typeof windows === 'number' && Number.isInteger(windows) && windows >= 1 && windows <= MAX_CONCURRENCY) return;
  const message = `the concurrency is a number from 1 to ${MAX_CONCURRENCY}, not ${JSON.stringify(windows)}`;
  const refusal = ApplicationFailure.create({ message, type: 'INVALID_ARGUMENT', nonRetryable: true });
  // The web UI shows all of it to whoever asked, whom lines of our code do not help.
  refusal.stack = '';
  throw refusal;
}
