/** Segments, which a backfill works on one after the other: each window with rows alone, neighbours without any together. */
import type { BackfillPlan } from './plan.js';
import { windowCount } from './windows.js';

/** Neighbouring windows, both included. */
export interface Segment {
  readonly first: number;
  readonly last: number;
}

export interface SegmentPage {
  readonly segments: readonly Segment[];
  /** Where the next page begins; null: there is none. */
  readonly next: number | null;
}

/** Segments from `cursor` on, in the plan's order. */
export function segmentPage(plan: BackfillPlan, cursor: number, limit: number): SegmentPage {
  const all = segmentsOf(plan);
  const end = cursor + limit;
  return { segments: all.slice(cursor, end), next: end < all.length ? end : null };
}

function segmentsOf(plan: BackfillPlan): readonly Segment[] {
  const segments: Segment[] = [];
  let from = 0;
  for (const { index } of plan.windows) {
    if (index > from) segments.push({ first: from, last: index - 1 });
    segments.push({ first: index, last: index });
    from = index + 1;
  }
  const count = windowCount(plan);
  if (from < count) segments.push({ first: from, last: count - 1 });
  return plan.order === 'newest-first' ? segments.reverse() : segments;
}
