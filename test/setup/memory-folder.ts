/**
 * Global setup: temporary files of `npm test` lie in memory where there is enough of it (Linux), unless `TMPDIR` says otherwise. Tests make
 * thousands of small tables, and each file and commit waits for the disk. Nothing here loses power.
 */
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';

function hasRoom(bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return Math.min(bavail * bsize, freemem()) >= bytes;
  } catch {
    return false;
  }
}

/** @param neededBytes how much must be free, for the files and beside them */
export const memoryFolder = (neededBytes: number) => (): (() => void) | undefined => {
  if (process.env['TMPDIR'] !== undefined || !hasRoom(neededBytes)) return undefined;
  const folder = mkdtempSync(join(MEMORY, 'moraine-'));
  chmodSync(folder, 0o1777); // as `/tmp`: PostgreSQL runs as another user
  process.env['TMPDIR'] = folder;
  return () => {
    delete process.env['TMPDIR'];
    rmSync(folder, { recursive: true, force: true });
  };
};

/** A run has 115 MB at once. */
export default memoryFolder(2 ** 30);
