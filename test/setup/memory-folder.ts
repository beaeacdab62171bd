/**
 * Global setup: temporary files of `npm test` lie in memory where there is enough of it (Linux), unless `TMPDIR` says otherwise. Tests make
 * thousands of small tables, and each file and commit waits for the disk. Nothing here loses power; the integration tests use the disk.
 */
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** A run has 115 MB at once. */
const NEEDED_BYTES = 2 ** 30;

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return Math.min(bavail * bsize, freemem()) >= NEEDED_BYTES;
  } catch {
    return false;
  }
}

export default function setup(): (() => void) | undefined {
  if (process.env['TMPDIR'] !== undefined || !hasRoom()) return undefined;
  const folder = mkdtempSync(join(MEMORY, 'moraine-tests-'));
  chmodSync(folder, 0o1777); // as `/tmp`: PostgreSQL runs as another user
  process.env['TMPDIR'] = folder;
  return () => {
    delete process.env['TMPDIR'];
    rmSync(folder, { recursive: true, force: true });
  };
}
