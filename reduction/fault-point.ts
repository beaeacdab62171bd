/** The fault points of a part of a reduction; see `tables/fault-point.ts`. */
import { reachFaultPoint } from '../tables/index.js';

/** The points, between the plan and the first shard. */
export const REDUCTION_FAULT_POINTS = ['before-reduced-files', 'after-reduced-files', 'after-reduced-list'] as const;

/** Those of a part that Trino finds, the first two while its tables are there. */
export const TRINO_FAULT_POINTS = ['before-trino-insert', 'after-trino-insert', ...REDUCTION_FAULT_POINTS] as const;

/** Kills the process here if the environment asks for it (tests only). */
export const reductionFaultPoint = (point: (typeof TRINO_FAULT_POINTS)[number]): void => reachFaultPoint(point);
