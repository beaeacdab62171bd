import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type LocalPath, type Location, localPath } from '../../locations/index.js';
import type { FileIO } from '../../storage/index.js';

/** Where files are made that are uploaded then: engines of labs may write there. */
export const PUT_FOLDER = join(tmpdir(), 'moraine-put');

/**
 * A file of any storage, made by a test as a local file.
 * @param make writes the file at a path
 * @returns its size
 */
export async function putFile(
  io: FileIO,
  location: Location,
  make: (path: LocalPath) => Promise<unknown>,
): Promise<bigint> {
  const localFiles = io.localFiles(location);
  if (localFiles !== null) {
    await localFiles.prepareFolder(location.slice(0, location.lastIndexOf('/')));
    const path = await localFiles.pathOf(location);
    await make(path);
    return BigInt((await stat(path)).size);
  }
  await mkdir(PUT_FOLDER, { recursive: true });
  const folder = await mkdtemp(join(PUT_FOLDER, 'file-'));
  try {
    const path = localPath(join(folder, basename(location)));
    await make(path);
    await io.createFrom(location, createReadStream(path));
    return BigInt((await stat(path)).size);
  } finally {
    await rm(folder, { recursive: true });
  }
}
