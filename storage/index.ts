/** Storage: one `FileIO` interface and its implementations. */
export type { FileIO, FilePage, FileStatus } from './file-io.js';
export { ImmutableFileCache } from './immutable-file-cache.js';
export { LocalFileIO, type LocalFileIOOptions } from './local-file-io.js';
export { comparableLocation, normalizeLocation } from './location.js';
