/** A time limit for work that can be cancelled. */
import { MoraineError } from '../errors/index.js';
import { watchLoop } from './loop-delay.js';
import { overloaded } from './parts/statement-queue.js';

/** Limits of a read. */
export interface ReadLimits {
  /** Of execution, in milliseconds. */
  readonly timeoutMs: number;
  /** Of all waiting for a turn, of the query engine or of this process, in milliseconds. */
  readonly queueTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Milliseconds that a read has spent. */
export interface SpentTime {
  executionMs: number;
  waitingMs: number;
}

/**
 * Runs the work; after `timeoutMs` of execution, less those that are spent already, its signal is aborted and the call fails, whatever the
 * work does. So it does when the caller's signal is aborted. While other work holds up this process, the call waits: that is no execution.
 * @param spent by the parts of the read before; at the end, also of a failure, what this one has spent is added
 * @throws TIMED_OUT, CANCELLED, OVERLOADED
 */
export async function withDeadline<T>(
  { timeoutMs, queueTimeoutMs, signal: cancel }: ReadLimits,
  work: (signal: AbortSignal) => Promise<T>,
  spent: SpentTime = { executionMs: 0, waitingMs: 0 },
): Promise<T> {
  const controller = new AbortController();
  const startMs = performance.now();
  const loop = watchLoop();
  const executionMs = (): number => performance.now() - startMs - loop.heldUpMs();
  let timer: NodeJS.Timeout | undefined;
  let lastChance: NodeJS.Immediate | undefined;
  let abort = (): void => undefined;
  const deadline = new Promise<never>((_, reject) => {
    const fail = (error: MoraineError): void => {
      reject(error);
      controller.abort(error);
    };
    abort = () => fail(new MoraineError('CANCELLED', 'The online read was cancelled.', { cause: cancel?.reason }));
    const look = (isBegun: boolean): void => {
      const leftMs = timeoutMs - spent.executionMs - executionMs();
      const waitingMs = spent.waitingMs + loop.heldUpMs();
      if (leftMs <= 0) fail(tooLong(timeoutMs));
      // What waited long before, and need not wait any more, goes on.
      else if (!isBegun || waitingMs <= queueTimeoutMs) timer = setTimeout(look, leftMs, true);
      // What is ready by now has not been noticed yet.
      else lastChance = setImmediate(() => fail(busy(waitingMs, queueTimeoutMs)));
    };
    // Without any time left, nothing is begun that might be done before a timer fires.
    look(false);
  });
  if (cancel?.aborted === true) abort();
  else cancel?.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race(controller.signal.aborted ? [deadline] : [deadline, work(controller.signal)]);
  } finally {
    cancel?.removeEventListener('abort', abort);
    clearTimeout(timer);
    clearImmediate(lastChance);
    spent.executionMs += executionMs();
    spent.waitingMs += loop.heldUpMs();
    loop.end();
  }
}

function tooLong(timeoutMs: number): MoraineError {
  return new MoraineError(
    'TIMED_OUT',
    `The online read took longer than its limit of ${timeoutMs} ms (readTimeoutMs).`,
  );
}

function busy(waitingMs: number, limitMs: number): MoraineError {
  const waited = `it has waited for ${Math.round(waitingMs)} of ${limitMs} ms (queueTimeoutMs)`;
  return overloaded(`${waited}, the last of them while other work held up this process`);
}
