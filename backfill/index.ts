/** Backfill: a range of event times cut into windows, planned, read and committed in groups. */

export { type BackfillPlan, type PlannedWindow, parseBackfillPlan, planToText } from './plan.js';
export { type BackfillRequest, planBackfill } from './plan-backfill.js';
export { type PlanSummary, planSummary } from './plan-summary.js';
export { requireCurrentPlan } from './require-current-plan.js';
export { type Segment, type SegmentPage, segmentPage } from './segments.js';
export { type StagedSegment, stageSegment } from './stage-segment.js';
export { readBackfillPlan, storeBackfillPlan } from './store-plan.js';
export { requireWindowRange, type WindowRange, windowAt, windowCount } from './windows.js';
