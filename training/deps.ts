/** Dependencies of training sets. */
import type { HistoricalDeps, SaveDeps } from '../features/index.js';

/** Dependencies of retrieving and saving. */
export type TrainingDeps = HistoricalDeps & SaveDeps;
