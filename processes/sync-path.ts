import { open } from 'node:fs/promises';

/** Forces a file's content, or a folder's entries, to disk: a commit must not outlive its files. @throws errors of the file system */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
