import type { Stats } from 'node:fs';
import type { Location } from '../locations/index.js';
import type { FileStatus } from './file-io.js';

/** The status of a local file. Its change time is set by the system alone, as long as its clock does not go back. */
export function fileStatus(location: Location, { ino, size, mtimeMs, ctimeMs }: Stats): FileStatus {
  const appearedMs = Math.max(mtimeMs, ctimeMs);
  // Not the change time: a backup that links the file, or its permissions, would make it another file.
  return { location, sizeBytes: size, modifiedMs: mtimeMs, appearedMs, identity: `${ino}-${size}-${mtimeMs}` };
}
