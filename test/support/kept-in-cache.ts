import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { userCacheFolder } from '../../workers/server/user-cache.js';

/**
 * A folder of the user's cache folder, made once and complete whenever it is there.
 *
 * @param make fills the folder that it is given, which is renamed afterwards
 */
export function keptInCache(name: string, make: (folder: string) => void): string {
  const folder = join(userCacheFolder(), name);
  if (existsSync(folder)) return folder;
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  make(staging);
  // Another process may have been faster.
  if (existsSync(folder)) rmSync(staging, { recursive: true });
  else renameSync(staging, folder);
  return folder;
}
