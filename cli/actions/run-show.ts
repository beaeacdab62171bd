import { setTimeout as sleep } from 'node:timers/promises';
import { ERROR_TABLE, type ErrorCode, MoraineError } from '../../errors/index.js';
import { ownRunId, type Run, showRun } from '../../runs/index.js';
import type { TemporalClient } from '../../workers/index.js';
import { type CommandContext, printJson, throwIfCancelled, withProject } from '../context.js';
import { formatRun, runLine, runState } from '../output/run-text.js';
import { runPlace, withTemporal } from '../temporal-connection.js';

interface RunShowOptions {
  readonly runId?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const WATCH_MS = 1000;

/** Shows a run once, or until it has ended. */
export async function runShow(
  context: CommandContext,
  operands: readonly string[],
  options: RunShowOptions,
): Promise<void> {
  await withProject(context, (project) =>
    withTemporal(context, project, async ({ client }) => {
      const id = await ownRunId(client, await runPlace(project), operands[0] ?? '');
      if (options.watch === true) await watch(context, client, id, options);
      else await print(context, await showRun(client, id, options.runId), options.json === true);
    }),
  );
}

function print(context: CommandContext, run: Run, json: boolean): Promise<void> {
  return json ? printJson(context, run) : context.stdout.write(formatRun(run));
}

/** @throws the run's own error if it failed, so that the command ends as the run did */
async function watch(
  context: CommandContext,
  client: TemporalClient['client'],
  id: string,
  { runId, json = false }: RunShowOptions,
): Promise<void> {
  const screen = process.stdout.isTTY && !json ? new Screen(context) : undefined;
  let shown = '';
  for (;;) {
    const run = await showRun(client, id, runId);
    if (run.outcome !== null && run.status !== 'CONTINUED_AS_NEW') {
      if (screen !== undefined) await screen.draw(formatRun(run));
      else await print(context, run, json);
      if (run.outcome.status === 'failed') throw asError(run.outcome);
      return;
    }
    const state = runState(run);
    if (screen !== undefined) await screen.draw(formatRun(run));
    else if (state !== shown) await (json ? printJson(context, run) : context.stdout.write(`${runLine(run)}\n`));
    shown = state;
    await sleep(WATCH_MS, undefined, { signal: context.signal }).catch(() => undefined);
    throwIfCancelled(context);
  }
}

function asError({ code, message }: { readonly code: string; readonly message: string }): MoraineError {
  return new MoraineError(Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'RUN_FAILED', message);
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
