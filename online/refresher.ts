/** Something that is done again and again while there are reads. */

/** Milliseconds between two times. */
const INTERVAL_MS = 500;

/** Milliseconds after a read. */
const ACTIVE_MS = 5_000;

/** Repeats its work while reads go on, from the first one. It keeps no process from ending. */
export class Refresher {
  readonly #work: () => Promise<void>;
  readonly #activeMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lastReadMs = 0;
  #isClosed = false;

  /**
   * @param work never rejects
   * @param activeMs how long it goes on after a read
   */
  constructor(work: () => Promise<void>, activeMs = ACTIVE_MS) {
    this.#work = work;
    this.#activeMs = activeMs;
  }

  /** Says that there is a read. */
  isRead(): void {
    this.#lastReadMs = performance.now();
    if (this.#timer === undefined && !this.#isClosed) this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = setTimeout(() => void this.#turn(), INTERVAL_MS);
    this.#timer.unref();
  }

  async #turn(): Promise<void> {
    if (performance.now() - this.#lastReadMs <= this.#activeMs) {
      await this.#work();
      if (!this.#isClosed) this.#wait();
    } else this.#timer = undefined;
  }
}
