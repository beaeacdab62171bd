/** A queue of work for the engine: a few statements run at a time, and no more than so many wait. */
import { MoraineError } from '../../errors/index.js';

/** Work that waits or runs. */
export interface Queued<T> {
  /** Resolves when the work begins; rejects with what `result` rejects with. */
  readonly started: Promise<void>;
  readonly result: Promise<T>;
}

/** Runs work in the order in which it came. */
export class StatementQueue {
  readonly #lanes: number;
  readonly #mostWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isClosed = false;
  #idle: (() => void)[] = [];

  constructor(lanes: number, mostWaiting: number) {
    this.#lanes = lanes;
    this.#mostWaiting = mostWaiting;
  }

  /** @throws OVERLOADED as the result where too many wait already */
  run<T>(work: () => Promise<T>): Queued<T> {
    if (this.#running >= this.#lanes && this.#waiting.length >= this.#mostWaiting) {
      const failed = Promise.reject<never>(overloaded(`${this.#waiting.length} others wait`));
      return { started: failed, result: failed };
    }
    let begin = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const result = started
      .then(() => {
        if (this.#isClosed) throw new MoraineError('CLOSED', 'The online reader is closed.');
        return work();
      })
      .finally(() => this.#next());
    this.#waiting.push(begin);
    this.#begin();
    return { started, result };
  }

  /** Refuses what waits and what comes, and resolves at the end of what runs. @throws nothing */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    this.#running -= 1;
    this.#begin();
    if (this.#running > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle = [];
  }

  #begin(): void {
    while (this.#running < this.#lanes) {
      const begin = this.#waiting.shift();
      if (begin === undefined) return;
      this.#running += 1;
      begin();
    }
  }
}

/** @param reason why there is no room, as a clause */
export function overloaded(reason: string): MoraineError {
  return new MoraineError(
    'OVERLOADED',
    `The online read waits for files that are not in memory, and ${reason}. Try again later, read less at once, or raise online.cache.maxSize.`,
  );
}
