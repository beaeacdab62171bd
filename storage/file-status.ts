import type { Stats } from 'node:fs';
import type { FileStatus } from './file-io.js';

/** The status of a local file. Its change time is set by the system alone, as long as its clock does not go back. */
export function fileStatus(location: string, { size, mtimeMs, ctimeMs }: Stats): FileStatus {
  return { location, sizeBytes: size, modifiedMs: mtimeMs, appearedMs: Math.max(mtimeMs, ctimeMs) };
}
