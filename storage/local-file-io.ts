/** Files on a local or mounted POSIX file system. */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, open, readdir, readlink, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { makeFolders } from '../processes/index.js';
import { AllowedRoots } from './allowed-roots.js';
import type { FileIO, FilePage, FileStatus } from './file-io.js';
import { filePage } from './file-page.js';
import { fileStatus } from './file-status.js';
import { printableLocation } from './location.js';
import { storageError } from './storage-error.js';

// O_NONBLOCK: opening a FIFO must not wait for a writer.
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export interface LocalFileIOOptions {
  /** Folders (or single files) that may be touched; everything else is `LOCATION_REFUSED`. */
  readonly roots: readonly string[];
  /** Create missing roots on first use. */
  readonly createRoots?: boolean;
}

/** The {@link FileIO} of local files. A file that it created is complete, durable and never replaced. */
export class LocalFileIO implements FileIO {
  readonly #allowed: AllowedRoots;

  constructor(options: LocalFileIOOptions) {
    this.#allowed = new AllowedRoots(options.roots, options.createRoots ?? false);
  }

  resolve(location: string): Promise<string> {
    return this.#allowed.resolve(location);
  }

  async stat(location: string): Promise<FileStatus> {
    const path = await this.#allowed.resolve(location);
    try {
      const status = await stat(path);
      if (!status.isFile()) throw notRegular(location);
      return fileStatus(location, status);
    } catch (error) {
      throw storageError(error, 'read', location);
    }
  }

  async read(location: string, options: { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    const { maxBytes } = options;
    return this.#withFile(location, 'read', async (file, { size }) => {
      if (maxBytes !== undefined && size > maxBytes) {
        const message = `File ${printableLocation(location)} has ${size} bytes; at most ${maxBytes} are read.`;
        throw new MoraineError('LIMIT_EXCEEDED', message, { details: { location, sizeBytes: size, maxBytes } });
      }
      return readExactly(file, location, 0, size);
    });
  }

  async readRange(location: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#withFile(location, 'read', (file) => readExactly(file, location, offset, length));
  }

  async create(location: string, content: Uint8Array): Promise<void> {
    const path = await this.#allowed.resolve(location);
    const folder = dirname(path);
    const temporary = join(folder, `.${randomUUID()}.tmp`);
    try {
      await createFolder(folder);
      // A folder may have been replaced by a link since: what counts is where the file would be now.
      if ((await this.#allowed.resolve(location)) !== path) throw refusedMove(location);
      await writeDurably(temporary, content);
      try {
        await link(temporary, path); // atomic, and fails if the name is taken
      } finally {
        await unlink(temporary);
      }
      await syncFolder(folder);
    } catch (error) {
      throw storageError(error, 'create', location);
    }
  }

  async delete(location: string): Promise<void> {
    const path = await this.#allowed.resolvePlace(location);
    try {
      await unlink(path);
    } catch (error) {
      const failure = storageError(error, 'delete', location);
      if (failure.details.osCode !== 'ENOENT' && failure.details.osCode !== 'ENOTDIR') throw failure;
    }
  }

  async *list(location: string): AsyncIterable<FileStatus> {
    const pending = [await this.#allowed.resolve(location)];
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      for (const entry of await this.#entries(folder)) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) pending.push(path);
        if (!entry.isFile()) continue;
        const status = await lstat(path).catch(() => null); // deleted meanwhile
        if (status !== null) yield fileStatus(path, status);
      }
    }
  }

  async listPage(location: string, options: { readonly maxFiles: number; readonly after?: string }): Promise<FilePage> {
    const root = await this.#allowed.resolve(location);
    return filePage(root, options, (folder) => this.#entries(folder));
  }

  async links(location: string): Promise<ReadonlyMap<string, string>> {
    const folder = await this.#allowed.resolve(location);
    const links = new Map<string, string>();
    for (const entry of await this.#entries(folder)) {
      if (!entry.isSymbolicLink()) continue;
      const target = await readlink(join(folder, entry.name)).catch(() => null); // deleted meanwhile
      // Not `join`: only the file system knows what `..` means behind another link.
      if (target !== null) links.set(entry.name, target.startsWith('/') ? target : `${folder}/${target}`);
    }
    return links;
  }

  async prepareFolder(location: string): Promise<string> {
    const path = await this.#allowed.resolve(location);
    try {
      await createFolder(path);
    } catch (error) {
      throw storageError(error, 'create the folder', location);
    }
    return this.#allowed.resolve(location);
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

  async #withFile<T>(
    location: string,
    action: string,
    use: (file: FileHandle, status: Stats) => Promise<T>,
  ): Promise<T> {
    const path = await this.#allowed.resolve(location);
    let file: FileHandle | undefined;
    try {
      file = await open(path, READ_FLAGS);
      const status = await file.stat();
      if (!status.isFile()) throw notRegular(location);
      return await use(file, status);
    } catch (error) {
      throw storageError(error, action, location);
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

async function writeDurably(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
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
  for (const made of await makeFolders(folder)) await syncFolder(dirname(made));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
