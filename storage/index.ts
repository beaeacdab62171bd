/** Storage: one `FileIO` interface and its implementations. */

export { DiskCache, type DiskCacheContent, type DiskCacheOptions } from './disk-cache.js';
export { FileCache, type FileKey, FileKind, type ParsedFile } from './file-cache.js';
export {
  type ExpectedFile,
  type FileIO,
  type FilePage,
  type FileRange,
  type FileStatus,
  type FileTail,
  joined,
  type LocalFiles,
  listFiles,
} from './file-io.js';
export { cacheGroup, readKept } from './kept-files.js';
export { LocalFileIO, type LocalFileIOOptions } from './local-file-io.js';
export { mapConcurrently } from './map-concurrently.js';
export { type OpenStorageOptions, openStorage, type StoreSettings, storeOptionsAt } from './open-storage.js';
export { proxyAgentsFor, requestHandler, silenceVersionWarning, staticCredentials } from './s3/aws-client.js';
export type { ProxyAgents } from './s3/proxy-agents.js';
export { namesBuckets } from './s3/s3-location.js';
export { addressOptions, hasCredentials } from './s3/s3-options.js';
export type { StorageOptions } from './s3/store-dialect.js';
export { type PrefixGrant, StorageGrants, type StoreRequest, type TableGrant } from './storage-grants.js';
export { measureTraffic, noTraffic, type Traffic } from './traffic.js';
