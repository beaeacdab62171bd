import type { BackfillSegment } from '../../activities/backfill-contract.js';

/** How many windows segments have, whose ends are both included. */
export function windowsIn(segments: readonly BackfillSegment[]): number {
  return segments.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
