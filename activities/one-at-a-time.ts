/** Runs pieces of work one after the other, in the order in which they were asked for. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  /** @param signal what is aborted while it waits never starts, and throws the signal's reason */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      signal.throwIfAborted();
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}
