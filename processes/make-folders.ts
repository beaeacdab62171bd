import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it that are missing. Node's own `recursive` tries for ever, in a thread that no signal reaches, where a folder
 * exists in which none can be made, and the system says that there is no such file (below `/proc`, and on some network file systems).
 *
 * @returns the folders that were made, the highest first
 * @throws errors of the file system
 */
export async function makeFolders(path: string, mode = 0o777): Promise<readonly string[]> {
  try {
    return await makeFolder(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if (codeOf(error) !== 'ENOENT' || parent === path) throw error;
    // Another process may have made it meanwhile.
    const above = (await isFolder(parent)) ? [] : await makeFolders(parent, mode);
    return [...above, ...(await makeFolder(path, mode))];
  }
}

async function makeFolder(path: string, mode: number): Promise<readonly string[]> {
  try {
    await mkdir(path, { mode });
    return [path];
  } catch (error) {
    // `stat` fails on a symbolic link to nothing, which is the better error.
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return [];
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
