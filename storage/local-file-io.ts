/** Files on a local or mounted POSIX file system. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, readdir, readlink, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { type LocalPath, type Location, localPath, PrefixMap, printableLocation } from '../locations/index.js';
import { makeFolders, syncPath } from '../processes/index.js';
import { AllowedRoots } from './allowed-roots.js';
import { FileCache } from './file-cache.js';
import {
  type ExpectedFile,
  type FileIO,
  type FilePage,
  type FileRange,
  type FileStatus,
  type FileTail,
  joined,
  type LocalFiles,
} from './file-io.js';
import { filePage, fileStatus } from './file-page.js';
import { fileChanged, storageError } from './storage-error.js';

// O_NONBLOCK: opening a FIFO must not wait for a writer.
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

type Content = Uint8Array | AsyncIterable<Uint8Array>;

export interface LocalFileIOOptions {
  /** Folders (or single files) that may be touched; everything else is `LOCATION_REFUSED`. */
  readonly roots: readonly string[];
  /** Create missing roots on first use. */
  readonly createRoots?: boolean;
  /** Prefixes of locations that mean other folders than they say; none unless given. */
  readonly prefixes?: PrefixMap;
}

/** The {@link FileIO} of local files. A file that it created is complete, durable and never replaced. */
export class LocalFileIO implements FileIO, LocalFiles {
  readonly cache = new FileCache();
  readonly #allowed: AllowedRoots;

  constructor(options: LocalFileIOOptions) {
    this.#allowed = new AllowedRoots(
      options.roots,
      options.createRoots ?? false,
      options.prefixes ?? new PrefixMap([]),
    );
  }

  localFiles(): LocalFiles {
    return this;
  }

  diskCache(): null {
    return null;
  }

  scope(): string {
    return 'local';
  }

  async pathOf(location: Location): Promise<LocalPath> {
    return localPath(await this.#allowed.resolve(location));
  }

  /** As a path, which is the plainest location. */
  canonical(location: Location): Promise<Location> {
    return this.#allowed.resolve(location);
  }

  async stat(location: Location): Promise<FileStatus> {
    const path = await this.#allowed.resolve(location);
    try {
      const status = await stat(path);
      if (!status.isFile()) throw notRegular(location);
      return fileStatus(location, status);
    } catch (error) {
      throw storageError(error, 'read', location);
    }
  }

  async read(location: Location, options: ExpectedFile & { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    const { maxBytes, identity } = options;
    return this.#withFile(location, identity, async (file, size) => {
      if (maxBytes !== undefined && size > maxBytes) {
        const message = `File ${printableLocation(location)} has ${size} bytes; at most ${maxBytes} are read.`;
        throw new MoraineError('LIMIT_EXCEEDED', message, { details: { location, sizeBytes: size, maxBytes } });
      }
      return readExactly(file, location, 0, size);
    });
  }

  async *readRange(location: Location, { offset, length, identity }: FileRange & ExpectedFile) {
    yield await this.#withFile(location, identity, (file) => readExactly(file, location, offset, length));
  }

  async readTail(location: Location, length: number): Promise<FileTail> {
    const { sizeBytes, identity } = await this.stat(location);
    const wanted = Math.min(length, sizeBytes);
    const bytes = await joined(this.readRange(location, { offset: sizeBytes - wanted, length: wanted, identity }));
    return { sizeBytes, identity, bytes };
  }

  async create(location: Location, content: Uint8Array): Promise<void> {
    await this.#create(location, content);
  }

  async createFrom(location: Location, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#create(location, content);
  }

  async requireExclusiveCreation(location: Location): Promise<void> {
    await this.canonical(location);
  }

  /** Unfinished files of a folder are files of it. */
  async abandonCreations(location: Location): Promise<void> {
    await this.canonical(location);
  }

  async delete(...locations: readonly Location[]): Promise<void> {
    const results = await Promise.allSettled(locations.map((location) => this.#delete(location)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async listPage(
    location: Location,
    options: { readonly maxFiles: number; readonly after?: string },
  ): Promise<FilePage> {
    const root = await this.#allowed.resolve(location);
    return filePage(root, options, (folder) => this.#entries(folder));
  }

  async links(location: Location): Promise<ReadonlyMap<string, Location>> {
    const folder = await this.#allowed.resolve(location);
    const links = new Map<string, Location>();
    for (const entry of await this.#entries(folder)) {
      if (!entry.isSymbolicLink()) continue;
      const target = await readlink(join(folder, entry.name)).catch(() => null); // deleted meanwhile
      // Not `join`: only the file system knows what `..` means behind another link.
      if (target !== null) links.set(entry.name, target.startsWith('/') ? target : `${folder}/${target}`);
    }
    return links;
  }

  async prepareFolder(location: Location): Promise<LocalPath> {
    const path = await this.#allowed.resolve(location);
    try {
      await createFolder(path);
    } catch (error) {
      throw storageError(error, 'create the folder', location);
    }
    return this.pathOf(location);
  }

  async adopt(files: readonly { readonly path: LocalPath; readonly location: Location }[]): Promise<void> {
    const done: string[] = [];
    const folders = new Set<string>();
    let current: Location = '';
    try {
      for (const { path, location } of files) {
        current = location;
        const place = await this.#allowed.resolve(location);
        if (!folders.has(dirname(place))) await this.#prepareFolderOf(location, place);
        folders.add(dirname(place));
        await syncPath(path);
        await link(path, place); // atomic, and fails if the name is taken
        done.push(place);
      }
      for (const folder of folders) await syncPath(folder);
    } catch (error) {
      await Promise.allSettled(done.map((place) => unlink(place)));
      throw storageError(error, 'create', current);
    }
    await Promise.allSettled(files.map(({ path }) => unlink(path)));
  }

  async #create(location: Location, content: Content): Promise<void> {
    const path = await this.#allowed.resolve(location);
    const folder = dirname(path);
    const temporary = join(folder, `.${randomUUID()}.tmp`);
    try {
      await this.#prepareFolderOf(location, path);
      await writeDurably(temporary, content);
      try {
        await link(temporary, path); // atomic, and fails if the name is taken
      } finally {
        await unlink(temporary);
      }
      await syncPath(folder);
    } catch (error) {
      throw storageError(error, 'create', location);
    }
  }

  async #prepareFolderOf(location: Location, path: string): Promise<void> {
    await createFolder(dirname(path));
    // A folder may have been replaced by a link since: what counts is where the file would be now.
    if ((await this.#allowed.resolve(location)) !== path) throw refusedMove(location);
  }

  /** A symbolic link is deleted itself, and its target kept. */
  async #delete(location: Location): Promise<void> {
    const path = await this.#allowed.resolvePlace(location);
    try {
      await unlink(path);
    } catch (error) {
      const failure = storageError(error, 'delete', location);
      if (failure.details.osCode !== 'ENOENT' && failure.details.osCode !== 'ENOTDIR') throw failure;
    }
  }

  async #entries(folder: string) {
    try {
      return await readdir(folder, { withFileTypes: true });
    } catch (error) {
      const failure = storageError(error, 'list', folder);
      if (failure.code === 'FILE_NOT_FOUND') return [];
      throw failure;
    }
  }

  /** @param use gets the open file and its size */
  async #withFile<T>(
    location: Location,
    identity: string | undefined,
    use: (file: FileHandle, sizeBytes: number) => Promise<T>,
  ): Promise<T> {
    const path = await this.#allowed.resolve(location);
    let file: FileHandle | undefined;
    try {
      file = await open(path, READ_FLAGS);
      const status = await file.stat();
      if (!status.isFile()) throw notRegular(location);
      if (identity !== undefined && fileStatus(location, status).identity !== identity) throw fileChanged(location);
      return await use(file, status.size);
    } catch (error) {
      throw storageError(error, 'read', location);
    } finally {
      await file?.close();
    }
  }
}

function notRegular(location: string): MoraineError {
  const message = `${printableLocation(location)} is not a regular file.`;
  return new MoraineError('FILE_NOT_FOUND', message, { details: { location } });
}

function refusedMove(location: string): MoraineError {
  const message = `The folder of ${printableLocation(location)} was replaced while the file was created.`;
  return new MoraineError('LOCATION_REFUSED', message, { details: { location } });
}

async function readExactly(file: FileHandle, location: string, offset: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) {
      const message = `File ${printableLocation(location)} ends at byte ${offset + done}; ${length} bytes from ${offset} were expected.`;
      throw new MoraineError('DATA_FILE_CORRUPT', message, { details: { location, offset, length } });
    }
    done += bytesRead;
  }
  return buffer;
}

async function writeDurably(path: string, content: Content): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for await (const piece of content instanceof Uint8Array ? [content] : content) await file.writeFile(piece);
    await file.sync();
  } catch (error) {
    await unlink(path).catch(() => undefined); // the first error is the one to report
    throw error;
  } finally {
    await file.close();
  }
}

/** Makes a folder and what is missing above it; new names are durable on return. */
async function createFolder(folder: string): Promise<void> {
  for (const made of await makeFolders(folder)) await syncPath(dirname(made));
}
