/** Making, listing and changing schedules on a Temporal server. */
import { type Client, ScheduleAlreadyRunning, type ScheduleHandle, ScheduleNotFoundError } from '@temporalio/client';
import { formatTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { formatDurationMs, projectName, projectOfId, type ScheduleOverlap } from '../features/index.js';
import { findSchedule } from './find-schedule.js';
import { findOwnSchedule, isOwnSchedule, type ScheduleOwner } from './own-schedule.js';
import { checkSchedule, type NewSchedule, windowMs } from './schedule.js';
import {
  overlapPolicy,
  type ScheduleInfo,
  type ScheduleNotes,
  scheduleInfo,
  temporalOptions,
} from './temporal-schedule.js';

const DESCRIBED_AT_A_TIME = 10;

/** @throws `INVALID_ARGUMENT`, `SCHEDULE_ALREADY_EXISTS` */
export async function createSchedule(
  client: Client,
  taskQueue: string,
  schedule: NewSchedule,
  notes: ScheduleNotes = {},
): Promise<void> {
  checkSchedule(schedule);
  await known(schedule.id, () => client.schedule.create(temporalOptions(schedule, taskQueue, notes)));
}

/**
 * Makes a schedule of a project, under an id that carries it.
 *
 * @returns the id
 * @throws `INVALID_ARGUMENT`, `SCHEDULE_ALREADY_EXISTS`
 */
export async function createOwnSchedule(client: Client, owner: ScheduleOwner, schedule: NewSchedule): Promise<string> {
  checkSchedule(schedule);
  if ((await findOwnSchedule(client, owner, schedule.id)) !== undefined) throw alreadyExists(schedule.id);
  const id = projectName(schedule.id, owner.project);
  await createSchedule(client, owner.taskQueue, { ...schedule, id });
  return id;
}

/** Every schedule of a project, by id. */
export async function listSchedules(client: Client, owner: ScheduleOwner): Promise<readonly ScheduleInfo[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if ((projectOfId(scheduleId) ?? owner.project) === owner.project) ids.push(scheduleId);
  }
  const found: ScheduleInfo[] = [];
  for (let at = 0; at < ids.length; at += DESCRIBED_AT_A_TIME) {
    const some = await Promise.all(ids.slice(at, at + DESCRIBED_AT_A_TIME).map((id) => findSchedule(client, id)));
    for (const one of some) if (one !== undefined && isOwnSchedule(owner, one)) found.push(scheduleInfo(one));
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** @throws `SCHEDULE_NOT_FOUND` */
export async function describeSchedule(client: Client, id: string): Promise<ScheduleInfo> {
  return scheduleInfo(await on(client, id, (handle) => handle.describe()));
}

/** Ticks while it is paused are skipped. @throws `SCHEDULE_NOT_FOUND` */
export async function pauseSchedule(client: Client, id: string, note?: string): Promise<void> {
  await on(client, id, (handle) => handle.pause(note));
}

/** @throws `SCHEDULE_NOT_FOUND` */
export async function resumeSchedule(client: Client, id: string, note?: string): Promise<void> {
  await on(client, id, (handle) => handle.unpause(note));
}

/** Starts a run now, beside one that may be in flight: both join the same work. @throws `SCHEDULE_NOT_FOUND` */
export async function triggerSchedule(client: Client, id: string): Promise<void> {
  await on(client, id, (handle) => handle.trigger('ALLOW_ALL'));
}

/** @throws `SCHEDULE_NOT_FOUND` */
export async function deleteSchedule(client: Client, id: string): Promise<void> {
  await on(client, id, (handle) => handle.delete());
}

/** A part of the past that a schedule makes up for. */
export interface ScheduleBackfill {
  /** Microseconds since the epoch: start of the first interval. */
  readonly startUs: bigint;
  /** End of the last interval. */
  readonly endUs: bigint;
  /** `buffer-all` unless given: one after the other. */
  readonly overlap?: ScheduleOverlap;
}

/** How many intervals {@link backfillSchedule} runs. */
export interface BackfilledSchedule {
  readonly intervals: number;
  readonly first: string;
  readonly last: string;
}

/**
 * Runs the intervals of a schedule that lie in `[start, end)`, as if their time passed now. Intervals that were committed before are not
 * committed again.
 *
 * @throws `INVALID_ARGUMENT` for a schedule whose runs have no interval, and for a range that is not made of whole intervals
 */
export async function backfillSchedule(
  client: Client,
  id: string,
  { startUs, endUs, overlap = 'buffer-all' }: ScheduleBackfill,
): Promise<BackfilledSchedule> {
  const description = await on(client, id, (handle) => handle.describe());
  const { intervals: every, startAt, endAt, skip = [] } = description.spec;
  const [interval] = every ?? [];
  const input = (description.action.args?.[0] ?? {}) as NewSchedule['input'];
  const length = windowMs({ input });
  const fail = (problem: string): never => {
    throw new MoraineError('INVALID_ARGUMENT', `schedule ${JSON.stringify(id)}: ${problem}`);
  };
  if (interval === undefined || length === undefined || BigInt(interval.every) !== length) {
    return fail(
      'its runs take whatever is new, not the interval of a tick, so there is nothing to run again; `moraine schedule trigger` makes up for all that was skipped',
    );
  }
  if (startAt !== undefined || endAt !== undefined || skip.length > 0) {
    return fail(
      'it has a start, an end or times that it skips, which a person has set; a backfill would leave intervals out without a word. Remove them from the schedule, or start `materialize` with "start" and "end" instead',
    );
  }
  const [lengthUs, offsetUs] = [length * 1000n, BigInt(interval.offset) * 1000n];
  if (startUs >= endUs) fail(`the start ${formatTimeUs(startUs)} is not before the end ${formatTimeUs(endUs)}`);
  for (const [name, us] of [
    ['start', startUs],
    ['end', endUs],
  ] as const) {
    const past = modulo(us - offsetUs, lengthUs);
    if (past === 0n) continue;
    const [below, above] = [us - past, us - past + lengthUs].map(formatTimeUs);
    fail(
      `the ${name} ${formatTimeUs(us)} is in the middle of an interval of ${formatDurationMs(length)}; write ${below} or ${above}`,
    );
  }
  // The nominal time of an interval is its end. The server compares the tick with the range: the nominal time and the jitter, which is
  // however large always less than an interval. So the range ends just before the nominal time of the interval after the last.
  const start = new Date(Number(startUs / 1000n) + 1);
  const end = new Date(Number((endUs + lengthUs) / 1000n) - 1);
  await on(client, id, (handle) => handle.backfill({ start, end, overlap: overlapPolicy(overlap) }));
  const intervals = Number((endUs - startUs) / lengthUs);
  return { intervals, first: formatTimeUs(startUs), last: formatTimeUs(endUs - lengthUs) };
}

const modulo = (a: bigint, b: bigint): bigint => ((a % b) + b) % b;

function on<T>(client: Client, id: string, use: (handle: ScheduleHandle) => Promise<T>): Promise<T> {
  return known(id, () => use(client.schedule.getHandle(id)));
}

const alreadyExists = (id: string, cause?: unknown): MoraineError =>
  new MoraineError('SCHEDULE_ALREADY_EXISTS', `there is a schedule ${JSON.stringify(id)} already`, { cause });

/** Temporal's errors as ours. */
async function known<T>(id: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) {
      throw new MoraineError(
        'SCHEDULE_NOT_FOUND',
        `there is no schedule ${JSON.stringify(id)} on the Temporal server`,
        {
          cause: error,
        },
      );
    }
    if (error instanceof ScheduleAlreadyRunning) {
      throw alreadyExists(id, error);
    }
    // The client's word for what the server refuses as malformed: a cron or a time zone that is none.
    if (!(error instanceof TypeError)) throw error;
    throw new MoraineError('INVALID_ARGUMENT', `schedule ${JSON.stringify(id)}: ${error.message}`, { cause: error });
  }
}
