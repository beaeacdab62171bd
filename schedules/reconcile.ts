/** Bringing the schedules on a server to what the views of a registry declare. */
import type { Client, ScheduleDescription } from '@temporalio/client';
import { MoraineError } from '../errors/index.js';
import {
  type Definitions,
  type FieldChange,
  projectName,
  projectOfId,
  type ViewSchedule,
  viewScheduleToJson,
} from '../features/index.js';
import { findSchedule } from './find-schedule.js';
import { createSchedule, deleteSchedule } from './manage.js';
import { findOwnSchedule, type ScheduleOwner } from './own-schedule.js';
import { declaredSchedule, viewScheduleId } from './schedule.js';
import { factsOfDescription, factsOfSchedule, notesOf, temporalOptions } from './temporal-schedule.js';

/** Where schedules live, and whose they are. */
export interface ScheduleHome extends ScheduleOwner {
  readonly client: Client;
}

/** Change of one schedule. */
export interface ScheduleChange {
  readonly action: 'create' | 'change' | 'delete' | 'unchanged';
  readonly id: string;
  readonly view: string;
  readonly fields: readonly FieldChange[];
}

/**
 * Compares the schedules on the server with what views declare.
 *
 * @param before definitions whose schedules may still be there
 * @throws `SCHEDULE_ALREADY_EXISTS` if a declared one has the id of a schedule of the project that was made by hand
 */
export async function planSchedules(
  home: ScheduleHome,
  declared: Definitions,
  before: Definitions,
): Promise<readonly ScheduleChange[]> {
  const changes: ScheduleChange[] = [];
  for (const { name, schedule } of declared.featureViews.values()) {
    if (schedule !== undefined) changes.push(await planOne(home, name, schedule));
  }
  for (const view of await undeclared(home, declared, before)) {
    const id = (await findDeclared(home, view))?.scheduleId ?? scheduleId(home, view);
    changes.push({ action: 'delete', id, view, fields: [] });
  }
  return changes;
}

/** Makes the changes of a plan; `only` those that are named. A schedule that a person paused stays paused. */
export async function applySchedules(
  home: ScheduleHome,
  declared: Definitions,
  changes: readonly ScheduleChange[],
): Promise<void> {
  for (const { action, id, view } of changes) {
    const schedule = declared.featureViews.get(view)?.schedule;
    if (action === 'delete') await deleteIfThere(home.client, id);
    else if (schedule !== undefined && action === 'create') await create(home, view, schedule);
    else if (schedule !== undefined && action === 'change') await change(home, id, view, schedule);
  }
}

async function planOne(home: ScheduleHome, view: string, declared: ViewSchedule): Promise<ScheduleChange> {
  const schedule = declaredSchedule(view, declared, scheduleId(home, view));
  const wanted = factsOfSchedule(schedule, home.taskQueue);
  const found = await findOwnSchedule(home.client, home, viewScheduleId(view));
  if (found === undefined) {
    return { action: 'create', id: schedule.id, view, fields: differences(new Map(), wanted) };
  }
  assertDeclared(found, view);
  const id = found.scheduleId;
  const fields = [...differences(factsOfDescription(found), wanted), ...pausedDifference(found, declared)];
  return { action: fields.length === 0 ? 'unchanged' : 'change', id, view, fields };
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly FieldChange[] {
  return [...after]
    .filter(([name, value]) => before.get(name) !== value && value !== 'null')
    .map(([path, value]) => ({ path, before: before.get(path) ?? null, after: value }));
}

/** Whether it is paused is the operator's to say, until the declaration says otherwise than it did before. */
function pausedDifference(found: ScheduleDescription, { paused = false }: ViewSchedule): readonly FieldChange[] {
  if (declaredPaused(found) === paused || found.state.paused === paused) return [];
  return [{ path: 'paused', before: String(found.state.paused), after: String(paused) }];
}

function declaredPaused(found: ScheduleDescription): boolean {
  const { declared } = notesOf(found);
  return typeof declared === 'object' && declared !== null && 'paused' in declared && declared.paused === true;
}

/** The id under which a view's schedule is made. */
const scheduleId = ({ project }: ScheduleHome, view: string): string => projectName(viewScheduleId(view), project);

function assertDeclared(found: ScheduleDescription, view: string): void {
  if (notesOf(found).declaredBy !== undefined) return;
  throw new MoraineError(
    'SCHEDULE_ALREADY_EXISTS',
    `view '${view}' declares the schedule ${JSON.stringify(found.scheduleId)}, but there is one of that id which ` +
      `was made by hand: delete it with \`moraine schedule delete ${found.scheduleId}\`, or rename the view`,
    { details: { scheduleId: found.scheduleId } },
  );
}

/** Views without a schedule (any more) whose schedule, declared by this registry, is still there. */
async function undeclared(home: ScheduleHome, declared: Definitions, before: Definitions): Promise<readonly string[]> {
  const { client, project, registry } = home;
  if (registry === null) return [];
  const views = new Set<string>();
  for await (const { memo, scheduleId: id } of client.schedule.list()) {
    const owner = memo?.['declaredBy'] as { registry?: unknown; view?: unknown } | undefined;
    const isOwn = projectOfId(id) === null ? owner?.registry === registry : projectOfId(id) === project;
    if (isOwn && typeof owner?.view === 'string') views.add(owner.view);
  }
  // The list may lag behind what an apply a moment ago has made.
  for (const { name, schedule } of before.featureViews.values()) if (schedule !== undefined) views.add(name);
  const gone: string[] = [];
  for (const view of [...views].sort()) {
    if (declared.featureViews.get(view)?.schedule !== undefined) continue;
    if ((await findDeclared(home, view)) !== undefined) gone.push(view);
  }
  return gone;
}

/** The schedule of a view that this project has declared; undefined: none, or one that was made by hand. */
async function findDeclared(home: ScheduleHome, view: string): Promise<ScheduleDescription | undefined> {
  const found = await findOwnSchedule(home.client, home, viewScheduleId(view));
  return found === undefined || notesOf(found).declaredBy === undefined ? undefined : found;
}

function notes({ registry }: ScheduleHome, view: string, schedule: ViewSchedule) {
  return { declaredBy: { registry: registry ?? '', view }, declared: viewScheduleToJson(schedule) };
}

async function create(home: ScheduleHome, view: string, schedule: ViewSchedule): Promise<void> {
  const declared = declaredSchedule(view, schedule, scheduleId(home, view));
  await createSchedule(home.client, home.taskQueue, declared, notes(home, view, schedule));
}

/** @param id on the server: one that an earlier version has made keeps its id, and its runs get the project's */
async function change(home: ScheduleHome, id: string, view: string, declared: ViewSchedule): Promise<void> {
  const schedule = declaredSchedule(view, declared, scheduleId(home, view));
  const { spec, policies, action, state } = temporalOptions(schedule, home.taskQueue, notes(home, view, declared));
  await home.client.schedule.getHandle(id).update((found) => {
    const paused = declaredPaused(found) === state.paused ? found.state.paused : state.paused;
    return { spec, policies, action, state: { ...found.state, paused } };
  });
}

async function deleteIfThere(client: Client, id: string): Promise<void> {
  if ((await findSchedule(client, id)) !== undefined) await deleteSchedule(client, id);
}
