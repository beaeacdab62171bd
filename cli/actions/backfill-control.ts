import { changeProjectBackfillConcurrency, controlProjectBackfill, retryProjectBackfill } from '../../client/index.js';
import { type CommandContext, serverOptions, withProject } from '../context.js';
import { printable } from '../output/output.js';

type Action = (context: CommandContext, operands: readonly string[]) => Promise<void>;

/** Controls of a backfill, by the command's name. */
export const backfillControls: Readonly<Record<'pause' | 'resume' | 'cancel' | 'retry', Action>> = {
  pause: (context, operands) => control(context, operands, 'pause', 'Paused'),
  resume: (context, operands) => control(context, operands, 'resume', 'Resumed'),
  cancel: (context, operands) => control(context, operands, 'cancel', 'Cancelling'),
  retry: async (context, [id = '']) => {
    const { started } = await withProject(context, (project) =>
      retryProjectBackfill(project, id, serverOptions(context)),
    );
    await context.stdout.write(
      `${started ? 'Started the failed windows of' : 'Retrying failed windows of'} ${printable(id)}.\n`,
    );
  },
};

export async function backfillConcurrency(
  context: CommandContext,
  [id = '', windows = '']: readonly string[],
): Promise<void> {
  await withProject(context, (project) =>
    changeProjectBackfillConcurrency(project, id, Number(windows), serverOptions(context)),
  );
  await context.stdout.write(`${printable(id)} now works on ${windows} windows at a time.\n`);
}

async function control(
  context: CommandContext,
  [id = '']: readonly string[],
  name: 'pause' | 'resume' | 'cancel',
  done: string,
): Promise<void> {
  await withProject(context, (project) => controlProjectBackfill(project, id, name, serverOptions(context)));
  await context.stdout.write(`${done} ${printable(id)}.\n`);
}
