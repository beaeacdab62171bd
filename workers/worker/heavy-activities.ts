import type { AllActivities } from '../../activities/index.js';

/** Activities with a task queue of their own: they read and write data files, which uses every core and much of the engine's memory. */
interface HeavyQueue {
  readonly taskQueue: string;
  readonly activities: readonly (keyof AllActivities)[];
  /** How many of them one process works on. */
  readonly slots: number;
  /** They have no end of their own: a worker that is to stop says so at once. */
  readonly areEndless?: boolean;
}

/** Sinks at a time. Each waits most of its time, and has its records in memory. */
const INGEST_SLOTS = 8;

/** Windows of backfills have slots of their own: however many wait, none of them is before another run's. */
export function heavyQueues(taskQueue: string, heavyActivities: number): readonly HeavyQueue[] {
  return [
    {
      taskQueue: `${taskQueue}-heavy`,
      activities: ['reducePart', 'extractShard', 'reduceTrainingPart', 'stageTrainingShard', 'rewriteGroup'],
      slots: heavyActivities,
    },
    {
      taskQueue: `${taskQueue}-backfill`,
      activities: ['stageWindow', 'stageTrainingWindow', 'runWindowAlone'],
      slots: Math.max(1, heavyActivities - 1),
    },
    { taskQueue: `${taskQueue}-ingest`, activities: ['writeRecords'], slots: INGEST_SLOTS, areEndless: true },
  ];
}
