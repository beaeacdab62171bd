import { chmod, stat } from 'node:fs/promises';
import { MoraineError } from '../errors/index.js';
import { makeFolders } from './make-folders.js';

const OTHERS = 0o007;
const GROUP = 0o070;
const GROUP_WRITES = 0o020;

/**
 * Makes a folder that only its user may read. One that exists is closed to others, and to its group unless the group may write in it,
 * which somebody has wanted. Those of other users stay as they are.
 *
 * @throws `STORAGE_UNAVAILABLE` if it cannot be made, or a file is in its place
 */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    await makeFolders(path, 0o700);
    await tightenMode(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its place or above it' : message;
    throw new MoraineError('STORAGE_UNAVAILABLE', `The folder ${path} cannot be made: ${why}.`, {
      details: { path },
      cause,
    });
  }
}

/** Closes a file or folder of this user to others; see {@link makePrivateFolder}. */
export async function tightenMode(path: string): Promise<void> {
  const { mode, uid } = await stat(path);
  if (uid !== process.getuid?.()) return;
  const open = mode & (mode & GROUP_WRITES ? OTHERS : OTHERS | GROUP);
  if (open !== 0) await chmod(path, mode & 0o7777 & ~open);
}
