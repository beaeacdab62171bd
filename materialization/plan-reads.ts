/** A run's reads of a list of files: the newest row per entity up to now, and the winner of each event time in the future. */
import type { PlannedFile } from '../tables/index.js';
import { type EventTimeColumn, mayHoldEventTimes } from './event-time-filter.js';
import { type Interval, intersectIntervals } from './interval.js';
import { plannedSourceFile } from './open-files.js';
import type { SourceRead } from './plan.js';

/**
 * The reads of the files' rows in the interval. A row of the future must not hide the newest row of its entity that is
 * valid now, and each one becomes the newest in its turn: all event times are kept.
 * @param futureFromUs the first time that lies in the future, in microseconds
 * @param source the snapshot whose deletes apply to the files, and which of their rows count
 */
export function readsOf(
  files: readonly PlannedFile[],
  interval: Interval,
  column: EventTimeColumn,
  futureFromUs: bigint,
  source: Pick<SourceRead, 'snapshotId' | 'afterSequenceNumber'>,
): readonly SourceRead[] {
  const read = (keep: SourceRead['keep'], part: Interval | null): readonly SourceRead[] => {
    const held = part === null ? [] : files.filter(({ file }) => mayHoldEventTimes(file, column, part));
    return part === null || held.length === 0 ? [] : [{ ...part, keep, files: held.map(plannedSourceFile), ...source }];
  };
  const future = read('all', intersectIntervals(interval, { startUs: futureFromUs, endUs: null }));
  // Without files of the future there is no bound to look at in every row.
  if (future.length === 0) return read('newest', interval);
  return [...read('newest', intersectIntervals(interval, { startUs: null, endUs: futureFromUs })), ...future];
}
