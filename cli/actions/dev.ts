import { withLocalRun } from '../../workers/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';

/** Runs a Temporal server (unless one is configured) and a worker until Ctrl-C. */
export async function dev(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  await withProject(context, async (project) => {
    await withLocalRun(
      project,
      async ({ settings, server }) => {
        const { address, namespace, taskQueue } = settings;
        const ui = server?.uiAddress ?? null;
        if (options.json === true) await printJson(context, { address, namespace, taskQueue, ui });
        else {
          await context.stdout.write(
            `Temporal server  ${address} (namespace ${namespace})\n` +
              (ui === null ? '' : `Web UI           ${ui}\n`) +
              `Worker           polls task queue ${taskQueue}\n` +
              'Ctrl-C ends them.\n',
          );
        }
        await untilAborted(context.signal);
      },
      { announce: context.note, warn: context.note, signal: context.signal },
    );
  });
}

/** Resolves when the signal is aborted: that is how a server is meant to end. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
