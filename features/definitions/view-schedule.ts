/** When a view is materialized by itself. Times are milliseconds. */
import { z } from 'zod';
import { formatDurationMs, parseDurationMs } from './duration.js';

/** The overlap policy, in Temporal's words: how a tick is treated while the run of an earlier one is in flight. */
export const SCHEDULE_OVERLAPS = ['skip', 'buffer-one', 'buffer-all', 'allow-all'] as const;
export type ScheduleOverlap = (typeof SCHEDULE_OVERLAPS)[number];

/**
 * The rows that a run of a schedule takes: those that are new in the source (`incremental`), or the interval of event time `[T - every, T)` that ends at
 * its nominal time T (`window`).
 */
export const SCHEDULED_RUNS = ['incremental', 'window'] as const;
export type ScheduledRuns = (typeof SCHEDULED_RUNS)[number];

/** A schedule as it is written on a view. What is absent gets a default that fits `runs`. */
export interface ViewSchedule {
  /** Ticks are at whole multiples of this since 1970 (UTC), plus the offset. */
  readonly everyMs: bigint;
  readonly offsetMs?: bigint;
  readonly runs: ScheduledRuns;
  readonly overlap?: ScheduleOverlap;
  /** How late a tick that was missed may still run. */
  readonly catchUpMs?: bigint;
  /** Up to this much later than its nominal time a tick may fire, at random. */
  readonly jitterMs?: bigint;
  readonly paused?: boolean;
}

/** The part of a schedule that says when it fires. */
export type ScheduleTimes = Pick<ViewSchedule, 'everyMs' | 'offsetMs' | 'catchUpMs' | 'jitterMs'>;

/** The least that a Temporal server catches up. */
const LEAST_CATCH_UP_MS = 10_000n;

/** Problems of the times of a schedule, by field. */
export function scheduleTimeProblems(times: ScheduleTimes): readonly (readonly [keyof ScheduleTimes, string])[] {
  const { everyMs, offsetMs = 0n, catchUpMs, jitterMs = 0n } = times;
  const problems: (readonly [keyof ScheduleTimes, string])[] = [];
  if (everyMs < 1000n || everyMs % 1000n !== 0n) problems.push(['everyMs', 'must be whole seconds, at least 1s']);
  if (offsetMs % 1000n !== 0n) problems.push(['offsetMs', 'must be whole seconds']);
  else if (offsetMs >= everyMs && everyMs > 0n) {
    problems.push(['offsetMs', `must be less than ${formatDurationMs(everyMs)}, the time between two ticks`]);
  }
  if (jitterMs > everyMs / 10n) {
    problems.push([
      'jitterMs',
      `must be at most a tenth of the time between two ticks, ${formatDurationMs(everyMs / 10n)}`,
    ]);
  }
  if (catchUpMs !== undefined && catchUpMs < LEAST_CATCH_UP_MS) problems.push(['catchUpMs', 'must be at least 10s']);
  return problems;
}

const duration = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  context.addIssue(`'${text}' is not a duration; write for example '90s', '15m', '6h', '1d' or 'PT6H'`);
  return z.NEVER;
});

const FIELDS = { everyMs: 'every', offsetMs: 'offset', catchUpMs: 'catchUp', jitterMs: 'jitter' } as const;

/** The keys of `schedule` in YAML and JSON. */
export const viewScheduleSchema = z
  .strictObject({
    every: duration,
    offset: duration.optional(),
    runs: z.enum(SCHEDULED_RUNS).default('incremental'),
    overlap: z.enum(SCHEDULE_OVERLAPS).optional(),
    catchUp: duration.optional(),
    jitter: duration.optional(),
    paused: z.boolean().optional(),
  })
  .superRefine((written, context) => {
    for (const [field, message] of scheduleTimeProblems(toViewSchedule(written)))
      context.addIssue({ code: 'custom', path: [FIELDS[field]], message });
  });

/** A schedule as it was written, as a value. */
export function toViewSchedule(written: z.infer<typeof viewScheduleSchema>): ViewSchedule {
  const { every, offset, catchUp, jitter, runs, overlap, paused } = written;
  return {
    everyMs: every,
    runs,
    ...(offset === undefined || offset === 0n ? {} : { offsetMs: offset }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(catchUp === undefined ? {} : { catchUpMs: catchUp }),
    ...(jitter === undefined ? {} : { jitterMs: jitter }),
    ...(paused === undefined ? {} : { paused }),
  };
}

/** The keys that {@link viewScheduleSchema} reads. */
export function viewScheduleToJson(schedule: ViewSchedule): Readonly<Record<string, string | boolean | undefined>> {
  const text = (ms: bigint | undefined): string | undefined => (ms === undefined ? undefined : formatDurationMs(ms));
  return {
    every: text(schedule.everyMs),
    offset: text(schedule.offsetMs),
    runs: schedule.runs,
    overlap: schedule.overlap,
    catchUp: text(schedule.catchUpMs),
    jitter: text(schedule.jitterMs),
    paused: schedule.paused,
  };
}
