/**
 * Fault points: places where a test may kill the process, to see that a run survives a crash exactly there.
 *
 * Inert unless `MORAINE_FAULT_POINT` names the point. Then the process kills itself with SIGKILL when it first reaches it:
 * `MORAINE_FAULT_MARKER` is the path of a file that is created at that moment, so that the process that is started afterwards,
 * with the same environment, passes. Without a marker it dies every time.
 */
import { openSync } from 'node:fs';

/** Kills the process here if the environment asks for it (tests only). */
export function reachFaultPoint(point: string): void {
  if (process.env['MORAINE_FAULT_POINT'] !== point) return;
  const marker = process.env['MORAINE_FAULT_MARKER'];
  if (marker !== undefined && !createMarker(marker)) return;
  process.kill(process.pid, 'SIGKILL');
}

function createMarker(path: string): boolean {
  try {
    openSync(path, 'wx');
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
