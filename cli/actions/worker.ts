import { MoraineError } from '../../errors/index.js';
import { resolveTemporalSettings, runWorker, withAddress } from '../../workers/index.js';
import { type CommandContext, withProject } from '../context.js';

/** Runs a worker on the configured Temporal server until Ctrl-C; what it has begun it finishes first. */
export async function worker(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly taskQueue?: string },
): Promise<void> {
  await withProject(context, async (project) => {
    const configured = resolveTemporalSettings(project.config.temporal);
    const { address } = configured;
    if (address === undefined) {
      throw new MoraineError(
        'TEMPORAL_UNAVAILABLE',
        'no Temporal server is configured; set temporal.address or TEMPORAL_ADDRESS, or run `moraine dev`, which brings its own',
      );
    }
    const settings = withAddress({ ...configured, taskQueue: options.taskQueue ?? configured.taskQueue }, address);
    await runWorker({
      settings,
      project,
      signal: context.signal,
      warn: context.note,
      onReady: () => context.note(`polling task queue ${settings.taskQueue} at ${address}; Ctrl-C ends the worker`),
    });
  });
}
