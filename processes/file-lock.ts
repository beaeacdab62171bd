import { chmod, rm, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MoraineError } from '../errors/index.js';

/** An exclusive lock on a file; the system releases it when the process ends, however it ends. */
export interface FileLock {
  release(): void;
}

/**
 * Files that this process has locked, or is about to. It must not open them again: the kernel releases a process's locks on a file when any of
 * its descriptors of that file is closed.
 */
const mine = new Set<string>();

/**
 * Takes the lock of a file that is used for nothing else, or says that another process (or this one) has it. It is a lock of SQLite, and so of
 * the kernel: no clock, age or process id plays a part in it.
 * Whatever is in its place and is not a file, or not a database, is removed: nobody can have locked it.
 *
 * @returns undefined if it is taken
 * @throws `STORAGE_UNAVAILABLE` if the file cannot be made or locked
 */
export async function tryLockFile(path: string): Promise<FileLock | undefined> {
  const file = resolve(path);
  if (mine.has(file)) return undefined;
  mine.add(file);
  let lock: FileLock | undefined;
  try {
    lock = await lockOrReplace(file);
    return lock;
  } catch (cause) {
    throw new MoraineError('STORAGE_UNAVAILABLE', `${path} cannot be locked: ${(cause as Error).message}.`, { cause });
  } finally {
    if (lock === undefined) mine.delete(file);
  }
}

async function lockOrReplace(file: string): Promise<FileLock | undefined> {
  if (await isOtherThanFile(file)) await rm(file, { recursive: true, force: true });
  return lockOnce(file).catch(async (error: unknown) => {
    if (!/^SQLITE_(NOTADB|CORRUPT)/.test(codeOf(error))) throw error;
    await rm(file, { force: true });
    return lockOnce(file);
  });
}

/** A named pipe among them, which nobody may open: that waits for its other end. */
async function isOtherThanFile(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status?.isFile() === false;
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}

async function lockOnce(file: string): Promise<FileLock | undefined> {
  const { default: Database } = await import('libsql');
  await writeFile(file, '', { flag: 'a', mode: 0o600 });
  await chmod(file, 0o600);
  const database = new Database(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (/^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))) return undefined;
    throw error;
  }
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      database.close();
      mine.delete(file);
    },
  };
}
