/** Writing files that must not be there yet. */
import { access, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { makeFolders } from '../processes/index.js';

/**
 * Writes files into a folder, all or none.
 *
 * @param files contents by name
 * @param advice what to do about files that are in the way
 * @throws `FILE_ALREADY_EXISTS` naming every file that is in the way; `STORAGE_UNAVAILABLE`. Nothing is written then
 */
export async function writeNewFiles(folder: string, files: ReadonlyMap<string, string>, advice: string): Promise<void> {
  const present: string[] = [];
  for (const name of files.keys()) if (await exists(join(folder, name))) present.push(name);
  if (present.length > 0) {
    throw new MoraineError('FILE_ALREADY_EXISTS', `${folder} has ${present.join(', ')} already; ${advice}`, {
      details: { files: present.map((name) => join(folder, name)) },
    });
  }
  const written: string[] = [];
  try {
    for (const [name, content] of files) {
      const path = join(folder, name);
      await makeFolders(dirname(path));
      await writeFile(path, content, { flag: 'wx' });
      written.push(path);
    }
  } catch (error) {
    await Promise.all(written.map((path) => rm(path, { force: true })));
    throw new MoraineError('STORAGE_UNAVAILABLE', `cannot write to ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
