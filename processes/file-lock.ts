import { chmod, rm, writeFile } from 'node:fs/promises';
import { MoraineError } from '../errors/index.js';

/** An exclusive lock on a file; the system releases it when the process ends, however it ends. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of a file that is used for nothing else, or says that another process (or this one) has it. It is a lock of SQLite, and so of
 * the kernel: no clock, age or process id plays a part in it.
 *
 * @returns undefined if it is taken
 * @throws `STORAGE_UNAVAILABLE` if the file cannot be made or locked
 */
export async function tryLockFile(path: string): Promise<FileLock | undefined> {
  try {
    return await lockOnce(path);
  } catch {
    // Something else is in its place, or a file cut short by a full disk: it holds nothing.
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
  try {
    return await lockOnce(path);
  } catch (cause) {
    throw new MoraineError('STORAGE_UNAVAILABLE', `${path} cannot be locked: ${(cause as Error).message}.`, { cause });
  }
}

async function lockOnce(path: string): Promise<FileLock | undefined> {
  const { default: Database } = await import('libsql');
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  await chmod(path, 0o600);
  const database = new Database(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (/^SQLITE_(BUSY|LOCKED)/.test(String((error as { code?: unknown }).code))) return undefined;
    throw error;
  }
  let held = true;
  return {
    release: () => {
      if (held) database.close();
      held = false;
    },
  };
}
