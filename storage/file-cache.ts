/** A bounded cache of what immutable files hold, parsed. It belongs to a {@link FileIO} and goes with it. */
import type { Location } from '../locations/index.js';

/** A parsed file and what keeping it costs. */
export interface ParsedFile<T> {
  readonly value: T;
  /** Bytes of the file before it was parsed, decompressed. */
  readonly costBytes: number;
}

/** Tells the readings of files apart: those of one kind give values of one type. */
export interface FileKey<T> {
  readonly location: Location;
  /** For example `manifest list`; whoever uses a kind keeps to one type of values. */
  readonly kind: FileKind<T>;
  /** Everything else that the value depends on: the length by which a file is listed, the schema that it is read with. */
  readonly variant?: string;
}

/** A kind of files, with the type of their values. Make each once, as a constant. */
export class FileKind<T> {
  readonly name: string;
  /** Never there: it carries the type. */
  declare readonly value: T;

  constructor(name: string) {
    this.name = name;
  }
}

/** Parsed files take several times their size: manifest lists and large manifests more than ten times. */
const LIMIT_BYTES = 64 * 2 ** 20;

/**
 * Keeps parsed files while the sum of their sizes stays below a limit; the least recently used go first. Storage is not asked about a file
 * that is kept: files of a table are never written again under a name that they had. A file that several ask for at once is loaded once.
 */
export class FileCache {
  readonly #kept = new Map<string, ParsedFile<unknown>>();
  readonly #loading = new Map<string, Promise<ParsedFile<unknown>>>();
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** The parsed file, from the cache or through `load`, whose failure all who wait for it get. */
  async get<T>(key: FileKey<T>, load: () => Promise<ParsedFile<T>>): Promise<T> {
    const text = textOf(key);
    const kept = this.#kept.get(text);
    if (kept !== undefined) {
      this.#kept.delete(text); // moved to the end: used last
      this.#kept.set(text, kept);
      return kept.value as T;
    }
    const loading = this.#loading.get(text) ?? this.#load(text, load);
    return (await loading).value as T;
  }

  /** Remembers what was just written. */
  put<T>(key: FileKey<T>, parsed: ParsedFile<T>): void {
    this.#keep(textOf(key), parsed);
  }

  /** Gives up a file that nobody is likely to ask for again. */
  forget<T>(key: FileKey<T>): void {
    this.#remove(textOf(key));
  }

  /** Gives up everything. */
  clear(): void {
    this.#kept.clear();
    this.#usedBytes = 0;
  }

  async #load(text: string, load: () => Promise<ParsedFile<unknown>>): Promise<ParsedFile<unknown>> {
    const loading = load();
    this.#loading.set(text, loading);
    try {
      const parsed = await loading;
      this.#keep(text, parsed);
      return parsed;
    } finally {
      this.#loading.delete(text);
    }
  }

  #keep(text: string, parsed: ParsedFile<unknown>): void {
    this.#remove(text);
    if (parsed.costBytes > this.#limitBytes) return;
    this.#kept.set(text, parsed);
    this.#usedBytes += parsed.costBytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#usedBytes <= this.#limitBytes) break;
      this.#remove(oldest);
    }
  }

  #remove(text: string): void {
    const parsed = this.#kept.get(text);
    if (parsed === undefined) return;
    this.#kept.delete(text);
    this.#usedBytes -= parsed.costBytes;
  }
}

const textOf = ({ location, kind, variant = '' }: FileKey<unknown>): string => `${kind.name}\0${location}\0${variant}`;
