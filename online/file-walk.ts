/** Files in the order in which a lookup walks them: from those with the latest event times back. */
import type { FileToOpen } from '../scans/index.js';
import { type EventTimes, latestFirst } from './event-times.js';

/** Cells that a step of a walk through hours takes first; each later step takes as many as all before it. */
const FIRST_CELLS = 4;

/** The cells that may have rows of some keys. Immutable, but for lists that it keeps. */
export class FileWalk {
  /** The latest first. */
  readonly #cells: readonly { readonly files: readonly FileToOpen[]; readonly times: EventTimes }[];
  readonly #firstCells: number;
  readonly #lists = new Map<string, readonly FileToOpen[]>();

  /** @param buckets the cells of each bucket of each spec that may have rows of the keys */
  constructor(buckets: readonly (readonly { readonly files: readonly FileToOpen[]; readonly times: EventTimes }[])[]) {
    this.#cells = buckets.flat().sort(latestFirst);
    // Without hours there is nothing to leave out.
    const hasHours = buckets.some(({ length }) => length > 1);
    this.#firstCells = hasHours ? FIRST_CELLS * buckets.length : this.#cells.length;
  }

  /** All files. */
  get files(): readonly FileToOpen[] {
    return this.#filesBetween(0, this.#cells.length);
  }

  /**
   * The steps of a lookup at a time: each has all files of the one before. The same steps have the same lists.
   * `restUs` is the latest event time of the files that a step leaves out; undefined: it leaves out none.
   */
  *steps(nowUs: bigint): Generator<{ readonly files: readonly FileToOpen[]; readonly restUs: bigint | undefined }> {
    const start = this.#cells.findIndex(({ times }) => times.earliestUs <= nowUs);
    if (start < 0) return;
    for (let count = this.#firstCells; ; count *= 2) {
      const end = Math.min(start + count, this.#cells.length);
      const restUs = this.#cells[end]?.times.latestUs;
      yield { files: this.#filesBetween(start, end), restUs };
      if (restUs === undefined) return;
    }
  }

  #filesBetween(start: number, end: number): readonly FileToOpen[] {
    const name = `${start}/${end}`;
    let files = this.#lists.get(name);
    if (files === undefined) {
      files = this.#cells.slice(start, end).flatMap((cell) => cell.files);
      this.#lists.set(name, files);
    }
    return files;
  }
}
