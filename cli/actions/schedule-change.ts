import { scheduleOwner } from '../../client/index.js';
import { parseTimeUs } from '../../config/index.js';
import type { ScheduleOverlap } from '../../features/index.js';
import {
  backfillSchedule,
  deleteSchedule,
  ownScheduleId,
  pauseSchedule,
  resumeSchedule,
  triggerSchedule,
} from '../../schedules/index.js';
import type { TemporalClient } from '../../workers/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';
import { countedText } from '../output/quantities.js';
import { withTemporal } from '../temporal-connection.js';

interface NoteOption {
  readonly note?: string;
}

interface BackfillOptions {
  readonly start: string;
  readonly end: string;
  readonly overlap: ScheduleOverlap;
  readonly json?: boolean;
}

export function schedulePause(context: CommandContext, operands: readonly string[], { note }: NoteOption) {
  return change(context, operands, 'Paused', (client, id) => pauseSchedule(client, id, note));
}

export function scheduleResume(context: CommandContext, operands: readonly string[], { note }: NoteOption) {
  return change(context, operands, 'Resumed', (client, id) => resumeSchedule(client, id, note), { leavesWork: true });
}

export function scheduleTrigger(context: CommandContext, operands: readonly string[]) {
  return change(context, operands, 'Triggered', triggerSchedule, { leavesWork: true });
}

export function scheduleDelete(context: CommandContext, operands: readonly string[]) {
  return change(context, operands, 'Deleted', deleteSchedule);
}

/** Runs intervals of the past. */
export async function scheduleBackfill(
  context: CommandContext,
  operands: readonly string[],
  { start, end, overlap, json }: BackfillOptions,
): Promise<void> {
  const id = operands[0] ?? '';
  const range = { startUs: parseTimeUs(start, '--start'), endUs: parseTimeUs(end, '--end'), overlap };
  const started = await withClient(context, id, (client, own) => backfillSchedule(client, own, range), {
    leavesWork: true,
  });
  if (json === true) await printJson(context, { id, ...started });
  else {
    const { intervals, first, last } = started;
    await context.stdout.write(
      `Started ${countedText(intervals, 'interval')} of ${printable(id)}, from that of ${first} to that of ${last}.\n`,
    );
  }
}

async function change(
  context: CommandContext,
  operands: readonly string[],
  done: string,
  action: (client: TemporalClient['client'], id: string) => Promise<void>,
  options: { readonly leavesWork?: boolean } = {},
): Promise<void> {
  const id = operands[0] ?? '';
  await withClient(context, id, action, options);
  await context.stdout.write(`${done} schedule ${printable(id)}.\n`);
}

/** @param work with the id of the project's schedule */
function withClient<T>(
  context: CommandContext,
  id: string,
  work: (client: TemporalClient['client'], own: string) => Promise<T>,
  options: { readonly leavesWork?: boolean },
): Promise<T> {
  return withProject(context, (project) =>
    withTemporal(
      context,
      project,
      async ({ client }) => work(client, await ownScheduleId(client, await scheduleOwner(project), id)),
      options,
    ),
  );
}
