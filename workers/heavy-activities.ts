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
