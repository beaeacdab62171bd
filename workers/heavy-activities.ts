import type { BackfillActivities } from '../activities/backfill-contract.js';
import type { CompactActivities } from '../activities/compact-contract.js';
import type { Activities } from '../activities/contract.js';

/** Activities that read and write data files: each uses every core and much of the engine's memory by itself. */
export const HEAVY_ACTIVITIES: readonly (keyof (Activities & CompactActivities))[] = [
  'extractShard',
  'stageTrainingShard',
  'rewriteGroup',
];

/** The task queue of a project's heavy activities. */
export const heavyTaskQueue = (taskQueue: string): string => `${taskQueue}-heavy`;

/** Windows of backfills do the same. They have slots of their own: however many wait, none of them is before another run's. */
export const WINDOW_ACTIVITIES: readonly (keyof BackfillActivities)[] = [
  'stageWindow',
  'stageTrainingWindow',
  'runWindowAlone',
];

/** The task queue of the windows of a project's backfills. */
export const windowTaskQueue = (taskQueue: string): string => `${taskQueue}-backfill`;
