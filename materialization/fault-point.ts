/** The fault points of a materialization; see `tables/fault-point.ts`. */
import { reachFaultPoint } from '../tables/index.js';

/** The points, in the order in which a run passes them. */
export const FAULT_POINTS = [
  'plan-written',
  'before-data-file',
  'after-data-files',
  'before-manifest-staged',
  'after-manifest-staged',
  'before-commit',
  'after-swap',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

/** Kills the process here if the environment asks for it (tests only). */
export const faultPoint = (point: FaultPoint): void => reachFaultPoint(point);
