/** Long work on the event loop in slices: others, such as requests that are answered from memory, get their turn in between. */
export class Turns {
  readonly #sliceMs: number;
  #beganMs = performance.now();

  /** @param sliceMs milliseconds of work without a turn for others */
  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** Lets others have a turn if a slice has passed. Call it where the work can be left for a while. */
  async give(): Promise<void> {
    if (performance.now() - this.#beganMs < this.#sliceMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#beganMs = performance.now();
  }

  /** The work has waited for something else: a slice begins. */
  begin(): void {
    this.#beganMs = performance.now();
  }
}
