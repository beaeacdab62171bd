/** What files say, followed while they change. */
import { stat } from 'node:fs/promises';

/** Milliseconds between two looks at the files. */
const WATCH_MS = 500;

/** Those who want to know of changes. */
export interface FileListener<T> {
  /** The files say something else now. */
  changed?(value: T): void;
  /** Why changed files cannot be read, once for each change and reason; what they said before still holds, and they are read again at each look. */
  failed(error: unknown): void;
}

export class WatchedFiles<T> {
  readonly #paths: readonly string[];
  readonly #read: () => Promise<T>;
  #timer: NodeJS.Timeout | undefined;
  #version: string;
  #value: T;
  #looking = false;
  /** The failure that the listener knows of. */
  #told = '';

  private constructor(paths: readonly string[], read: () => Promise<T>, version: string, value: T) {
    this.#paths = paths;
    this.#read = read;
    this.#version = version;
    this.#value = value;
  }

  /** @throws what reading throws now */
  static async open<T>(
    paths: readonly string[],
    read: () => Promise<T>,
    listener: FileListener<T>,
  ): Promise<WatchedFiles<T>> {
    const version = await versionOf(paths);
    const watched = new WatchedFiles(paths, read, version, await read());
    watched.#timer = setInterval(() => void watched.#look(listener), WATCH_MS).unref();
    return watched;
  }

  get value(): T {
    return this.#value;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One look at a time. */
  async #look(listener: FileListener<T>): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    await this.#readIfChanged(listener).finally(() => {
      this.#looking = false;
    });
  }

  async #readIfChanged(listener: FileListener<T>): Promise<void> {
    // Noted before the files are read: they may change meanwhile.
    const version = await versionOf(this.#paths);
    if (version === this.#version) return;
    try {
      this.#value = await this.#read();
      listener.changed?.(this.#value);
      this.#version = version;
      this.#told = '';
    } catch (error) {
      const failure = `${version} ${String(error)}`;
      if (failure !== this.#told) listener.failed(error);
      this.#told = failure;
    }
  }
}

async function versionOf(paths: readonly string[]): Promise<string> {
  const versions = paths.map(async (path) => {
    const { mtimeMs, size, ino } = await stat(path).catch(() => ({ mtimeMs: 0, size: 0, ino: 0 }));
    return `${ino}/${mtimeMs}/${size}`;
  });
  return (await Promise.all(versions)).join();
}
