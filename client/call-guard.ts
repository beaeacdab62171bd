/** The life of a client: which calls are in flight, and what becomes of them when it is closed. */
import { MoraineError } from '../errors/index.js';

interface Closable {
  close(): Promise<void>;
}

/**
 * Lets calls in until it is closed. Closing cancels what can be cancelled, waits for the end of every call, and closes what calls have
 * opened (readers, loggers), so that nothing is used after it has gone.
 */
export class CallGuard {
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #controllers = new Set<AbortController>();
  readonly #opened = new Set<Closable>();
  #closing: Promise<void> | undefined;

  /** Runs a call to its end. @throws CLOSED */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedError();
    const call = work();
    this.#inFlight.add(call);
    try {
      return await call;
    } finally {
      this.#inFlight.delete(call);
    }
  }

  /** Runs the part of a call that can be cancelled: by the caller's signal, and by closing. @throws CANCELLED */
  async cancellable<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const abort = (): void => controller.abort(signal?.reason);
    throwIfAborted(signal);
    signal?.addEventListener('abort', abort, { once: true });
    this.#controllers.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#controllers.delete(controller);
      signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Runs a call that opens what has to be closed. Closing the client cancels the call, and closes what it has opened; the caller's signal goes
   * on acting on that.
   * @throws CLOSED, CANCELLED
   */
  async open<T extends Closable>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.run(async () => {
      throwIfAborted(signal);
      const controller = new AbortController();
      const abort = (): void => controller.abort(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      const leave = (): void => signal?.removeEventListener('abort', abort);
      this.#controllers.add(controller);
      try {
        const opened = await work(controller.signal);
        this.#opened.add(opened);
        const close = opened.close.bind(opened);
        return Object.assign(opened, {
          close: async () => {
            leave();
            await close();
            this.#opened.delete(opened);
          },
        });
      } catch (error) {
        leave();
        throw error;
      } finally {
        this.#controllers.delete(controller);
      }
    });
  }

  /** Ends everything, then what is behind it. May be called twice. @param last closes what the calls use */
  close(last: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#close(last);
    return this.#closing;
  }

  async #close(last: () => Promise<void>): Promise<void> {
    const reason = new MoraineError('CANCELLED', 'The client was closed.');
    for (const controller of this.#controllers) controller.abort(reason);
    await Promise.allSettled(this.#inFlight);
    const closed = await Promise.allSettled([...this.#opened].map((one) => one.close()));
    await last();
    const failed = closed.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new MoraineError('CANCELLED', 'The call was cancelled by its signal.', { cause: signal.reason });
}

function closedError(): MoraineError {
  return new MoraineError('CLOSED', 'The client is closed. Create another one with createMoraine.');
}
