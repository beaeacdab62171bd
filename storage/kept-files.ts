/** Files of a store by the names under which the cache on the disk has them. */
import type { Location } from '../locations/index.js';
import type { FileIO } from './file-io.js';

/** Reads a whole file that never changes, from the disk if it was read before. The errors are those of {@link FileIO.read}. */
export async function readKept(
  io: FileIO,
  location: Location,
  options: { readonly maxBytes: number },
): Promise<Uint8Array> {
  const load = (): Promise<Uint8Array> => io.read(location, options);
  const diskCache = io.diskCache(location);
  if (diskCache === null) return await load();
  return await diskCache.bytes(cacheGroup(io, await io.canonical(location)), 'content', load);
}

/** The group of an object, as it is reached with the credentials of a storage. @param location as {@link FileIO.canonical} spells it */
export function cacheGroup(io: FileIO, location: Location, sizeBytes?: bigint): string {
  return [io.scope(location), location, sizeBytes ?? ''].join('\0');
}
