import { retryBackfill } from '../../client/index.js';
import type { Project } from '../../project/index.js';
import { ownRunId } from '../../runs/index.js';
import { changeBackfillConcurrency, controlBackfill, type TemporalClient } from '../../workers/index.js';
import { type CommandContext, withProject } from '../context.js';
import { printable } from '../output/output.js';
import { runPlace, withTemporal } from '../temporal-connection.js';

type Action = (context: CommandContext, operands: readonly string[]) => Promise<void>;

/** Controls of a backfill, by the command's name. */
export const backfillControls: Readonly<Record<'pause' | 'resume' | 'cancel' | 'retry', Action>> = {
  pause: (context, operands) => tell(context, operands, 'pause', 'Paused'),
  resume: (context, operands) => tell(context, operands, 'resume', 'Resumed'),
  cancel: (context, operands) => tell(context, operands, 'cancel', 'Cancelling'),
  retry: async (context, [id = '']) => {
    const isNew = await speak(context, id, (temporal, own, project) => retryBackfill(project, temporal, own));
    await context.stdout.write(
      `${isNew ? 'Started the failed windows of' : 'Retrying failed windows of'} ${printable(id)}.\n`,
    );
  },
};

export async function backfillConcurrency(
  context: CommandContext,
  [id = '', windows = '']: readonly string[],
): Promise<void> {
  await speak(context, id, ({ client }, own) => changeBackfillConcurrency(client, own, Number(windows)));
  await context.stdout.write(`${printable(id)} now works on ${windows} windows at a time.\n`);
}

async function tell(
  context: CommandContext,
  [id = '']: readonly string[],
  control: 'pause' | 'resume' | 'cancel',
  done: string,
): Promise<void> {
  const leavesWork = control === 'resume';
  await speak(context, id, ({ client }, own) => controlBackfill(client, own, control), { leavesWork });
  await context.stdout.write(`${done} ${printable(id)}.\n`);
}

/** @param work with the workflow id of the project's backfill */
function speak<T>(
  context: CommandContext,
  id: string,
  work: (temporal: TemporalClient, own: string, project: Project) => Promise<T>,
  options: { readonly leavesWork?: boolean } = {},
): Promise<T> {
  return withProject(context, (project) =>
    withTemporal(
      context,
      project,
      async (temporal) => work(temporal, await ownRunId(temporal.client, await runPlace(project), id), project),
      options,
    ),
  );
}
