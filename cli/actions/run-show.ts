import { showProjectRun, waitForProjectRun } from '../../client/index.js';
import type { Project } from '../../project/index.js';
import type { Run } from '../../runs/index.js';
import { type CommandContext, printJson, serverOptions, withProject } from '../context.js';
import { formatRun, runLine, runState } from '../output/run-text.js';

interface RunShowOptions {
  readonly runId?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Shows a run once, or until it has ended. */
export async function runShow(
  context: CommandContext,
  operands: readonly string[],
  options: RunShowOptions,
): Promise<void> {
  const id = operands[0] ?? '';
  const { runId } = options;
  await withProject(context, async (project) => {
    if (options.watch === true) return watch(context, project, id, options);
    const run = await showProjectRun(project, id, {
      ...serverOptions(context),
      ...(runId === undefined ? {} : { runId }),
    });
    await print(context, run, options.json === true);
  });
}

function print(context: CommandContext, run: Run, json: boolean): Promise<void> {
  return json ? printJson(context, run) : context.stdout.write(formatRun(run));
}

/** @throws the run's own error if it failed, so that the command ends as the run did */
async function watch(
  context: CommandContext,
  project: Project,
  id: string,
  { runId, json = false }: RunShowOptions,
): Promise<void> {
  const screen = process.stdout.isTTY && !json ? new Screen(context) : undefined;
  let shown = '';
  const onProgress = async (run: Run): Promise<void> => {
    const hasEnded = run.outcome !== null && run.status !== 'CONTINUED_AS_NEW';
    const state = runState(run);
    if (screen !== undefined) await screen.draw(formatRun(run));
    else if (hasEnded) await print(context, run, json);
    else if (state !== shown) await (json ? printJson(context, run) : context.stdout.write(`${runLine(run)}\n`));
    shown = state;
  };
  await waitForProjectRun(project, id, {
    ...serverOptions(context),
    ...(runId === undefined ? {} : { runId }),
    onProgress,
  });
}

/** Draws text over what it has drawn before. */
class Screen {
  readonly #context: CommandContext;
  #lines = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async draw(text: string): Promise<void> {
    const width = process.stdout.columns;
    const cut = text.split('\n').map((line) => line.slice(0, Math.max(20, width - 1)));
    const up = this.#lines > 0 ? `\u001b[${this.#lines}A\u001b[0J` : '';
    this.#lines = cut.length - 1;
    await this.#context.stdout.write(up + cut.join('\n'));
  }
}
