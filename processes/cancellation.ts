/** Ending what waits when its caller no longer wants it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MoraineError } from '../errors/index.js';

/** @throws `CANCELLED` once the signal is aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new MoraineError('CANCELLED', 'cancelled', { cause: signal.reason });
}

/**
 * The result of `work`, unless the signal is aborted first. The work itself is not stopped, and its late result is dropped.
 *
 * @param graceMs how long the work may still take after that
 * @throws `CANCELLED`
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, graceMs = 0): Promise<T> {
  if (signal === undefined) return work;
  const stopped = new AbortController();
  try {
    return await Promise.race([work, rejectAfter(signal, graceMs, stopped.signal)]);
  } finally {
    stopped.abort();
  }
}

/** Waits, at most until the signal is aborted. @throws `CANCELLED` */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  throwIfAborted(signal);
}

async function rejectAfter(signal: AbortSignal, graceMs: number, stopped: AbortSignal): Promise<never> {
  await aborted(AbortSignal.any([signal, stopped]));
  if (graceMs > 0 && !stopped.aborted) await sleep(graceMs, undefined, { signal: stopped }).catch(() => undefined);
  // Nobody waits for this one any more.
  if (stopped.aborted) return new Promise<never>(() => {});
  throwIfAborted(signal);
  throw new MoraineError('INTERNAL', 'The signal is not aborted.');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
