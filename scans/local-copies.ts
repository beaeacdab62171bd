/** Paths of files as the engine opens them: where they are, or a copy of one that is not on this machine. */
import { open } from 'node:fs/promises';
import type { Connection } from '../engine/index.js';
import { type LocalPath, type Location, localPath } from '../locations/index.js';
import type { FileIO } from '../storage/index.js';

/** Bytes of a file that are fetched at a time. */
const RANGE_BYTES = 8 * 2 ** 20;

/**
 * The path of a file. One that is not on this machine is fetched, once for a connection; its copy goes with the connection.
 * @throws MoraineError `LOCATION_REFUSED` for one outside the storage roots; for a file that is fetched `FILE_NOT_FOUND`,
 *   `FILE_CHANGED` if it is replaced meanwhile, `STORAGE_UNAVAILABLE`
 */
export async function openablePath(connection: Connection, io: FileIO, location: Location): Promise<LocalPath> {
  if (io.localFiles !== null) return await io.localFiles.pathOf(location);
  return localPath(await connection.copies.of(location, (_, copy) => fetchFile(io, location, copy)));
}

/** The paths that an engine must be allowed to read besides its temporary folder, where it finds copies. */
export async function localPathsOf(io: FileIO, locations: readonly Location[]): Promise<readonly LocalPath[]> {
  const { localFiles } = io;
  return localFiles === null ? [] : await Promise.all(locations.map((location) => localFiles.pathOf(location)));
}

async function fetchFile(io: FileIO, location: Location, path: string): Promise<void> {
  const { sizeBytes, identity } = await io.stat(location);
  const file = await open(path, 'wx');
  try {
    for (let offset = 0; offset < sizeBytes; offset += RANGE_BYTES) {
      const length = Math.min(RANGE_BYTES, sizeBytes - offset);
      await file.writeFile(await io.readRange(location, { offset, length, identity }));
    }
  } finally {
    await file.close();
  }
}
