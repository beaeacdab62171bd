import { createProjectSchedule, type ScheduleRequest } from '../../client/index.js';
import { MoraineError } from '../../errors/index.js';
import { type CommandContext, printJson, serverOptions, withProject } from '../context.js';
import { printable } from '../output/output.js';
import { timingText } from './schedule-show.js';

type ScheduleCreateOptions = Omit<ScheduleRequest, 'view' | 'input'> & {
  readonly input?: string;
  readonly json?: boolean;
};

/** Makes a schedule, once everything about it has been checked. */
export async function scheduleCreate(
  context: CommandContext,
  operands: readonly string[],
  options: ScheduleCreateOptions,
): Promise<void> {
  const { input, json, ...rest } = options;
  const [view] = operands;
  const request: ScheduleRequest = {
    ...rest,
    ...(view === undefined ? {} : { view }),
    ...(input === undefined ? {} : { input: parseInput(input) }),
  };
  const made = await withProject(context, (project) => createProjectSchedule(project, request, serverOptions(context)));
  if (json === true) await printJson(context, made);
  else await context.stdout.write(`Made schedule ${printable(made.id)}: ${made.workflow} ${timingText(made)}.\n`);
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MoraineError('INVALID_ARGUMENT', `--input is no JSON: ${(error as Error).message}`, { cause: error });
  }
}
