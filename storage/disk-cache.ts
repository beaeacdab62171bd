/**
 * Files of this machine that stand for what a store has: fetched once for all processes that use the folder, and given up when it grows too
 * large. A file is immutable and appears under its name only once it is complete, so a process that is killed leaves nothing that is
 * believed. Files are not flushed: those of an earlier start of the machine, which may have ended unclean, are not believed either.
 */

import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { makeFolders, makePrivateFolder, thisHost } from '../processes/index.js';
import { storageError } from './storage-error.js';

export interface DiskCacheOptions {
  /** A folder of a local disk, which only its user may read; made when first needed. */
  readonly folder: string;
  /** Most bytes that files may take on the disk; more are there for a moment, while they are fetched. */
  readonly maxBytes: number;
  /** Bytes of a file's end that are fetched first, and with them all of a file that is no longer. */
  readonly endBytes?: number;
}

/** With the end of a file of some hundred kilobytes comes all of it: a request costs more than its bytes. */
const END_BYTES = 256 * 1024;

/** What a cache holds. */
export interface DiskCacheContent {
  readonly files: number;
  /** Bytes that they take on the disk: holes take none. */
  readonly bytes: number;
}

/** Files that were given up come back only when others are fetched: there should be room for some. */
const KEPT_SHARE = 0.9;

/** Share of the limit that is added before the folder is looked through. */
const LOOK_SHARE = 1 / 32;

/** A file that is written for longer than this was left by a process that was killed. */
const ABANDONED_MS = 60 * 60 * 1000;

const UNFINISHED = '.new';
const BLOCK_BYTES = 512;

/** See the head of the file. */
export class DiskCache {
  readonly endBytes: number;
  readonly #home: string;
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #making = new Map<string, Promise<void>>();
  /** Bytes that this process has added since it last looked through the folder. */
  #addedBytes = Number.POSITIVE_INFINITY;

  constructor({ folder, maxBytes, endBytes = END_BYTES }: DiskCacheOptions) {
    this.endBytes = endBytes;
    this.#home = folder;
    this.#folder = join(folder, `boot-${thisHost().boot}`);
    this.#maxBytes = maxBytes;
  }

  /**
   * Gives a file of the cache the further name `to`, under which it stays when the cache gives it up; unless the cache has it, `make` makes
   * it. What several ask for at once is made once.
   * @param group what the file belongs to, of any characters
   * @param name of letters, digits, `.`, `,` and `-`
   * @throws what `make` throws; STORAGE_UNAVAILABLE for a folder that cannot be written, or is full
   */
  async place(group: string, name: string, to: string, make: (path: string) => Promise<void>): Promise<void> {
    const path = this.#pathOf(group, name);
    for (;;) {
      const others = this.#making.get(path);
      if (others === undefined) {
        const making = this.#linkedOrMade(path, to, make).finally(() => this.#making.delete(path));
        this.#making.set(path, making);
        return await making;
      }
      // Their failure is theirs: they may have been cancelled.
      await others.catch(() => undefined);
      if (await this.#linked(path, to)) return;
    }
  }

  async #linkedOrMade(path: string, to: string, make: (path: string) => Promise<void>): Promise<void> {
    if (!(await this.#linked(path, to))) await this.#make(path, to, make);
  }

  /** Names of the files of a group. */
  async names(group: string): Promise<readonly string[]> {
    const names = await readdir(this.#folderOf(group)).catch(() => []);
    return names.filter((name) => !name.endsWith(UNFINISHED));
  }

  /** Opens a file of the cache for reading; undefined if it is not there. It stays readable when the cache gives it up. */
  async open(group: string, name: string): Promise<FileHandle | undefined> {
    try {
      return await open(this.#pathOf(group, name));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw storageError(error, 'read', this.#pathOf(group, name));
    }
  }

  /** The content of a small file of the cache; unless it is there, what `load` gives, which is then kept if that is possible. */
  async bytes(group: string, name: string, load: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const path = this.#pathOf(group, name);
    const kept = await readFile(path).catch(() => undefined);
    if (kept !== undefined) {
      await touch(path);
      return kept;
    }
    const bytes = await load();
    await this.#written(path, (unfinished) => writeFile(unfinished, bytes, { mode: 0o600 }))
      .then(() => this.#added(bytes.length))
      .catch(() => undefined);
    return bytes;
  }

  /** Gives up the files of a group. */
  async forget(group: string): Promise<void> {
    await rm(this.#folderOf(group), { recursive: true, force: true });
  }

  async content(): Promise<DiskCacheContent> {
    const files = await this.#files();
    return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Gives up everything. Files that are being read stay until they have been. */
  async clear(): Promise<void> {
    const names = await readdir(this.#home).catch(() => []);
    const ours = names.filter((name) => BOOT.test(name));
    await Promise.all(ours.map((name) => rm(join(this.#home, name), { recursive: true, force: true })));
  }

  #folderOf(group: string): string {
    const hash = createHash('sha256').update(group).digest('hex');
    return join(this.#folder, hash.slice(0, 2), hash.slice(2));
  }

  #pathOf(group: string, name: string): string {
    return join(this.#folderOf(group), name);
  }

  async #linked(path: string, to: string): Promise<boolean> {
    try {
      await link(path, to);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw storageError(error, 'link', path);
      // Another file system: a copy, which costs as much room.
      return await copyFile(path, to, constants.COPYFILE_FICLONE).then(
        () => true,
        (cause: NodeJS.ErrnoException) => {
          if (cause.code === 'ENOENT') return false;
          throw storageError(cause, 'copy', path);
        },
      );
    }
    await touch(path);
    return true;
  }

  async #make(path: string, to: string, make: (path: string) => Promise<void>): Promise<void> {
    await this.#written(path, async (unfinished) => {
      await make(unfinished);
      // Before others could give it up.
      await this.#linked(unfinished, to);
    });
    const { blocks } = await stat(to);
    await this.#added(blocks * BLOCK_BYTES);
  }

  async #added(bytes: number): Promise<void> {
    this.#addedBytes += bytes;
    if (this.#addedBytes > this.#maxBytes * LOOK_SHARE) await this.#trim(this.#maxBytes);
  }

  /** Writes a file under another name first. A full disk is tried once more without the files that nobody reads. */
  async #written(path: string, write: (path: string) => Promise<void>): Promise<void> {
    await makePrivateFolder(this.#home);
    const folder = dirname(path);
    const unfinished = `${path}.${randomUUID()}${UNFINISHED}`;
    const attempt = async (): Promise<void> => {
      try {
        await makeFolders(folder, 0o700);
        await write(unfinished);
        await rename(unfinished, path);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    };
    await attempt().catch(async (error: unknown) => {
      if (!isFull(error)) throw error;
      await this.#trim(0);
      await attempt().catch((again: unknown) => {
        throw isFull(again) ? this.#full(again) : again;
      });
    });
  }

  #full(cause: unknown): MoraineError {
    const message = `The disk of the cache ${this.#home} is full, and all its files are being read. Free space there, or set storage.cache.directory to a folder of a larger disk.`;
    return new MoraineError('STORAGE_UNAVAILABLE', message, { details: { folder: this.#home }, cause });
  }

  /** Gives up the files that were not asked for the longest, as far as nobody reads them. */
  async #trim(maxBytes: number): Promise<void> {
    this.#addedBytes = 0;
    await this.#removeFormer();
    const files = await this.#files();
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes <= maxBytes) return;
    for (const file of files.sort((a, b) => a.usedMs - b.usedMs)) {
      if (bytes <= maxBytes * KEPT_SHARE) return;
      if (file.isRead) continue;
      await unlink(file.path).catch(() => undefined);
      bytes -= file.bytes;
    }
  }

  /** Removes what an earlier start of this machine has left. */
  async #removeFormer(): Promise<void> {
    const names = await readdir(this.#home).catch(() => []);
    const former = names.filter((name) => BOOT.test(name) && join(this.#home, name) !== this.#folder);
    for (const name of former) await rm(join(this.#home, name), { recursive: true, force: true });
  }

  async #files(): Promise<{ path: string; bytes: number; usedMs: number; isRead: boolean }[]> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const status = await stat(path).catch(() => undefined);
      if (status === undefined) continue;
      const { blocks, mtimeMs, nlink } = status;
      const isAbandoned = entry.name.endsWith(UNFINISHED) && Date.now() - mtimeMs > ABANDONED_MS;
      if (isAbandoned) await rm(path, { force: true });
      else if (!entry.name.endsWith(UNFINISHED)) {
        files.push({ path, bytes: blocks * BLOCK_BYTES, usedMs: mtimeMs, isRead: nlink > 1 });
      }
    }
    return files;
  }
}

/** Remembers that a file was asked for. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

const BOOT = /^boot-[0-9a-f]{8}$/;

function isFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  }
  return false;
}
