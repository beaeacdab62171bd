/** Files in memory, as the `FileIO` of one worker. Passes the behaviour suite of storage, but for symbolic links, which it has not. */
import { MoraineError } from '../../errors/index.js';
import type { FileIO, FilePage, FileStatus } from '../../storage/index.js';
import { normalizeLocation, printableLocation } from '../../storage/location.js';
import type { Access, Gate } from './gate.js';

interface MemoryFile {
  readonly content: Uint8Array;
  readonly modifiedMs: number;
}

/** What several workers share. */
export class MemoryStorage {
  readonly files = new Map<string, MemoryFile>();
  readonly #nowMs: () => number;

  /** @param nowMs the storage's clock, which stamps files */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  create(path: string, content: Uint8Array): void {
    if (this.files.has(path)) throw failure('FILE_ALREADY_EXISTS', 'create', path, 'it exists already');
    this.files.set(path, { content: content.slice(), modifiedMs: this.#nowMs() });
  }

  below(path: string): readonly FileStatus[] {
    return [...this.files]
      .filter(([location]) => location.startsWith(`${path}/`))
      .map(([location, file]) => statusOf(location, file));
  }

  require(path: string): MemoryFile {
    const file = this.files.get(path);
    if (file === undefined) throw failure('FILE_NOT_FOUND', 'read', path, 'it does not exist');
    return file;
  }
}

export class MemoryFileIO implements FileIO {
  readonly #storage: MemoryStorage;
  readonly #roots: readonly string[];
  readonly #gate: Gate;

  constructor(storage: MemoryStorage, roots: readonly string[], gate: Gate) {
    this.#storage = storage;
    this.#roots = roots;
    this.#gate = gate;
  }

  // biome-ignore lint/suspicious/useAwait: what it throws must reject
  async resolve(location: string): Promise<string> {
    return this.#path(location);
  }

  async stat(location: string): Promise<FileStatus> {
    return this.#access('stat', location, (path) => {
      return statusOf(location, this.#storage.require(path));
    });
  }

  async read(location: string, { maxBytes }: { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    return this.#access('read', location, (path) => {
      const { content } = this.#storage.require(path);
      if (maxBytes === undefined || content.length <= maxBytes) return content.slice();
      throw failure('LIMIT_EXCEEDED', 'read', location, `it has ${content.length} bytes`);
    });
  }

  async readRange(location: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#access('read', location, (path) => {
      const { content } = this.#storage.require(path);
      if (offset + length <= content.length) return content.slice(offset, offset + length);
      throw failure('DATA_FILE_CORRUPT', 'read', location, `it ends at byte ${content.length}`);
    });
  }

  async create(location: string, content: Uint8Array): Promise<void> {
    await this.#access('create', location, (path) => this.#storage.create(path, content));
  }

  async delete(location: string): Promise<void> {
    await this.#access('delete', location, (path) => {
      this.#storage.files.delete(path);
    });
  }

  async *list(location: string): AsyncIterable<FileStatus> {
    yield* await this.#access('list', location, (path) => this.#storage.below(path));
  }

  async listPage(
    location: string,
    { maxFiles, after }: { readonly maxFiles: number; readonly after?: string },
  ): Promise<FilePage> {
    return this.#access('list', location, (path) => {
      const left = this.#storage.below(path).filter((file) => after === undefined || file.location > after);
      const files = left.toSorted((a, b) => (a.location < b.location ? -1 : 1)).slice(0, maxFiles);
      return { files, next: files.length < left.length ? (files.at(-1)?.location ?? null) : null };
    });
  }

  async links(location: string): Promise<ReadonlyMap<string, string>> {
    await this.resolve(location);
    return new Map();
  }

  /** Folders need no making here. */
  prepareFolder(location: string): Promise<string> {
    return this.resolve(location);
  }

  async #access<T>(operation: Access['operation'], location: string, apply: (path: string) => T): Promise<T> {
    const path = this.#path(location);
    return this.#gate({ operation, target: path }, () => apply(path));
  }

  #path(location: string): string {
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

function statusOf(location: string, { content, modifiedMs }: MemoryFile): FileStatus {
  return { location, sizeBytes: content.length, modifiedMs, appearedMs: modifiedMs };
}

function failure(code: MoraineError['code'], action: string, location: string, reason: string): MoraineError {
  const message = `Cannot ${action} ${printableLocation(location)}: ${reason}.`;
  return new MoraineError(code, message, { details: { location } });
}
