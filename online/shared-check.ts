/** A look at something that changes elsewhere, which all who ask at the same moment share. */

/** A value and the time of the monotonic clock at which the look for it began, in milliseconds. */
export interface Checked<T> {
  readonly value: T;
  readonly atMs: number;
}

/** At most one look is under way, and at most one waits for its end. */
export class SharedCheck<T> {
  readonly #look: () => Promise<T>;
  #last: Checked<T> | undefined;
  #running: { readonly result: Promise<Checked<T>>; startedAtMs: number | undefined } | undefined;
  #next: Promise<Checked<T>> | undefined;

  constructor(look: () => Promise<T>) {
    this.#look = look;
  }

  /** The newest value that was seen. */
  get last(): Checked<T> | undefined {
    return this.#last;
  }

  /** The newest value, if it was looked for at most so long ago. */
  fresh(maxAgeMs: number): Checked<T> | undefined {
    return this.#last !== undefined && performance.now() - this.#last.atMs <= maxAgeMs ? this.#last : undefined;
  }

  /** The value of a look that begins now or later. */
  async now(): Promise<Checked<T>> {
    const running = this.#running;
    // Who asks before the look has begun takes part in it.
    if (running?.startedAtMs === undefined) return await (running?.result ?? this.#start());
    this.#next ??= running.result.then(
      () => this.#startNext(),
      () => this.#startNext(),
    );
    return await this.#next;
  }

  #startNext(): Promise<Checked<T>> {
    this.#next = undefined;
    const running = this.#running;
    return running?.startedAtMs === undefined && running !== undefined ? running.result : this.#start();
  }

  #start(): Promise<Checked<T>> {
    const run = async (): Promise<Checked<T>> => {
      await Promise.resolve();
      const atMs = performance.now();
      running.startedAtMs = atMs;
      try {
        const checked = { value: await this.#look(), atMs };
        this.#last = checked;
        return checked;
      } finally {
        this.#running = undefined;
      }
    };
    const running: { result: Promise<Checked<T>>; startedAtMs: number | undefined } = {
      result: undefined as never,
      startedAtMs: undefined,
    };
    this.#running = running;
    Object.assign(running, { result: run() });
    return running.result;
  }
}
