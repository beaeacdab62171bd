import { setHandler } from '@temporalio/workflow';
import type { BackfillRunInput } from '../../activities/backfill-contract.js';
import { replyToOf, requested } from '../signals.js';
import { CHANGE_CONCURRENCY, changeConcurrency, pause, resume, retry } from './backfill-signals.js';

/** State of a backfill's controls. It outlives one workflow execution. */
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
      pause.signal,
      () => {
        this.isPaused = true;
        show(this);
      },
      { description: pause.description },
    );
    setHandler(
      resume.signal,
      () => {
        this.isPaused = false;
        show(this);
      },
      { description: resume.description },
    );
    setHandler(
      retry.signal,
      () => {
        this.#wantsRetry = true;
      },
      { description: retry.description },
    );
    setHandler(
      changeConcurrency,
      (windows) => {
        this.concurrency = windows;
        show(this);
        return windows;
      },
      CHANGE_CONCURRENCY,
    );
  }

  /** Whether the failed windows are to be tried again; asked for once. */
  takeRetry(): boolean {
    const wanted = this.#wantsRetry;
    this.#wantsRetry = false;
    return wanted;
  }
}
