/** The demo's output: numbered steps with their time, and lines that show the results. */

/** Interval between progress lines of a long step, where standard error is not a terminal. */
const PLAIN_PROGRESS_MS = 5_000;
const TICK_MS = 500;

/** Prints steps. Progress goes to standard error, overwritten in place where that is a terminal. */
export class Report {
  #steps = 0;
  #problems = 0;
  #doing = '';
  readonly #isTerminal = process.stderr.isTTY;
  readonly #out: NodeJS.WritableStream;

  /** @param out where the steps go */
  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }

  /** Runs a step; its result's text is printed with the time it took. */
  async step<T>(title: string, work: () => Promise<{ readonly said: string; readonly value: T }>): Promise<T> {
    this.#steps += 1;
    const began = performance.now();
    this.#doing = title;
    const ticker = setInterval(() => this.#tick(began), TICK_MS);
    const { said, value } = await work().finally(() => clearInterval(ticker));
    this.#clear();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    this.#out.write(`${String(this.#steps).padStart(2)}. ${title}: ${said}  (${seconds} s)\n`);
    return value;
  }

  /** The present work of the step. */
  progress(text: string): void {
    this.#doing = text;
  }

  announce(text: string): void {
    this.#clear();
    this.#out.write(`    ${text}\n`);
  }

  lines(texts: readonly string[]): void {
    for (const text of texts) this.#out.write(`      ${text}\n`);
  }

  /** Says whether two answers are the same, row by row; a difference makes the demo fail. */
  check(what: string, actual: readonly string[], expected: readonly string[]): void {
    const difference = expected.findIndex((row, index) => row !== actual[index]);
    if (difference < 0 && actual.length === expected.length) {
      this.lines([`checked: ${what}: ${actual.length} rows equal plain SQL over the raw file`]);
      return;
    }
    this.#problems += 1;
    const place = difference < 0 ? expected.length : difference;
    this.lines([
      `CHECK FAILED: ${what}: ${actual.length} rows, plain SQL says ${expected.length}; first difference at row ${place}`,
      `  here:      ${actual[place] ?? '(none)'}`,
      `  plain SQL: ${expected[place] ?? '(none)'}`,
    ]);
  }

  #tick(began: number): void {
    const elapsedMs = performance.now() - began;
    const line = `${this.#doing} ... ${(elapsedMs / 1000).toFixed(0)} s`;
    if (this.#isTerminal) process.stderr.write(`\r\x1b[K    ${line}`);
    else if (elapsedMs % PLAIN_PROGRESS_MS < TICK_MS && elapsedMs >= PLAIN_PROGRESS_MS)
      process.stderr.write(`    ${line}\n`);
  }

  /** The last lines, after an empty one. */
  end(texts: readonly string[]): void {
    this.#out.write(`\n${texts.join('\n')}\n`);
  }

  /** Answers that differed. */
  get problems(): number {
    return this.#problems;
  }

  #clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
