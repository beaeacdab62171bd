import { MoraineError } from '../../errors/index.js';
import { startService } from '../../service/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { packageVersion } from '../package-version.js';
import { untilAborted } from './dev.js';

const MAX_PORT = 65_535;

/** Serves online features over HTTP until Ctrl-C; requests that have begun are finished first. */
export async function serve(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly host?: string; readonly port?: string; readonly json?: boolean },
): Promise<void> {
  const port = options.port === undefined ? undefined : parsePort(options.port);
  await withProject(context, async (project) => {
    const service = await startService({ project, host: options.host, port, version: packageVersion() });
    try {
      if (options.json === true) await printJson(context, { url: service.url });
      else await context.stdout.write(`Online features are served at ${service.url}; Ctrl-C ends the service.\n`);
      await untilAborted(context.signal);
    } finally {
      await service.close();
    }
  });
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= MAX_PORT) return port;
  throw new MoraineError('INVALID_ARGUMENT', `--port ${JSON.stringify(text)} is not a port from 0 to ${MAX_PORT}.`);
}
