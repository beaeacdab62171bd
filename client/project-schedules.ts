/** The schedules of a project on its Temporal server. */
import { parseTimeUs } from '../config/index.js';
import type { ScheduleOverlap } from '../features/index.js';
import type { Project } from '../project/index.js';
import type { BackfilledSchedule, ScheduleInfo } from '../schedules/index.js';
import { scheduleOwner } from './schedule-owner.js';
import { checkedSchedule, loadSchedules, type ScheduleRequest } from './schedules.js';
import { type ConnectedServer, onProjectServer, type ServerOptions } from './temporal-run.js';

/** Why a schedule is paused or resumed. */
export interface ScheduleNoteOptions extends ServerOptions {
  readonly note?: string;
}

/** A part of the past that a schedule makes up for. Times are ISO-8601, UTC where they have no zone. */
export interface ScheduleBackfillRequest {
  /** Start of the first interval. */
  readonly start: string;
  /** End of the last interval. */
  readonly end: string;
  /** One interval after the other (`buffer-all`, unless given), or all at once. */
  readonly overlap?: Extract<ScheduleOverlap, 'buffer-all' | 'allow-all'>;
}

/**
 * Makes a schedule, once everything about it has been checked.
 *
 * @throws `INVALID_ARGUMENT`, `FEATURE_VIEW_NOT_FOUND`, `TABLE_NOT_FOUND`, `SCHEDULE_ALREADY_EXISTS`, `TEMPORAL_UNAVAILABLE`
 */
export async function createProjectSchedule(
  project: Project,
  request: ScheduleRequest,
  options: ServerOptions = {},
): Promise<ScheduleInfo> {
  const { createOwnSchedule, describeSchedule } = await loadSchedules();
  const schedule = await checkedSchedule(project, request);
  await project.identity();
  const owner = await scheduleOwner(project);
  const make = async ({ client }: ConnectedServer): Promise<ScheduleInfo> =>
    describeSchedule(client, await createOwnSchedule(client, owner, schedule));
  return onProjectServer(project, make, { ...options, leavesWork: true });
}

/** Every schedule of the project, by id. @throws `TEMPORAL_UNAVAILABLE` */
export async function listProjectSchedules(
  project: Project,
  options: ServerOptions = {},
): Promise<readonly ScheduleInfo[]> {
  const { listSchedules } = await loadSchedules();
  const owner = await scheduleOwner(project);
  return onProjectServer(project, ({ client }) => listSchedules(client, owner), options);
}

/** @throws `SCHEDULE_NOT_FOUND` naming the nearest one; `PROJECT_MISMATCH`, `TEMPORAL_UNAVAILABLE` */
export async function describeProjectSchedule(
  project: Project,
  id: string,
  options: ServerOptions = {},
): Promise<ScheduleInfo> {
  const { describeSchedule } = await loadSchedules();
  return onProjectSchedule(project, id, describeSchedule, options);
}

/** Ticks while it is paused are skipped. @throws as {@link describeProjectSchedule} */
export async function pauseProjectSchedule(
  project: Project,
  id: string,
  { note, ...options }: ScheduleNoteOptions = {},
): Promise<void> {
  const { pauseSchedule } = await loadSchedules();
  await onProjectSchedule(project, id, (client, own) => pauseSchedule(client, own, note), options);
}

/** @throws as {@link describeProjectSchedule} */
export async function resumeProjectSchedule(
  project: Project,
  id: string,
  { note, ...options }: ScheduleNoteOptions = {},
): Promise<void> {
  const { resumeSchedule } = await loadSchedules();
  const resume = (client: Client, own: string): Promise<void> => resumeSchedule(client, own, note);
  await onProjectSchedule(project, id, resume, { ...options, leavesWork: true });
}

/** Starts a run now, beside one that may be in flight: both join the same work. @throws as {@link describeProjectSchedule} */
export async function triggerProjectSchedule(project: Project, id: string, options: ServerOptions = {}): Promise<void> {
  const { triggerSchedule } = await loadSchedules();
  await onProjectSchedule(project, id, triggerSchedule, { ...options, leavesWork: true });
}

/** Runs in flight go on. @throws as {@link describeProjectSchedule} */
export async function deleteProjectSchedule(project: Project, id: string, options: ServerOptions = {}): Promise<void> {
  const { deleteSchedule } = await loadSchedules();
  await onProjectSchedule(project, id, deleteSchedule, options);
}

/**
 * Runs the intervals of a schedule that lie in a range, as if their time passed now. Intervals that were committed before are not
 * committed again.
 *
 * @throws `INVALID_ARGUMENT` for a schedule whose runs have no interval, and for a range that is not made of whole intervals;
 * otherwise as {@link describeProjectSchedule}
 */
export async function backfillProjectSchedule(
  project: Project,
  id: string,
  { start, end, overlap }: ScheduleBackfillRequest,
  options: ServerOptions = {},
): Promise<BackfilledSchedule> {
  const { backfillSchedule } = await loadSchedules();
  const range = {
    startUs: parseTimeUs(start, 'start'),
    endUs: parseTimeUs(end, 'end'),
    ...(overlap === undefined ? {} : { overlap }),
  };
  const backfill = (client: Client, own: string): Promise<BackfilledSchedule> => backfillSchedule(client, own, range);
  return onProjectSchedule(project, id, backfill, { ...options, leavesWork: true });
}

type Client = ConnectedServer['client'];

/** @param work with the id of the project's schedule, which may be given without the project in it */
async function onProjectSchedule<T>(
  project: Project,
  id: string,
  work: (client: Client, own: string) => Promise<T>,
  options: ServerOptions & { readonly leavesWork?: boolean },
): Promise<T> {
  const { ownScheduleId } = await loadSchedules();
  const owner = await scheduleOwner(project);
  const found = async ({ client }: ConnectedServer): Promise<T> => work(client, await ownScheduleId(client, owner, id));
  return onProjectServer(project, found, options);
}
