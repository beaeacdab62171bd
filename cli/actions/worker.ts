import { type HostAndPort, parseHostAndPort } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import { resolveTemporalSettings, runWorker, WORKER_ROLES, type WorkerRole, withAddress } from '../../workers/index.js';
import { type CommandContext, withProject } from '../context.js';

/** Runs a worker on the configured Temporal server until Ctrl-C; what it has begun it finishes first. */
export async function worker(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly taskQueue?: string; readonly roles?: string; readonly health?: string },
): Promise<void> {
  const roles = options.roles === undefined ? undefined : parseRoles(options.roles);
  const asked = options.health === undefined ? undefined : parseHealth(options.health);
  await withProject(context, async (project) => {
    const configured = resolveTemporalSettings(project.config.temporal);
    const { address } = configured;
    if (address === undefined) {
      throw new MoraineError(
        'TEMPORAL_UNAVAILABLE',
        'no Temporal server is configured; a worker needs one that runs already',
        {
          remedy:
            'Set TEMPORAL_ADDRESS, or temporal.address in moraine.yaml; or run `moraine dev`, which brings its own.',
        },
      );
    }
    const settings = withAddress({ ...configured, taskQueue: options.taskQueue ?? configured.taskQueue }, address);
    const health = asked ?? project.config.worker.health;
    await runWorker({
      settings,
      project,
      signal: context.signal,
      warn: context.note,
      ...(roles === undefined ? {} : { roles }),
      ...(health === undefined ? {} : { health }),
      onHealth: (url) => context.note(`health ${url}/healthz, readiness ${url}/readyz, metrics ${url}/metrics`),
      onReady: () => context.note(`polling task queue ${settings.taskQueue} at ${address}; Ctrl-C ends the worker`),
    });
  });
}

/** Names separated by commas. */
function parseRoles(text: string): WorkerRole[] {
  return text.split(',').map((name) => {
    const role = WORKER_ROLES.find((known) => known === name.trim());
    if (role !== undefined) return role;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `--roles ${JSON.stringify(text)}: the roles are ${WORKER_ROLES.join(', ')}`,
    );
  });
}

function parseHealth(text: string): HostAndPort {
  const address = parseHostAndPort(text);
  if (address !== undefined) return address;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `--health ${JSON.stringify(text)} is not HOST:PORT, such as 127.0.0.1:9464`,
  );
}
