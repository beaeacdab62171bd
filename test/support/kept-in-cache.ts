import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { userCacheFolder } from '../../workers/server/user-cache.js';

/** Compiling the largest server takes minutes on a busy machine. */
const LONGEST_WAIT_MS = 30 * 60_000;

/**
 * A folder of the user's cache folder, made once and complete whenever it exists. Processes that ask for it while another one makes it wait for that one.
 *
 * @param make fills the folder that it is given, which is renamed afterwards
 */
export function keptInCache(name: string, make: (folder: string) => void): string {
  const folder = join(userCacheFolder(), name);
  if (existsSync(folder)) return folder;
  mkdirSync(userCacheFolder(), { recursive: true });
  // A lock of the kernel, which ends with its process. Waiting is synchronous, as making is.
  const lock = new Database(`${folder}.lock`, { timeout: LONGEST_WAIT_MS });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    if (existsSync(folder)) return folder;
    const staging = `${folder}.${process.pid}`;
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging);
    make(staging);
    renameSync(staging, folder);
  } finally {
    lock.close();
  }
  return folder;
}
