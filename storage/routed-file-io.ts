/** Files of several storages, each of which has its locations: folders of this machine, and object stores. */
import { MoraineError } from '../errors/index.js';
import { isStoreLocation, type Location, type PrefixMap, printableLocation } from '../locations/index.js';
import type { DiskCache } from './disk-cache.js';
import { FileCache } from './file-cache.js';
import type { ExpectedFile, FileIO, FilePage, FileRange, FileStatus, FileTail, LocalFiles } from './file-io.js';

/** An object store. */
interface Store extends FileIO {
  /** Whether a location lies under its roots. @throws MoraineError `LOCATION_REFUSED` for one that names no object */
  holds(location: Location): boolean;
}

export interface RoutedFileIOOptions {
  readonly local: FileIO;
  /** Stores whose roots do not overlap. */
  readonly stores: readonly Store[];
  /** Prefixes of locations that mean folders of this machine. None overlaps a root of a store. */
  readonly prefixes: PrefixMap;
  /** The roots of all, for messages. */
  readonly roots: readonly Location[];
}

/**
 * A {@link FileIO} over others. Its location decides where a file lies: with a mapped prefix or without a store's scheme on this machine,
 * else in the one store that has a root around it. Parsed files of all have one cache.
 */
export class RoutedFileIO implements FileIO {
  readonly cache = new FileCache();
  readonly #options: RoutedFileIOOptions;

  constructor(options: RoutedFileIOOptions) {
    this.#options = options;
  }

  localFiles(location: Location): LocalFiles | null {
    return this.#of(location).localFiles(location);
  }

  diskCache(location: Location): DiskCache | null {
    return this.#of(location).diskCache(location);
  }

  scope(location: Location): string {
    return this.#of(location).scope(location);
  }

  async canonical(location: Location): Promise<Location> {
    return await this.#of(location).canonical(location);
  }

  async stat(location: Location): Promise<FileStatus> {
    return await this.#of(location).stat(location);
  }

  async read(location: Location, options?: ExpectedFile & { readonly maxBytes?: number }): Promise<Uint8Array> {
    return await this.#of(location).read(location, options);
  }

  async *readRange(location: Location, range: FileRange & ExpectedFile): AsyncGenerator<Uint8Array> {
    yield* this.#of(location).readRange(location, range);
  }

  async readTail(location: Location, length: number): Promise<FileTail> {
    return await this.#of(location).readTail(location, length);
  }

  async create(location: Location, content: Uint8Array): Promise<void> {
    await this.#of(location).create(location, content);
  }

  async createFrom(location: Location, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#of(location).createFrom(location, content);
  }

  async requireExclusiveCreation(location: Location): Promise<void> {
    await this.#of(location).requireExclusiveCreation(location);
  }

  async abandonCreations(location: Location, beforeMs: number): Promise<void> {
    await this.#of(location).abandonCreations(location, beforeMs);
  }

  async listPage(
    location: Location,
    options: { readonly maxFiles: number; readonly after?: string },
  ): Promise<FilePage> {
    return await this.#of(location).listPage(location, options);
  }

  async delete(...locations: readonly Location[]): Promise<void> {
    const failures: unknown[] = [];
    const together = new Map<FileIO, Location[]>();
    for (const location of locations) {
      try {
        const io = this.#of(location);
        const some = together.get(io);
        if (some === undefined) together.set(io, [location]);
        else some.push(location);
      } catch (error) {
        failures.push(error);
      }
    }
    for (const [io, some] of together) await io.delete(...some).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  #of(location: Location): FileIO {
    const { local, stores, prefixes, roots } = this.#options;
    if (!isStoreLocation(location) || prefixes.maps(location)) return local;
    const store = stores.find((each) => each.holds(location));
    if (store !== undefined) return store;
    const message = `Location ${printableLocation(location)} is refused: it is outside the allowed storage roots (${roots.join(', ')}).`;
    throw new MoraineError('LOCATION_REFUSED', message, { details: { location, roots: [...roots] } });
  }
}
