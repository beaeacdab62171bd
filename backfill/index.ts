/** Backfill: a range of event times cut into windows, planned, read and committed in groups. */

export { entityTable } from './entity-rows.js';
export {
  type BackfillPlan,
  type PlannedWindow,
  parseBackfillPlan,
  planSubject,
  planToText,
  type TrainingBackfillPlan,
  type ViewBackfillPlan,
} from './plan.js';
export { type BackfillRequest, planBackfill } from './plan-backfill.js';
export { type PlanSummary, planSummary } from './plan-summary.js';
export { planTrainingBackfill, type TrainingBackfillRequest } from './plan-training-backfill.js';
export { requireCurrentPlan, requireCurrentTrainingPlan } from './require-current-plan.js';
export { type Segment, type SegmentPage, segmentPage } from './segments.js';
export { type StagedSegment, stageSegment } from './stage-segment.js';
export { readBackfillPlan, storeBackfillPlan, storeTrainingBackfillPlan } from './store-plan.js';
export {
  commitTrainingWindows,
  type StagedTrainingWindow,
  stageTrainingWindow,
  type TrainingWindowToCommit,
} from './training-windows.js';
export { requireWindowRange, type WindowRange, windowAt, windowCount } from './windows.js';
