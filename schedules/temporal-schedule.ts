/** Schedules in Temporal's form, and back. */
import type { ScheduleDescription, ScheduleOptions, ScheduleOverlapPolicy, ScheduleSpec } from '@temporalio/client';
import { formatDurationMs, type ScheduleOverlap } from '../features/index.js';
import { type CompleteSchedule, type NewSchedule, type ScheduleTiming, withDefaults } from './schedule.js';

const POLICIES: Readonly<Record<ScheduleOverlap, NonNullable<ScheduleOverlapPolicy>>> = {
  skip: 'SKIP',
  'buffer-one': 'BUFFER_ONE',
  'buffer-all': 'BUFFER_ALL',
  'allow-all': 'ALLOW_ALL',
};

/** Temporal's name of an overlap. */
export const overlapPolicy = (overlap: ScheduleOverlap): NonNullable<ScheduleOverlapPolicy> => POLICIES[overlap];

/** The record of a schedule: its memo, and the memo of its runs, since only that can be changed. */
export interface ScheduleNotes {
  /** Registry (its table's uuid) and view that declare the schedule. */
  readonly declaredBy?: { readonly registry: string; readonly view: string };
  /** The declaration as the last apply saw it. */
  readonly declared?: unknown;
}

/** The options that make a schedule. */
export function temporalOptions(schedule: NewSchedule, taskQueue: string, notes: ScheduleNotes = {}) {
  const complete = withDefaults(schedule);
  const { id, workflow, input, overlap, catchUpMs, paused, note, timing } = complete;
  const { declaredBy, declared } = notes;
  return {
    scheduleId: id,
    spec: spec(complete),
    policies: { overlap: POLICIES[overlap], catchupWindow: Number(catchUpMs) },
    state: { paused: paused ?? false, ...(note === undefined ? {} : { note }) },
    ...(declaredBy === undefined ? {} : { memo: { declaredBy } }),
    action: {
      type: 'startWorkflow',
      workflowType: workflow,
      workflowId: scheduledWorkflowId(id),
      taskQueue,
      args: [input],
      staticSummary: `Scheduled by ${id}`,
      memo: {
        schedule: id,
        ...('cron' in timing ? { cron: timing.cron } : {}),
        ...(declared === undefined ? {} : { declared }),
      },
    },
  } satisfies ScheduleOptions;
}

/** Temporal appends the nominal time. */
const scheduledWorkflowId = (id: string): string => `schedule/${id}`;

function spec({ timing, jitterMs }: CompleteSchedule): ScheduleSpec {
  const jitter = Number(jitterMs);
  if (!('cron' in timing)) {
    return { intervals: [{ every: Number(timing.everyMs), offset: Number(timing.offsetMs) }], jitter };
  }
  const { cron, timeZone } = timing;
  return { cronExpressions: [cron], jitter, ...(timeZone === undefined ? {} : { timezone: timeZone }) };
}

/** A run that a schedule has started. */
export interface ScheduledAction {
  readonly workflowId: string;
  readonly runId: string;
  /** Nominal time, ISO-8601. */
  readonly scheduledAt: string;
  readonly takenAt: string;
}

/** A schedule on the server. Durations are text such as `1h`, times ISO-8601. */
export interface ScheduleInfo {
  readonly id: string;
  readonly workflow: string;
  readonly input: unknown;
  /** Null if the times are not an interval, which a person may have chosen in the web UI. */
  readonly every: string | null;
  readonly offset: string | null;
  readonly cron: string | null;
  readonly timeZone: string | null;
  readonly overlap: string;
  readonly catchUp: string;
  readonly jitter: string;
  readonly paused: boolean;
  readonly note: string | null;
  /** The view that declares it; null if it was made otherwise. */
  readonly declaredOn: string | null;
  readonly next: readonly string[];
  readonly recent: readonly ScheduledAction[];
  readonly running: readonly string[];
  readonly taken: number;
  /** Ticks left out because an earlier run was in flight. */
  readonly skipped: number;
  /** Ticks left out because they were later than the catch-up allows. */
  readonly missed: number;
  /** Ticks left out because too many waited. */
  readonly dropped: number;
}

const duration = (ms: number | undefined): string => formatDurationMs(BigInt(Math.round(ms ?? 0)));

/** A description, reduced to the parts that readers need. */
export function scheduleInfo(description: ScheduleDescription): ScheduleInfo {
  const { scheduleId, spec: times, policies, state, info, action, raw } = description;
  const [interval] = times.intervals ?? [];
  const even = times.intervals?.length === 1 && (times.calendars ?? []).length === 0 ? interval : undefined;
  return {
    id: scheduleId,
    workflow: action.workflowType,
    input: action.args?.[0] ?? null,
    every: even === undefined ? null : duration(even.every),
    offset: even === undefined ? null : duration(even.offset),
    cron: textOf(action.memo?.['cron']),
    timeZone: times.timezone === undefined || times.timezone === '' ? null : times.timezone,
    overlap: overlapName(policies.overlap),
    catchUp: duration(policies.catchupWindow),
    jitter: duration(times.jitter),
    paused: state.paused,
    note: textOf(state.note),
    declaredOn: notesOf(description).declaredBy?.view ?? null,
    next: info.nextActionTimes.slice(0, 5).map((time) => time.toISOString()),
    recent: info.recentActions.map(({ scheduledAt, takenAt, action: { workflow } }) => ({
      workflowId: workflow.workflowId,
      runId: workflow.firstExecutionRunId,
      scheduledAt: scheduledAt.toISOString(),
      takenAt: takenAt.toISOString(),
    })),
    running: info.runningActions.map(({ workflow }) => workflow.workflowId),
    taken: info.numActionsTaken,
    skipped: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
    dropped: Number(raw.info?.bufferDropped ?? 0),
  };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

function overlapName(policy: ScheduleOverlapPolicy): string {
  const found = Object.entries(POLICIES).find(([, name]) => name === policy);
  return (
    found?.[0] ??
    String(policy ?? 'SKIP')
      .toLowerCase()
      .replaceAll('_', '-')
  );
}

/** The record of a schedule. */
export function notesOf({ memo, action }: Pick<ScheduleDescription, 'memo' | 'action'>): ScheduleNotes {
  const declaredBy = memo?.['declaredBy'] as ScheduleNotes['declaredBy'];
  const declared = action.memo?.['declared'];
  return { ...(declaredBy === undefined ? {} : { declaredBy }), ...(declared === undefined ? {} : { declared }) };
}

/** The settings in which a schedule may differ from what it should be, as text by name. */
export type ScheduleFacts = ReadonlyMap<string, string>;

export function factsOfDescription(description: ScheduleDescription): ScheduleFacts {
  const info = scheduleInfo(description);
  const { taskQueue, workflowId = '' } = description.action;
  return facts(info, taskQueue, workflowId);
}

export function factsOfSchedule(schedule: NewSchedule, taskQueue: string): ScheduleFacts {
  const { id, timing, workflow, input, overlap, catchUpMs, jitterMs } = withDefaults(schedule);
  return facts(
    {
      workflow,
      input,
      ...timingText(timing),
      overlap,
      catchUp: formatDurationMs(catchUpMs),
      jitter: formatDurationMs(jitterMs),
    },
    taskQueue,
    scheduledWorkflowId(id),
  );
}

function timingText(timing: ScheduleTiming) {
  if ('cron' in timing) return { every: null, offset: null, cron: timing.cron, timeZone: timing.timeZone ?? null };
  const { everyMs, offsetMs } = timing;
  return { every: formatDurationMs(everyMs), offset: formatDurationMs(offsetMs), cron: null, timeZone: null };
}

type Compared = 'workflow' | 'input' | 'every' | 'offset' | 'cron' | 'timeZone' | 'overlap' | 'catchUp' | 'jitter';

function facts(info: Pick<ScheduleInfo, Compared>, taskQueue: string, workflowId: string): ScheduleFacts {
  const { workflow, input, every, offset, cron, timeZone, overlap, catchUp, jitter } = info;
  const all = { workflow, input, every, offset, cron, timeZone, overlap, catchUp, jitter, taskQueue, workflowId };
  return new Map(Object.entries(all).map(([name, value]) => [name, JSON.stringify(value)]));
}
