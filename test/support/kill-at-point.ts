import { pathToFileURL } from 'node:url';
import { projectRoot } from './paths.js';

const PRELOAD = pathToFileURL(`${projectRoot}/test/support/kill-at-point.mjs`).href;

/**
 * Environment in which a process kills itself at a fault point.
 * @param marker a file that it creates then; where it exists, the process lives
 */
export function killAtPoint(point: string, marker: string): Record<string, string> {
  return { NODE_OPTIONS: `--import=${PRELOAD}`, MORAINE_FAULT_POINT: point, MORAINE_FAULT_MARKER: marker };
}
