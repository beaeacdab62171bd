/** Scans: from a table's planned files to what the engine reads. */

export {
  deletesAt,
  type FilesOwner,
  type FileToOpen,
  fileToOpen,
  KnownLayouts,
  type LocatedFile,
  locateFiles,
  type OpenFiles,
  openChanged,
  openFiles,
  openLocated,
  whileReading,
} from './open-files.js';
export { EMPTY_SCAN, type OpenedScan, openScan, type PinnedSource, planSource } from './source-scan.js';
