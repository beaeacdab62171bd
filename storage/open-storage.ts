/** The storage of a project: local files, or the objects of a store. */
import { MoraineError } from '../errors/index.js';
import { isS3Location, type Location } from '../locations/index.js';
import { DiskCache, type DiskCacheOptions } from './disk-cache.js';
import type { FileIO } from './file-io.js';
import { LocalFileIO, type LocalFileIOOptions } from './local-file-io.js';
import type { StorageOptions } from './s3/s3-options.js';
import type { StorageGrants } from './storage-grants.js';

export interface OpenStorageOptions extends LocalFileIOOptions {
  /** Options of an object store, by the names that PyIceberg gives them. */
  readonly options?: StorageOptions;
  /** Where files of an object store are kept on this machine; unless given nowhere. */
  readonly diskCache?: DiskCacheOptions;
  /** Access to objects that catalogs give, used where the options have no credentials. */
  readonly grants?: StorageGrants | undefined;
}

/**
 * Opens the storage that the roots lie in. The client of an object store is loaded only for one.
 * @throws MoraineError `CONFIG_INVALID` for incomplete credentials, and for roots in several kinds of storage
 */
export async function openStorage(storage: OpenStorageOptions): Promise<FileIO> {
  const { roots, options = {}, diskCache, grants, ...local } = storage;
  const remote = roots.filter(isS3Location);
  if (remote.length === 0) return new LocalFileIO({ roots, ...local });
  if (remote.length < roots.length) throw mixed(roots, remote);
  const { S3FileIO } = await import('./s3/s3-file-io.js');
  return new S3FileIO({
    roots,
    options,
    grants,
    ...(diskCache === undefined ? {} : { diskCache: new DiskCache(diskCache) }),
  });
}

function mixed(roots: readonly Location[], remote: readonly Location[]): MoraineError {
  const near = roots.find((root) => !remote.includes(root)) ?? '';
  const message = `storage.roots: ${near} is on this machine and ${remote[0] ?? ''} is not. All warehouses and storage roots of a project must be in one kind of storage.`;
  return new MoraineError('CONFIG_INVALID', message, { details: { roots: [...roots] } });
}
