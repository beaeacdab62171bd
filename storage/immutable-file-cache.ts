/** A bounded cache of what immutable files hold, parsed. */
import type { FileIO } from './file-io.js';

interface CacheEntry<T> {
  readonly value: T;
  readonly stamp: string;
  readonly costBytes: number;
}

/**
 * Keeps parsed files by path while their sum of sizes stays below a limit; the least recently used go first.
 * An entry counts only while the file on storage has the size and modification time it had when it was read, so a
 * missing or damaged file is noticed, and only if the caller's `FileIO` may read the file.
 */
export class ImmutableFileCache<T> {
  readonly #entries = new Map<string, CacheEntry<T>>();
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /**
   * The parsed file at `location`, from the cache or through `load`.
   * @param variant tells apart different readings of the same file
   */
  async get(io: FileIO, location: string, load: () => Promise<T>, variant = ''): Promise<T> {
    const key = `${await io.resolve(location)}\0${variant}`;
    const { sizeBytes, modifiedMs } = await io.stat(location);
    const stamp = `${sizeBytes}/${modifiedMs}`;
    const known = this.#entries.get(key);
    if (known?.stamp === stamp) {
      this.#entries.delete(key); // moved to the end: used last
      this.#entries.set(key, known);
      return known.value;
    }
    const value = await load();
    this.#put(key, { value, stamp, costBytes: sizeBytes });
    return value;
  }

  /** Remembers what was just written to `location`. */
  async put(io: FileIO, location: string, value: T, variant = ''): Promise<void> {
    const { sizeBytes, modifiedMs } = await io.stat(location);
    this.#put(`${await io.resolve(location)}\0${variant}`, {
      value,
      stamp: `${sizeBytes}/${modifiedMs}`,
      costBytes: sizeBytes,
    });
  }

  /** Gives up what is known of a file that nobody is likely to ask for again. */
  async forget(io: FileIO, location: string, variant = ''): Promise<void> {
    this.#remove(`${await io.resolve(location)}\0${variant}`);
  }

  #put(path: string, entry: CacheEntry<T>): void {
    this.#remove(path);
    if (entry.costBytes > this.#limitBytes) return;
    this.#entries.set(path, entry);
    this.#usedBytes += entry.costBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#usedBytes <= this.#limitBytes) break;
      this.#remove(oldest);
    }
  }

  #remove(path: string): void {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    this.#entries.delete(path);
    this.#usedBytes -= entry.costBytes;
  }
}
