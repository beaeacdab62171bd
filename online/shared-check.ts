/** A look at something that changes elsewhere, which all who ask at the same moment share. */
import { MoraineError } from '../errors/index.js';
import { withinTime } from '../processes/index.js';

/** Milliseconds after which nobody waits for a look any more: what is there again is found by the next one. */
export const LOOK_LIMIT_MS = 10_000;

/** A value and the time of the monotonic clock at which the look for it began, in milliseconds. */
export interface Checked<T> {
  readonly value: T;
  readonly atMs: number;
}

/** At most one look is waited for, and at most one waits for its end. */
export class SharedCheck<T> {
  readonly #look: () => Promise<T>;
  readonly #limitMs: number;
  #last: Checked<T> | undefined;
  #failure: unknown;
  #running: { readonly result: Promise<Checked<T>>; startedAtMs: number | undefined } | undefined;
  #next: Promise<Checked<T>> | undefined;

  /** @param limitMs after which a look is given up, in milliseconds. If it ends later, its value counts. */
  constructor(look: () => Promise<T>, limitMs = LOOK_LIMIT_MS) {
    this.#look = look;
    this.#limitMs = limitMs;
  }

  /** Why the last look failed; undefined: it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The newest value that was seen. */
  get last(): Checked<T> | undefined {
    return this.#last;
  }

  /** The newest value, if it was looked for at most so long ago. */
  fresh(maxAgeMs: number): Checked<T> | undefined {
    return this.#last !== undefined && performance.now() - this.#last.atMs <= maxAgeMs ? this.#last : undefined;
  }

  /** The value of a look that begins now or later. @throws CATALOG_UNAVAILABLE after the limit, and what the look throws */
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
      running.startedAtMs = performance.now();
      try {
        const checked = await withinTime(this.#lookAt(running.startedAtMs), this.#limitMs, () => this.#tooLate());
        this.#failure = undefined;
        return checked;
      } catch (error) {
        this.#failure = error;
        throw error;
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

  async #lookAt(atMs: number): Promise<Checked<T>> {
    const checked = { value: await this.#look(), atMs };
    // One that was given up may end after a later one.
    if (this.#last === undefined || this.#last.atMs < atMs) this.#last = checked;
    return checked;
  }

  #tooLate(): MoraineError {
    return new MoraineError(
      'CATALOG_UNAVAILABLE',
      `Catalog and storage have not said within ${this.#limitMs} ms what is there now.`,
    );
  }
}
