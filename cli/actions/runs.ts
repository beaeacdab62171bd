import { listProjectRuns } from '../../client/index.js';
import { durationText } from '../../errors/index.js';
import { RUN_STATUSES, type RunStatus } from '../../runs/index.js';
import { type CommandContext, printJson, serverOptions, withProject } from '../context.js';
import { formatColumns } from '../output/output.js';

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
  const status = statusOf(options.status);
  const request = {
    ...serverOptions(context),
    limit,
    ...(view === undefined ? {} : { view }),
    ...(table === undefined ? {} : { table }),
    ...(status === undefined ? {} : { status }),
  };
  const found = await withProject(context, (project) => listProjectRuns(project, request));
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

/** The status that an option such as `timed-out` names. */
function statusOf(option: string | undefined): RunStatus | undefined {
  const name = option?.replaceAll('-', '');
  const statuses = Object.entries(RUN_STATUSES) as [RunStatus, string][];
  return statuses.find(([, queried]) => queried.toLowerCase() === name)?.[0];
}
