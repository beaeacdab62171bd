/** A bounded cache of what immutable files hold, parsed. It belongs to a {@link FileIO} and goes with it. */
import type { Location } from '../locations/index.js';

/** A parsed file and what keeping it costs. */
export interface ParsedFile<T> {
  readonly value: T;
  /** Bytes of memory that the value takes, about. */
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

/** Bounds on the memory of a cache. */
export interface CacheLimits {
  /** Most bytes that files are kept in. */
  readonly maxBytes: number;
  /** Files that nobody asks for any more are given up only beyond these bytes. */
  readonly idleBytes: number;
}

/** About 100,000 data files, of which the files of idle tables may take a quarter. */
const LIMITS: CacheLimits = { maxBytes: 128 * 2 ** 20, idleBytes: 32 * 2 ** 20 };

/** A file is idle once the cache was asked for this many files for each that it keeps, and never for that one. */
const IDLE_ROUNDS = 4;

interface KeptFile extends ParsedFile<unknown> {
  /** How many files the cache had been asked for when it was last asked for this one. */
  askedAt: number;
}

/**
 * Keeps parsed files within limits; the least recently used go first, and a process that goes on for months does not keep the manifest
 * lists of all the snapshots it saw. Storage is not asked about a file that is kept: files of a table are never written again under a
 * name that they had. A file that several ask for at once is loaded once.
 */
export class FileCache {
  /** In the order in which they were last asked for. */
  readonly #kept = new Map<string, KeptFile>();
  readonly #loading = new Map<string, Promise<ParsedFile<unknown>>>();
  readonly #limits: CacheLimits;
  #usedBytes = 0;
  #asked = 0;

  constructor(limits: CacheLimits = LIMITS) {
    this.#limits = limits;
  }

  /** The parsed file, from the cache or through `load`, whose failure all who wait for it get. */
  async get<T>(key: FileKey<T>, load: () => Promise<ParsedFile<T>>): Promise<T> {
    const text = textOf(key);
    this.#asked += 1;
    const kept = this.#kept.get(text);
    if (kept !== undefined) {
      kept.askedAt = this.#asked;
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

  #keep(text: string, { value, costBytes }: ParsedFile<unknown>): void {
    this.#remove(text);
    if (costBytes > this.#limits.maxBytes) return;
    this.#kept.set(text, { value, costBytes, askedAt: this.#asked });
    this.#usedBytes += costBytes;
    for (const [oldest, { askedAt }] of this.#kept) {
      const isIdle = this.#asked - askedAt > IDLE_ROUNDS * this.#kept.size;
      if (this.#usedBytes <= (isIdle ? this.#limits.idleBytes : this.#limits.maxBytes)) break;
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
