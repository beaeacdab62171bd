/** The fault points of a part of a reduction; see `tables/fault-point.ts`. */
import { reachFaultPoint } from '../tables/index.js';

/** The points, between the plan and the first shard. */
export const REDUCTION_FAULT_POINTS = ['before-reduced-files', 'after-reduced-files', 'after-reduced-list'] as const;

/** Kills the process here if the environment asks for it (tests only). */
export const reductionFaultPoint = (point: (typeof REDUCTION_FAULT_POINTS)[number]): void => reachFaultPoint(point);
