/** Bringing the schedules on a server to what the views of a registry declare. */
import type { Client, ScheduleDescription } from '@temporalio/client';
import { MoraineError } from '../errors/index.js';
import { type Definitions, type FieldChange, type ViewSchedule, viewScheduleToJson } from '../features/index.js';
import { createSchedule, deleteSchedule, findSchedule } from './manage.js';
import { declaredSchedule, viewScheduleId } from './schedule.js';
import { factsOfDescription, factsOfSchedule, notesOf, temporalOptions } from './temporal-schedule.js';

/** Where schedules live, and whose they are. */
export interface ScheduleHome {
  readonly client: Client;
  readonly taskQueue: string;
  /** Uuid of the registry's table; null before it exists. */
  readonly registry: string | null;
}

/** What happens to one schedule. */
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
 * @throws `SCHEDULE_ALREADY_EXISTS` if a declared one has the id of a schedule that this registry did not declare
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
    changes.push({ action: 'delete', id: viewScheduleId(view), view, fields: [] });
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
    else if (schedule !== undefined && action === 'change') await change(home, view, schedule);
  }
}

async function planOne(home: ScheduleHome, view: string, declared: ViewSchedule): Promise<ScheduleChange> {
  const schedule = declaredSchedule(view, declared);
  const wanted = factsOfSchedule(schedule, home.taskQueue);
  const found = await findSchedule(home.client, schedule.id);
  const { id } = schedule;
  if (found === undefined) return { action: 'create', id, view, fields: differences(new Map(), wanted) };
  assertOurs(home, found, view);
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

function assertOurs({ registry }: ScheduleHome, found: ScheduleDescription, view: string): void {
  const owner = notesOf(found).declaredBy;
  if (owner !== undefined && owner.registry === registry) return;
  throw new MoraineError(
    'SCHEDULE_ALREADY_EXISTS',
    `view '${view}' declares the schedule ${JSON.stringify(found.scheduleId)}, but there is one of that id which ` +
      `${owner === undefined ? 'was made by hand' : 'another registry declares'}: delete it with \`moraine schedule delete ${found.scheduleId}\`, or rename the view`,
    { details: { scheduleId: found.scheduleId } },
  );
}

/** Views without a schedule (any more) whose schedule, declared by this registry, is still there. */
async function undeclared(home: ScheduleHome, declared: Definitions, before: Definitions): Promise<readonly string[]> {
  const { client, registry } = home;
  if (registry === null) return [];
  const views = new Set<string>();
  for await (const { memo } of client.schedule.list()) {
    const owner = memo?.['declaredBy'] as { registry?: unknown; view?: unknown } | undefined;
    if (owner?.registry === registry && typeof owner.view === 'string') views.add(owner.view);
  }
  // The list may lag behind what an apply a moment ago has made.
  for (const { name, schedule } of before.featureViews.values()) if (schedule !== undefined) views.add(name);
  const gone: string[] = [];
  for (const view of [...views].sort()) {
    if (declared.featureViews.get(view)?.schedule !== undefined) continue;
    const found = await findSchedule(client, viewScheduleId(view));
    if (found !== undefined && notesOf(found).declaredBy?.registry === registry) gone.push(view);
  }
  return gone;
}

function notes({ registry }: ScheduleHome, view: string, schedule: ViewSchedule) {
  return { declaredBy: { registry: registry ?? '', view }, declared: viewScheduleToJson(schedule) };
}

async function create(home: ScheduleHome, view: string, schedule: ViewSchedule): Promise<void> {
  await createSchedule(home.client, home.taskQueue, declaredSchedule(view, schedule), notes(home, view, schedule));
}

async function change(home: ScheduleHome, view: string, declared: ViewSchedule): Promise<void> {
  const schedule = declaredSchedule(view, declared);
  const { spec, policies, action, state } = temporalOptions(schedule, home.taskQueue, notes(home, view, declared));
  await home.client.schedule.getHandle(schedule.id).update((found) => {
    const paused = declaredPaused(found) === state.paused ? found.state.paused : state.paused;
    return { spec, policies, action, state: { ...found.state, paused } };
  });
}

async function deleteIfThere(client: Client, id: string): Promise<void> {
  if ((await findSchedule(client, id)) !== undefined) await deleteSchedule(client, id);
}
