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

/** The points of a part of a reduction, between the plan and the first shard. */
export const REDUCTION_FAULT_POINTS = ['before-reduced-files', 'after-reduced-files', 'after-reduced-list'] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

/** Kills the process here if the environment asks for it (tests only). */
export const faultPoint = (point: FaultPoint): void => reachFaultPoint(point);

/** The same for {@link REDUCTION_FAULT_POINTS}. */
export const reductionFaultPoint = (point: (typeof REDUCTION_FAULT_POINTS)[number]): void => reachFaultPoint(point);
