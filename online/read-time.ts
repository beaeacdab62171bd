/** The time of one online read: execution counts towards its limit, waiting for turns has a limit of its own. */
import { MoraineError } from '../errors/index.js';
import { type ReadLimits, type SpentTime, withDeadline } from './deadline.js';
import { overloaded, type Queued } from './parts/statement-queue.js';

/** Counts the time of a read. */
export class ReadTime {
  readonly #spent: SpentTime = { executionMs: 0, waitingMs: 0 };

  /**
   * Runs a part of the read.
   * @throws TIMED_OUT, CANCELLED, OVERLOADED
   */
  async run<T>(limits: ReadLimits, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await withDeadline(limits, work, this.#spent);
  }

  /**
   * Waits for the turn of queued work, then for its result.
   * @throws OVERLOADED, TIMED_OUT, CANCELLED
   */
  async queued<T>(limits: ReadLimits, { started, result }: Queued<T>): Promise<T> {
    result.catch(() => undefined);
    await turn(limits, started, this.#spent);
    return await this.run(limits, () => result);
  }

  /**
   * The same for work that counts its own time.
   * @throws OVERLOADED, CANCELLED, and what the work throws
   */
  async ofItsOwn<T>(limits: ReadLimits, { started, result }: Queued<T>): Promise<T> {
    result.catch(() => undefined);
    await turn(limits, started, this.#spent);
    return await result;
  }
}

/**
 * A turn that has come is taken, however long the read has waited before.
 * @throws OVERLOADED, CANCELLED
 */
async function turn({ queueTimeoutMs, signal }: ReadLimits, started: Promise<void>, spent: SpentTime): Promise<void> {
  const startMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(overloaded(`its turn did not come within ${queueTimeoutMs} ms (queueTimeoutMs)`)),
      Math.max(0, queueTimeoutMs - spent.waitingMs),
    );
    abort = () => reject(new MoraineError('CANCELLED', 'The online read was cancelled.', { cause: signal?.reason }));
  });
  if (signal?.aborted === true) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([tooLong, started]);
  } finally {
    signal?.removeEventListener('abort', abort);
    clearTimeout(timer);
    spent.waitingMs += performance.now() - startMs;
  }
}
