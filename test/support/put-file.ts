import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type LocalPath, type Location, localPath } from '../../locations/index.js';
import type { FileIO } from '../../storage/index.js';

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
  if (io.localFiles !== null) {
    await io.localFiles.prepareFolder(dirname(location));
    const path = await io.localFiles.pathOf(location);
    await make(path);
    return BigInt((await stat(path)).size);
  }
  const folder = await mkdtemp(join(tmpdir(), 'moraine-put-'));
  try {
    const path = localPath(join(folder, basename(location)));
    await make(path);
    await io.createFrom(location, createReadStream(path));
    return BigInt((await stat(path)).size);
  } finally {
    await rm(folder, { recursive: true });
  }
}
