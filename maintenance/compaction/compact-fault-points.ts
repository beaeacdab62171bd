/** The fault points of a compaction; see `tables/fault-point.ts`. */
import { reachFaultPoint } from '../../tables/index.js';

/** The points, in the order in which a run passes them. */
export const COMPACT_FAULT_POINTS = [
  'compact-plan-written',
  'compact-before-data-file',
  'compact-after-data-files',
  'compact-after-manifest-staged',
  'compact-before-commit',
  'compact-after-swap',
] as const;

export type CompactFaultPoint = (typeof COMPACT_FAULT_POINTS)[number];

/** Kills the process here if the environment asks for it (tests only). */
export const compactFaultPoint = (point: CompactFaultPoint): void => reachFaultPoint(point);
