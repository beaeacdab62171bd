/** Where a table's new data files go. Source: Apache Iceberg documentation, "Configuration" (`write.data.path`, object storage) and "AWS" (layout). */
import { murmur3, type TableMetadata } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';

const HASH_BITS = 20;
const HASH_FOLDER = /^(.{4})(.{4})(.{4})(.{8})$/;

/** The folder of a table's data files, without a slash at the end. */
export function dataFolder({ location, properties }: TableMetadata): Location {
  const folder = properties.get('write.data.path') ?? `${location.replace(/\/+$/, '')}/data`;
  return folder.replace(/\/+$/, '');
}

/**
 * The location of a new data file. With `write.object-storage.enabled` a hash of its name comes first, so that the files of a busy table
 * lie under many prefixes of an object store.
 */
export function dataFileLocation(metadata: TableMetadata, name: string): Location {
  const folder = dataFolder(metadata);
  const { properties } = metadata;
  const isHashed = properties.get('write.object-storage.enabled')?.toLowerCase() === 'true';
  // Never `<hash>-<name>`: leases and plans know files of theirs by how the names begin.
  return isHashed ? `${folder}/${hashFolders(name)}/${name}` : `${folder}/${name}`;
}

/** The last 20 bits of the name's hash as folders. */
function hashFolders(name: string): string {
  const bits = (murmur3(Buffer.from(name)) >>> 0).toString(2).padStart(32, '0').slice(-HASH_BITS);
  return bits.replace(HASH_FOLDER, '$1/$2/$3/$4');
}
