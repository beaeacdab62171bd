/** Temporal Schedules: making and keeping them, by hand or as views declare them. */
export {
  type BackfilledSchedule,
  backfillSchedule,
  createOwnSchedule,
  createSchedule,
  deleteSchedule,
  describeSchedule,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
  type ScheduleBackfill,
  triggerSchedule,
} from './manage.js';
export { ownScheduleId, type ScheduleOwner } from './own-schedule.js';
export { applySchedules, planSchedules, type ScheduleChange, type ScheduleHome } from './reconcile.js';
export { checkSchedule, materializeInput, type NewSchedule, type ScheduleTiming, viewScheduleId } from './schedule.js';
export type { ScheduledAction, ScheduleInfo } from './temporal-schedule.js';
