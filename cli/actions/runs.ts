import { listRuns, RUN_STATUSES } from '../../runs/index.js';
import { resolveTemporalSettings } from '../../workers/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { formatColumns } from '../output/output.js';
import { durationText } from '../output/quantities.js';
import { withTemporal } from '../temporal-connection.js';

interface RunsOptions {
  readonly view?: string;
  readonly table?: string;
  readonly status?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** Lists runs, newest first. */
export async function runs(context: CommandContext, _operands: readonly string[], options: RunsOptions): Promise<void> {
  const { view, table, limit } = options;
  const status = RUN_STATUSES.find((name) => name.toLowerCase() === options.status?.replaceAll('-', ''));
  const found = await withProject(context, async (project) => {
    const { taskQueue } = resolveTemporalSettings(project.config.temporal);
    const filter = {
      taskQueue,
      project: await project.knownIdentity(),
      limit,
      ...(view === undefined ? {} : { view }),
      ...(table === undefined ? {} : { table }),
      ...(status === undefined ? {} : { status }),
    };
    return withTemporal(context, project, ({ client }) => listRuns(client, filter));
  });
  if (options.json === true) {
    for (const run of found) await printJson(context, run);
  } else if (found.length === 0) await context.stdout.write('There is no such run.\n');
  else {
    const rows = found.map((run) => [
      run.status.toLowerCase(),
      run.workflow,
      run.startedAt.replace(/\.\d+Z$/, 'Z'),
      durationText(run.elapsedMs),
      run.step ?? '-',
      run.workflowId,
    ]);
    await context.stdout.write(
      formatColumns(['STATUS', 'WORKFLOW', 'STARTED', { number: 'TOOK' }, 'STEP', 'ID'], rows),
    );
  }
}
