/** Tells a project's own schedules of a namespace from those of others. */
import type { Client, ScheduleDescription } from '@temporalio/client';
import { didYouMean, MoraineError } from '../errors/index.js';
import { nameOfId, projectName, projectOfId } from '../features/index.js';
import { findSchedule } from './find-schedule.js';
import { notesOf } from './temporal-schedule.js';

/** Schedules whose names are compared at most with one that does not exist. */
const MAX_COMPARED = 1000;

/** A project, as its schedules know it. */
export interface ScheduleOwner {
  /** Its identity, which the ids of its schedules carry; null as long as it has none, and so no schedule. */
  readonly project: string | null;
  /** Uuid of the registry's table; null before it exists. */
  readonly registry: string | null;
  readonly taskQueue: string;
}

/**
 * Whether a schedule is a project's own. The id says so; of those that earlier versions and people have made under ids without a project,
 * those are that its registry has declared, or that nobody has declared and that start workflows on its task queue.
 */
export function isOwnSchedule({ project, registry, taskQueue }: ScheduleOwner, found: ScheduleDescription): boolean {
  const owner = projectOfId(found.scheduleId);
  if (owner !== null) return owner === project;
  const declaredBy = notesOf(found).declaredBy?.registry;
  return declaredBy === undefined ? found.action.taskQueue === taskQueue : declaredBy === registry;
}

/** A project's schedule by its name, with or without the project in it; undefined if there is none. */
export async function findOwnSchedule(
  client: Client,
  owner: ScheduleOwner,
  name: string,
): Promise<ScheduleDescription | undefined> {
  const found = await findNamed(client, owner, name);
  return found !== undefined && isOwnSchedule(owner, found) ? found : undefined;
}

/**
 * The id of a project's schedule on the server, by its name.
 *
 * @throws `SCHEDULE_NOT_FOUND`; `PROJECT_MISMATCH` if the schedule of that id is another project's
 */
export async function ownScheduleId(client: Client, owner: ScheduleOwner, name: string): Promise<string> {
  const found = await findNamed(client, owner, name);
  if (found === undefined) {
    const hint = didYouMean(name, await ownNames(client, owner));
    const message = `This project has no schedule ${JSON.stringify(name)} on the Temporal server. ${hint}`;
    throw new MoraineError('SCHEDULE_NOT_FOUND', message);
  }
  const { scheduleId, action } = found;
  if (isOwnSchedule(owner, found)) return scheduleId;
  const whose = projectOfId(scheduleId) ?? 'that made it';
  throw new MoraineError(
    'PROJECT_MISMATCH',
    `The schedule ${JSON.stringify(scheduleId)} belongs to the project ${whose}, which uses the task queue ${JSON.stringify(action.taskQueue)}. Change it from there.`,
    { details: { scheduleId, taskQueue: action.taskQueue } },
  );
}

/** The names of the schedules whose ids carry the project, up to a limit. */
async function ownNames(client: Client, { project }: ScheduleOwner): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if (projectOfId(scheduleId) === project && project !== null) names.push(nameOfId(scheduleId));
    if (names.length === MAX_COMPARED) break;
  }
  return names;
}

async function findNamed(client: Client, { project }: ScheduleOwner, name: string) {
  const own = projectOfId(name) === null ? await findSchedule(client, projectName(name, project)) : undefined;
  return own ?? findSchedule(client, name);
}
