/** The pieces of runs that a process works on. A worker that is slow with one should not be the one that runs it again. */
import { MoraineError } from '../errors/index.js';

/** Counts what is worked on, and refuses to begin again what is. */
export class RunningPieces {
  readonly #running = new Map<string, number>();

  /**
   * @param piece of which run, and which one
   * @param isAgain it is run elsewhere already: by this process, and it is refused, so that it is tried again by whoever has a place then
   * @throws OVERLOADED
   */
  async run<T>(piece: string, isAgain: boolean | undefined, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(piece) ?? 0;
    if (isAgain === true && running > 0)
      throw new MoraineError('OVERLOADED', 'This worker is slow with the same piece: another one is to run it again.');
    this.#running.set(piece, running + 1);
    try {
      return await work();
    } finally {
      const left = (this.#running.get(piece) ?? 1) - 1;
      if (left > 0) this.#running.set(piece, left);
      else this.#running.delete(piece);
    }
  }
}
