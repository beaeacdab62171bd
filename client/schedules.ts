/** Schedules, checked against the project before anything is made. */
import { didYouMean, MoraineError } from '../errors/index.js';
import {
  findFeatureView,
  parseDurationMs,
  SCHEDULE_OVERLAPS,
  type ScheduledRuns,
  type ScheduleOverlap,
} from '../features/index.js';
import type { Project } from '../project/index.js';
import type { NewSchedule, ScheduleTiming } from '../schedules/index.js';
import { workers } from './temporal-run.js';

/** Temporal is large and slow to load: only what needs it waits for it. */
export const loadSchedules = () => import('../schedules/index.js');

/** Workflows that do the same work again and again, and what each input names. */
const SCHEDULED_WORKFLOWS = {
  materialize: 'view',
  compact: 'table',
  maintain: 'table',
  maintainTables: 'policy',
} as const;

/** The nominal time of a run, for checks of what does not depend on it. */
const ANY_TICK = '1970-01-01T00:00:00.000Z';

/** A schedule as a person asks for it; durations are text such as `1h`. */
export interface ScheduleRequest {
  /** Unless given, it is named by its workflow and what that works on: `materialize/<view>`, `compact/<table>`. */
  readonly id?: string;
  /** A feature view to materialize; instead of a workflow and its input. */
  readonly view?: string;
  /** With a view: what its runs take; what is new unless said otherwise. */
  readonly runs?: ScheduledRuns;
  /** `materialize`, `compact`, `maintain` or `maintainTables`. */
  readonly workflow?: string;
  /** JSON object that the workflow takes. */
  readonly input?: unknown;
  /** Time between two runs, counted from 1970 in UTC. */
  readonly every?: string;
  readonly offset?: string;
  /** Instead of `every`. */
  readonly cron?: string;
  /** Time zone of the cron; default: UTC. */
  readonly timeZone?: string;
  /** The overlap policy: how a tick is treated during an earlier run. */
  readonly overlap?: ScheduleOverlap;
  readonly catchUp?: string;
  readonly jitter?: string;
  readonly paused?: boolean;
  readonly note?: string;
}

/**
 * The schedule that a request asks for.
 *
 * @throws `INVALID_ARGUMENT`, `FEATURE_VIEW_NOT_FOUND`, `TABLE_NOT_FOUND`
 */
export async function checkedSchedule(project: Project, request: ScheduleRequest): Promise<NewSchedule> {
  const { checkSchedule } = await loadSchedules();
  const timing = timingOf(request);
  const { workflow, input, subject } = await workOf(project, request, timing);
  const { paused, note } = request;
  const [overlap, catchUpMs, jitterMs] = [
    overlapOf(request.overlap),
    durationOf('"catchUp"', request.catchUp),
    durationOf('"jitter"', request.jitter),
  ];
  const schedule: NewSchedule = {
    id: request.id ?? `${workflow}/${subject}`,
    workflow,
    input,
    timing,
    ...(overlap === undefined ? {} : { overlap }),
    ...(catchUpMs === undefined ? {} : { catchUpMs }),
    ...(jitterMs === undefined ? {} : { jitterMs }),
    ...(paused === undefined ? {} : { paused }),
    ...(note === undefined ? {} : { note }),
  };
  checkSchedule(schedule);
  return schedule;
}

function timingOf({ every, offset, cron, timeZone }: ScheduleRequest): ScheduleTiming {
  if ((every === undefined) === (cron === undefined)) throw invalid('give either "every" or "cron"');
  if (cron !== undefined) {
    if (offset !== undefined) throw invalid('"offset" belongs to "every"; a cron says itself when it fires');
    return { cron, ...(timeZone === undefined ? {} : { timeZone }) };
  }
  if (timeZone !== undefined) throw invalid('"timeZone" belongs to "cron"; the ticks of "every" are counted in UTC');
  return { everyMs: durationOf('"every"', every) ?? 0n, offsetMs: durationOf('"offset"', offset) ?? 0n };
}

interface ScheduledWork {
  readonly workflow: string;
  readonly input: NewSchedule['input'];
  readonly subject: string;
}

async function workOf(project: Project, request: ScheduleRequest, timing: ScheduleTiming): Promise<ScheduledWork> {
  const { materializeInput } = await loadSchedules();
  const { view, runs, workflow = 'materialize' } = request;
  if (view === undefined) return genericWork(project, workflow, request.input, timing);
  if (request.workflow !== undefined || request.input !== undefined) {
    throw invalid('give either a view, or "workflow" and "input"');
  }
  await assertOnlineView(project, view);
  if (runs !== 'window') return { workflow, input: materializeInput(view, null), subject: view };
  if ('cron' in timing) throw invalid('the times of a cron are not evenly spaced, so intervals need "every" instead');
  return { workflow, input: materializeInput(view, timing), subject: view };
}

async function genericWork(
  project: Project,
  workflow: string,
  input: unknown,
  timing: ScheduleTiming,
): Promise<ScheduledWork> {
  if (!Object.hasOwn(SCHEDULED_WORKFLOWS, workflow)) {
    const hint = didYouMean(workflow, Object.keys(SCHEDULED_WORKFLOWS));
    throw invalid(`'${workflow}' is not a workflow that can be scheduled. ${hint}`);
  }
  const key = SCHEDULED_WORKFLOWS[workflow as keyof typeof SCHEDULED_WORKFLOWS];
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw invalid(`"input" must be a JSON object, for example {"${key}": ".."}`);
  }
  const given = input as NewSchedule['input'];
  if (key === 'policy') return policyWork(project, workflow, given);
  const subject = given[key];
  if (typeof subject !== 'string') throw invalid(`the input of ${workflow} needs "${key}"`);
  const { checkCompactRequest, checkMaintainRequest, parseMaterializeRequest } = await workers();
  if (key === 'table') {
    await (workflow === 'compact' ? checkCompactRequest : checkMaintainRequest)(project, given);
    return { workflow, input: given, subject };
  }
  parseMaterializeRequest(given, ANY_TICK);
  await assertOnlineView(project, subject);
  if (given['start'] !== undefined || given['end'] !== undefined) {
    throw invalid('a schedule would run the same interval again and again: leave out "start" and "end"');
  }
  const aligned = given['every'] !== undefined && given['offset'] === undefined && !('cron' in timing);
  return { workflow, subject, input: aligned ? { ...given, offset: `${timing.offsetMs / 1000n}s` } : given };
}

/** Runs by the policy of the configuration; which tables they work on is found out each time. */
function policyWork({ config }: Project, workflow: string, input: NewSchedule['input']): ScheduledWork {
  if (input['policy'] !== true || Object.keys(input).length > 1) {
    throw invalid(`the input of ${workflow} is always {"policy": true}`);
  }
  if (config.maintenance.length === 0) throw invalid('moraine.yaml has no maintenance policy: add `maintenance` to it');
  return { workflow, input, subject: 'policy' };
}

async function assertOnlineView(project: Project, name: string): Promise<void> {
  const { definitions } = await (await project.registry()).read();
  if (!findFeatureView(definitions, name).online)
    throw invalid(`feature view '${name}' is not online: set online: true and apply it to materialize it`);
}

function overlapOf(text: string | undefined): ScheduleOverlap | undefined {
  if (text === undefined) return undefined;
  const found = SCHEDULE_OVERLAPS.find((name) => name === text);
  if (found === undefined) throw invalid(`"overlap" '${text}' must be one of ${SCHEDULE_OVERLAPS.join(', ')}`);
  return found;
}

function durationOf(option: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms === undefined) throw invalid(`${option} '${text}' is not a duration; write for example 90s, 15m, 6h or 1d`);
  return ms;
}

const invalid = (problem: string): MoraineError => new MoraineError('INVALID_ARGUMENT', problem);
