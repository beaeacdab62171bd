/** Scans: from a table's planned files to what the engine reads. */

export { fetchedEndBytes, localPathsOf, openablePath, requestsFor } from './local-copies.js';
export {
  deletesAt,
  type FilesOwner,
  type FileToOpen,
  fileToOpen,
  isLasting,
  KnownFiles,
  type OpenFiles,
  openChanged,
  openFiles,
  whileReading,
} from './open-files.js';
export { EMPTY_SCAN, type OpenedScan, openScan, type PinnedSource, planSource } from './source-scan.js';
