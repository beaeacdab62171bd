/** Files of a store by the names under which the cache on the disk has them. */
import type { Location } from '../locations/index.js';
import type { FileIO } from './file-io.js';

/**
 * Reads a whole file that never changes, from the disk if it was read before. Bytes that `parse` refuses are not kept: the file may be put
 * right, or somebody else may have answered for the store. The errors are those of {@link FileIO.read} and of `parse`.
 */
export async function readKept<T>(
  io: FileIO,
  location: Location,
  options: { readonly maxBytes: number },
  parse: (bytes: Uint8Array) => T,
): Promise<T> {
  const load = (): Promise<Uint8Array> => io.read(location, options);
  const diskCache = io.diskCache(location);
  if (diskCache === null) return parse(await load());
  const group = cacheGroup(io, await io.canonical(location));
  const bytes = await diskCache.bytes(group, 'content', load);
  try {
    return parse(bytes);
  } catch (error) {
    await diskCache.forget(group);
    throw error;
  }
}

/** The group of an object, as it is reached with the credentials of a storage. @param location as {@link FileIO.canonical} spells it */
export function cacheGroup(io: FileIO, location: Location, sizeBytes?: bigint): string {
  return [io.scope(location), location, sizeBytes ?? ''].join('\0');
}
