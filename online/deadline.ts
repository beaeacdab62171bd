/** A time limit for work that can be cancelled. */
import { MoraineError } from '../errors/index.js';

/**
 * Runs the work; after `timeoutMs` milliseconds, less those that are spent already, its signal is aborted and the call fails,
 * whatever the work does.
 * @throws TIMED_OUT
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  spentMs = 0,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        const error = new MoraineError(
          'TIMED_OUT',
          `The online read took longer than its limit of ${timeoutMs} ms (readTimeoutMs).`,
        );
        reject(error);
        controller.abort(error);
      },
      Math.max(0, timeoutMs - spentMs),
    );
  });
  try {
    return await Promise.race([work(controller.signal), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
