import {
  backfillProjectSchedule,
  deleteProjectSchedule,
  pauseProjectSchedule,
  resumeProjectSchedule,
  type ScheduleBackfillRequest,
  triggerProjectSchedule,
} from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, serverOptions, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface NoteOption {
  readonly note?: string;
}

type BackfillOptions = ScheduleBackfillRequest & { readonly json?: boolean };

export function schedulePause(context: CommandContext, [id = '']: readonly string[], { note }: NoteOption) {
  const options = { ...serverOptions(context), ...(note === undefined ? {} : { note }) };
  return change(context, id, 'Paused', (project) => pauseProjectSchedule(project, id, options));
}

export function scheduleResume(context: CommandContext, [id = '']: readonly string[], { note }: NoteOption) {
  const options = { ...serverOptions(context), ...(note === undefined ? {} : { note }) };
  return change(context, id, 'Resumed', (project) => resumeProjectSchedule(project, id, options));
}

export function scheduleTrigger(context: CommandContext, [id = '']: readonly string[]) {
  return change(context, id, 'Triggered', (project) => triggerProjectSchedule(project, id, serverOptions(context)));
}

export function scheduleDelete(context: CommandContext, [id = '']: readonly string[]) {
  return change(context, id, 'Deleted', (project) => deleteProjectSchedule(project, id, serverOptions(context)));
}

/** Runs intervals of the past. */
export async function scheduleBackfill(
  context: CommandContext,
  [id = '']: readonly string[],
  { start, end, overlap, json }: BackfillOptions,
): Promise<void> {
  const range = { start, end, ...(overlap === undefined ? {} : { overlap }) };
  const started = await withProject(context, (project) =>
    backfillProjectSchedule(project, id, range, serverOptions(context)),
  );
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
  id: string,
  done: string,
  action: (project: Project) => Promise<void>,
): Promise<void> {
  await withProject(context, action);
  await context.stdout.write(`${done} schedule ${printable(id)}.\n`);
}
