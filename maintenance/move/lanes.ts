/** Work that is done some at a time, whoever asks for it. */
export class Lanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param lanes how many pieces of work run side by side */
  constructor(lanes: number) {
    this.#free = lanes;
  }

  /** Runs the work once a lane is free; those who wait go in the order in which they came. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
