import { describeProjectSchedule, listProjectSchedules } from '../../client/index.js';
import type { ScheduleInfo } from '../../schedules/index.js';
import { type CommandContext, printJson, serverOptions, withProject } from '../context.js';
import { formatColumns, printable } from '../output/output.js';

interface JsonOption {
  readonly json?: boolean;
}

/** Lists the schedules of the project. */
export async function scheduleList(
  context: CommandContext,
  _operands: readonly string[],
  { json }: JsonOption,
): Promise<void> {
  const found = await withProject(context, (project) => listProjectSchedules(project, serverOptions(context)));
  if (json === true) {
    for (const schedule of found) await printJson(context, schedule);
    return;
  }
  if (found.length === 0) {
    await context.stdout.write('There is no schedule.\n');
    return;
  }
  const rows = found.map((schedule) => {
    const { id, workflow, paused, next, recent } = schedule;
    return [id, workflow, timingText(schedule), paused ? 'paused' : (next[0] ?? '-'), recent.at(-1)?.takenAt ?? '-'];
  });
  await context.stdout.write(formatColumns(['ID', 'WORKFLOW', 'TIMES', 'NEXT', 'LAST'], rows));
}

/** Shows one schedule. */
export async function scheduleDescribe(
  context: CommandContext,
  operands: readonly string[],
  { json }: JsonOption,
): Promise<void> {
  const schedule = await withProject(context, (project) =>
    describeProjectSchedule(project, operands[0] ?? '', serverOptions(context)),
  );
  if (json === true) await printJson(context, schedule);
  else await context.stdout.write(formatSchedule(schedule));
}

function formatSchedule(schedule: ScheduleInfo): string {
  const { workflow, input, paused, note, declaredOn, next, recent, running } = schedule;
  const lines: (readonly [string, string])[] = [
    ['schedule', schedule.id],
    ['workflow', `${workflow} ${JSON.stringify(input)}`],
    ['times', `${timingText(schedule)}, up to ${schedule.jitter} later`],
    ['during a run', schedule.overlap],
    ['catches up', schedule.catchUp],
    ['state', `${paused ? 'paused' : 'active'}${note === null ? '' : ` (${note})`}`],
    ['declared', declaredOn === null ? 'no' : `on view ${declaredOn}`],
    ['runs', `${schedule.taken} started, ${running.length} in flight`],
    ['left out', `${schedule.skipped} during a run, ${schedule.missed} too late, ${schedule.dropped} too many`],
    ...recent.slice(-5).map(({ workflowId }) => ['recent', workflowId] as const),
    ...(paused ? [] : next.map((time) => ['next', time] as const)),
  ];
  return lines.map(([name, value]) => `${name.padEnd(14)}${printable(value)}\n`).join('');
}

/** When a schedule fires, in words. */
export function timingText({ every, offset, cron, timeZone }: ScheduleInfo): string {
  if (every !== null) return `every ${every}${offset === null || offset === '0ms' ? '' : ` + ${offset}`}`;
  const zone = timeZone === null ? '' : ` (${timeZone})`;
  return cron === null ? `by a calendar${zone}` : `at ${cron}${zone}`;
}
