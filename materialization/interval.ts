/** Half-open intervals of event time, in microseconds since the epoch. */

/** `[startUs, endUs)`; a null bound is unbounded. */
export interface Interval {
  readonly startUs: bigint | null;
  readonly endUs: bigint | null;
}

/** Everything. */
export const ALL_TIME: Interval = { startUs: null, endUs: null };

/** Whether no time is inside. */
export function isEmptyInterval(interval: Interval): boolean {
  return interval.startUs !== null && interval.endUs !== null && interval.startUs >= interval.endUs;
}

/** The common part of two intervals, or null when they share no time. */
export function intersectIntervals(a: Interval, b: Interval): Interval | null {
  const common: Interval = { startUs: laterStart(a.startUs, b.startUs), endUs: earlierEnd(a.endUs, b.endUs) };
  return isEmptyInterval(common) ? null : common;
}

/** The rest of `a` without `b`: no, one or two intervals. */
export function subtractInterval(a: Interval, b: Interval): readonly Interval[] {
  if (intersectIntervals(a, b) === null) return isEmptyInterval(a) ? [] : [a];
  const rest: Interval[] = [];
  if (b.startUs !== null) rest.push({ startUs: a.startUs, endUs: earlierEnd(a.endUs, b.startUs) });
  if (b.endUs !== null) rest.push({ startUs: laterStart(a.startUs, b.endUs), endUs: a.endUs });
  return rest.filter((interval) => !isEmptyInterval(interval));
}

/** The smallest interval that holds all of the given ones, or null for none. */
export function hullOfIntervals(intervals: readonly Interval[]): Interval | null {
  const [first, ...others] = intervals;
  if (first === undefined) return null;
  return others.reduce<Interval>(
    (hull, next) => ({
      startUs: hull.startUs === null || next.startUs === null ? null : min(hull.startUs, next.startUs),
      endUs: hull.endUs === null || next.endUs === null ? null : max(hull.endUs, next.endUs),
    }),
    first,
  );
}

/** Orders by start; an unbounded start comes first. */
export function compareStarts(a: Interval, b: Interval): number {
  if (a.startUs === b.startUs) return 0;
  if (a.startUs === null) return -1;
  if (b.startUs === null) return 1;
  return a.startUs < b.startUs ? -1 : 1;
}

function laterStart(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null) return b;
  return b === null ? a : max(a, b);
}

function earlierEnd(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null) return b;
  return b === null ? a : min(a, b);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
