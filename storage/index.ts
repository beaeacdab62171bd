/** Storage: one `FileIO` interface and its implementations. */
export type { FileIO, FileStatus } from './file-io.js';
