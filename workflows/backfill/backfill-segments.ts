import type { BackfillSegment, MaxFailed } from '../../activities/backfill-contract.js';

/** How many windows segments have, whose ends are both included. */
export function windowsIn(segments: readonly BackfillSegment[]): number {
  return segments.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

const MAX_FAILED: MaxFailed = 100;

/** Whether no further segments are begun. */
export const hasTooMany = (failed: readonly unknown[]): boolean => failed.length >= MAX_FAILED;
