/** The fault points of a training set besides those of saving a dataset; see `tables/fault-point.ts`. */
import { DATASET_FAULT_POINTS } from '../features/index.js';
import { reachFaultPoint } from '../tables/index.js';

/** The points, in the order in which a training set passes them. */
export const TRAINING_FAULT_POINTS = ['training-planned', 'training-shard-staged', ...DATASET_FAULT_POINTS] as const;

export type TrainingFaultPoint = (typeof TRAINING_FAULT_POINTS)[number];

/** Kills the process here if the environment asks for it (tests only). */
export const faultPoint = (point: TrainingFaultPoint): void => reachFaultPoint(point);
