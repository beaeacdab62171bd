/** A time limit for work that can be cancelled. */
import { MoraineError } from '../errors/index.js';

/**
 * Runs the work; after `timeoutMs` milliseconds, less those that are spent already, its signal is aborted and the call fails,
 * whatever the work does. So it does when the caller's signal is aborted.
 * @throws TIMED_OUT, CANCELLED
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  spentMs = 0,
  cancel?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  const deadline = new Promise<never>((_, reject) => {
    abort = () => {
      const error = new MoraineError('CANCELLED', 'The online read was cancelled.', { cause: cancel?.reason });
      reject(error);
      controller.abort(error);
    };
    const fail = (): void => {
      const error = new MoraineError(
        'TIMED_OUT',
        `The online read took longer than its limit of ${timeoutMs} ms (readTimeoutMs).`,
      );
      reject(error);
      controller.abort(error);
    };
    // Without any time left, nothing is begun that might be done before a timer fires.
    if (timeoutMs <= spentMs) fail();
    else timer = setTimeout(fail, timeoutMs - spentMs);
  });
  if (cancel?.aborted === true) abort();
  else cancel?.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race(controller.signal.aborted ? [deadline] : [deadline, work(controller.signal)]);
  } finally {
    cancel?.removeEventListener('abort', abort);
    clearTimeout(timer);
  }
}
