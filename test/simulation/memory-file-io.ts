/** Files in memory, as the `FileIO` of one worker, under paths or under a scheme that no file system has. Passes the behaviour suite of storage. */
import { MoraineError } from '../../errors/index.js';
import { type Location, normalizeLocation, printableLocation } from '../../locations/index.js';
import {
  type DiskCache,
  type ExpectedFile,
  FileCache,
  type FileIO,
  type FilePage,
  type FileRange,
  type FileStatus,
  type FileTail,
} from '../../storage/index.js';
import type { Access, Gate } from './gate.js';

interface MemoryFile {
  readonly content: Uint8Array;
  readonly modifiedMs: number;
  /** Unlike that of any other file that was ever stored. */
  readonly version: number;
}

/** How a storage may fall short of S3. */
export interface StorageTraits {
  /**
   * Lists show a file only after a while, and for a while when it was deleted: each file after its own, up to this. Everything else sees
   * them at once.
   */
  readonly listLagMs?: number;
  /** A creation replaces the file that is there, as where a store ignores `If-None-Match`. */
  readonly replacesFiles?: boolean;
}

/** The storage that several workers share: objects by their whole names, without folders, and without renaming. */
export class MemoryStorage {
  readonly files = new Map<string, MemoryFile>();
  readonly #nowMs: () => number;
  readonly #listLagMs: number;
  readonly #replacesFiles: boolean;
  /** Files that lists may still show, with the time of their deletion. */
  readonly #deleted = new Map<string, MemoryFile & { readonly deletedMs: number }>();
  #versions = 0;

  /** @param nowMs the storage's clock, which stamps files */
  constructor(nowMs: () => number, { listLagMs = 0, replacesFiles = false }: StorageTraits = {}) {
    this.#nowMs = nowMs;
    this.#listLagMs = listLagMs;
    this.#replacesFiles = replacesFiles;
  }

  create(path: string, content: Uint8Array): void {
    if (this.files.has(path) && !this.#replacesFiles)
      throw failure('FILE_ALREADY_EXISTS', 'create', path, 'it exists already');
    this.#versions += 1;
    this.files.set(path, { content: content.slice(), modifiedMs: this.#nowMs(), version: this.#versions });
  }

  /** Puts a file in place of another, as no storage does for us. */
  replace(path: string, content: Uint8Array, modifiedMs: number): void {
    this.#versions += 1;
    this.files.set(path, { content: content.slice(), modifiedMs, version: this.#versions });
  }

  delete(path: string): void {
    const file = this.files.get(path);
    if (file !== undefined && this.#listLagMs > 0) this.#deleted.set(path, { ...file, deletedMs: this.#nowMs() });
    this.files.delete(path);
  }

  /** The files that a list shows below a path. */
  below(path: string): readonly FileStatus[] {
    const isShown = (sinceMs: number, { version }: MemoryFile): boolean =>
      sinceMs + this.#listLagMs * shareOf(version) <= this.#nowMs();
    const isListed = (file: MemoryFile): boolean => this.#listLagMs === 0 || isShown(file.modifiedMs, file);
    const gone = [...this.#deleted].filter(
      ([location, file]) => !this.files.has(location) && !isShown(file.deletedMs, file),
    );
    return [...this.files, ...gone]
      .filter(([location, file]) => location.startsWith(`${path}/`) && isListed(file))
      .map(([location, file]) => statusOf(location, file));
  }

  require(path: string, { identity }: ExpectedFile = {}): MemoryFile {
    const file = this.files.get(path);
    if (file === undefined) throw failure('FILE_NOT_FOUND', 'read', path, 'it does not exist');
    if (identity === undefined || identity === String(file.version)) return file;
    throw failure('FILE_CHANGED', 'read', path, 'it was replaced by another file');
  }
}

export class MemoryFileIO implements FileIO {
  readonly cache = new FileCache();
  readonly #diskCache: DiskCache | null;
  readonly #storage: MemoryStorage;
  readonly #roots: readonly string[];
  readonly #gate: Gate;

  /** @param roots paths, or locations with a scheme, which are taken literally */
  constructor(storage: MemoryStorage, roots: readonly string[], gate: Gate, diskCache: DiskCache | null = null) {
    this.#diskCache = diskCache;
    this.#storage = storage;
    this.#roots = roots;
    this.#gate = gate;
  }

  /** No path leads to these files. */
  localFiles(): null {
    return null;
  }

  diskCache(): DiskCache | null {
    return this.#diskCache;
  }

  scope(): string {
    return 'memory';
  }

  // biome-ignore lint/suspicious/useAwait: what it throws must reject
  async canonical(location: Location): Promise<Location> {
    return this.#path(location);
  }

  async stat(location: Location): Promise<FileStatus> {
    return this.#access('stat', location, (path) => {
      return statusOf(location, this.#storage.require(path));
    });
  }

  async read(location: Location, options: ExpectedFile & { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    const { maxBytes } = options;
    return this.#access('read', location, (path) => {
      const { content } = this.#storage.require(path, options);
      if (maxBytes === undefined || content.length <= maxBytes) return content.slice();
      throw failure('LIMIT_EXCEEDED', 'read', location, `it has ${content.length} bytes`);
    });
  }

  async *readRange(location: Location, range: FileRange & ExpectedFile): AsyncGenerator<Uint8Array> {
    const end = range.offset + range.length;
    yield await this.#access('read', location, (path) => {
      const { content } = this.#storage.require(path, range);
      if (end <= content.length) return content.slice(range.offset, end);
      throw failure('DATA_FILE_CORRUPT', 'read', location, `it ends at byte ${content.length}`);
    });
  }

  async readTail(location: Location, length: number): Promise<FileTail> {
    return this.#access('read', location, (path) => {
      const { content, version } = this.#storage.require(path);
      return { sizeBytes: content.length, identity: String(version), bytes: content.slice(-length) };
    });
  }

  async create(location: Location, content: Uint8Array): Promise<void> {
    await this.#access('create', location, (path) => this.#storage.create(path, content));
  }

  async createFrom(location: Location, content: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(piece);
    await this.create(location, Buffer.concat(pieces));
  }

  async requireExclusiveCreation(location: Location): Promise<void> {
    await this.canonical(location);
  }

  async abandonCreations(location: Location): Promise<void> {
    await this.canonical(location);
  }

  async delete(...locations: readonly Location[]): Promise<void> {
    const deleted = locations.map((location) =>
      this.#access('delete', location, (path) => {
        this.#storage.delete(path);
      }),
    );
    const failed = (await Promise.allSettled(deleted)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async listPage(
    location: Location,
    { maxFiles, after }: { readonly maxFiles: number; readonly after?: string },
  ): Promise<FilePage> {
    return this.#access('list', location, (path) => {
      const left = this.#storage.below(path).filter((file) => after === undefined || file.location > after);
      const files = left.toSorted((a, b) => (a.location < b.location ? -1 : 1)).slice(0, maxFiles);
      return { files, next: files.length < left.length ? (files.at(-1)?.location ?? null) : null };
    });
  }

  async #access<T>(operation: Access['operation'], location: Location, apply: (path: string) => T): Promise<T> {
    const path = this.#path(location);
    return this.#gate({ operation, target: path }, () => apply(path));
  }

  #path(location: Location): Location {
    const literal = this.#roots.find(
      (root) => !root.startsWith('/') && (location === root || location.startsWith(`${root}/`)),
    );
    if (literal !== undefined) return location;
    const segments: string[] = [];
    for (const segment of normalizeLocation(location).split('/').slice(1)) {
      if (segment === '..') segments.pop();
      else segments.push(segment);
    }
    const path = `/${segments.join('/')}`;
    if (this.#roots.some((root) => path === root || path.startsWith(`${root}/`))) return path;
    throw failure('LOCATION_REFUSED', 'open', location, 'it is outside the allowed storage roots');
  }
}

/** A number from 0 to 1 that looks random, always the same for a version. */
const shareOf = (version: number): number => (Math.imul(version, 0x9e3779b1) >>> 0) / 2 ** 32;

function statusOf(location: string, { content, modifiedMs, version }: MemoryFile): FileStatus {
  return { location, sizeBytes: content.length, modifiedMs, appearedMs: modifiedMs, identity: String(version) };
}

function failure(code: MoraineError['code'], action: string, location: string, reason: string): MoraineError {
  const message = `Cannot ${action} ${printableLocation(location)}: ${reason}.`;
  return new MoraineError(code, message, { details: { location } });
}
