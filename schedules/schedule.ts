/** Schedules as plain values, before and after Temporal. Times are milliseconds. */
import { MoraineError } from '../errors/index.js';
import {
  formatDurationMs,
  parseDurationMs,
  type ScheduleOverlap,
  type ScheduleTimes,
  scheduleTimeProblems,
  type ViewSchedule,
} from '../features/index.js';

/** A schedule that fires at whole multiples of a duration since 1970 (UTC), or at the times of a cron expression. */
export type ScheduleTiming =
  | { readonly everyMs: bigint; readonly offsetMs: bigint }
  | { readonly cron: string; readonly timeZone?: string };

/** A schedule to be made: any workflow that takes one JSON object. */
export interface NewSchedule {
  readonly id: string;
  readonly workflow: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly timing: ScheduleTiming;
  /** Absent: see {@link withDefaults}. */
  readonly overlap?: ScheduleOverlap;
  readonly catchUpMs?: bigint;
  readonly jitterMs?: bigint;
  readonly paused?: boolean;
  readonly note?: string;
}

/** A schedule with every setting that Temporal wants. */
export type CompleteSchedule = NewSchedule & Required<Pick<NewSchedule, 'overlap' | 'catchUpMs' | 'jitterMs'>>;

const MINUTE_MS = 60_000n;
const DAY_MS = 86_400_000n;
/** Ticks that a Temporal server holds in wait for one schedule; it drops what comes after them. */
const MOST_BUFFERED_TICKS = 1000n;

/** Length of the intervals that a schedule's runs take; undefined for runs that their nominal time does not concern. */
export function windowMs({ input }: Pick<NewSchedule, 'input'>): bigint | undefined {
  const { every } = input;
  return typeof every === 'string' ? parseDurationMs(every) : undefined;
}

/**
 * Fills in what was left open. Runs over intervals wait for each other, and a tick that was missed is made up for within a week, since
 * nobody else takes its interval. Other runs take everything that is new: one at a time, and of missed ticks one is enough.
 */
export function withDefaults(schedule: NewSchedule): CompleteSchedule {
  const { timing } = schedule;
  const everyMs = 'cron' in timing ? undefined : timing.everyMs;
  const window = windowMs(schedule) !== undefined;
  return {
    ...schedule,
    overlap: schedule.overlap ?? (window ? 'buffer-all' : 'skip'),
    catchUpMs: schedule.catchUpMs ?? defaultCatchUpMs(everyMs, window),
    jitterMs: schedule.jitterMs ?? (everyMs === undefined ? 0n : least(everyMs / 10n, MINUTE_MS)),
  };
}

function defaultCatchUpMs(everyMs: bigint | undefined, window: boolean): bigint {
  if (everyMs === undefined) return DAY_MS;
  return window ? most(MINUTE_MS, least(7n * DAY_MS, everyMs * MOST_BUFFERED_TICKS)) : most(MINUTE_MS, everyMs);
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);

const TIME_OPTIONS: Readonly<Record<keyof ScheduleTimes, string>> = {
  everyMs: '"every"',
  offsetMs: '"offset"',
  catchUpMs: '"catchUp"',
  jitterMs: '"jitter"',
};

/**
 * Holds a schedule to what makes sense: whole seconds, an offset within the period, and intervals that are as long as the time between two
 * ticks, so that adjacent ones neither overlap nor leave a gap.
 *
 * @throws `INVALID_ARGUMENT`
 */
export function checkSchedule(schedule: NewSchedule): void {
  const { id, timing, input, catchUpMs, jitterMs } = schedule;
  const fail = (problem: string): never => {
    throw new MoraineError('INVALID_ARGUMENT', `schedule ${JSON.stringify(id)}: ${problem}`);
  };
  const window = windowMs(schedule);
  if (input['every'] !== undefined && (window === undefined || window === 0n)) {
    fail(`"every" ${JSON.stringify(input['every'])} is not a duration such as 1h or 1d`);
  }
  if ('cron' in timing) {
    if (window !== undefined) fail('the times of a cron are not evenly spaced, so intervals need "every" instead');
    return;
  }
  const times: ScheduleTimes = {
    ...timing,
    ...(catchUpMs === undefined ? {} : { catchUpMs }),
    ...(jitterMs === undefined ? {} : { jitterMs }),
  };
  const [first] = scheduleTimeProblems(times);
  if (first !== undefined) fail(`${TIME_OPTIONS[first[0]]} ${first[1]}`);
  if (window === undefined || window === timing.everyMs) return;
  const [length, period] = [formatDurationMs(window), formatDurationMs(timing.everyMs)];
  fail(
    window > timing.everyMs
      ? `it overlaps itself: every ${period} a run over ${length}; make the intervals as long as the time between two ticks`
      : `it leaves gaps: every ${period} a run over ${length}; make the intervals as long as the time between two ticks`,
  );
}

/** The name of the schedule that materializes a view, whether declared on it or made by a command; its id has the project, too. */
export const viewScheduleId = (view: string): string => `materialize/${view}`;

/** Input of `materialize` for a schedule. The offset makes a run that is triggered by hand take the last whole interval. */
export function materializeInput(view: string, window: { everyMs: bigint; offsetMs: bigint } | null) {
  if (window === null) return { view };
  return { view, every: formatDurationMs(window.everyMs), offset: formatDurationMs(window.offsetMs) };
}

/** The schedule that a view declares. @param id on the server */
export function declaredSchedule(view: string, declared: ViewSchedule, id: string): NewSchedule {
  const { everyMs, offsetMs = 0n, runs, overlap, catchUpMs, jitterMs, paused } = declared;
  const timing = { everyMs, offsetMs };
  return {
    id,
    workflow: 'materialize',
    input: materializeInput(view, runs === 'window' ? timing : null),
    timing,
    ...(overlap === undefined ? {} : { overlap }),
    ...(catchUpMs === undefined ? {} : { catchUpMs }),
    ...(jitterMs === undefined ? {} : { jitterMs }),
    ...(paused === undefined ? {} : { paused }),
  };
}
