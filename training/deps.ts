/** What training sets need of their surroundings. */
import type { HistoricalDeps, SaveDeps } from '../features/index.js';

/** What retrieving and saving need. */
export type TrainingDeps = HistoricalDeps & SaveDeps;
