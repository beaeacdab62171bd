import { resolve } from 'node:path';
import { MoraineError } from '../../errors/index.js';
import { requireFeastProjectName } from '../../feast/index.js';
import { startService } from '../../service/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { packageVersion } from '../package-version.js';
import { untilAborted } from './dev.js';

const MAX_PORT = 65_535;

interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly feastRegistry?: string;
  readonly feastProject: string;
  readonly json?: boolean;
}

/** Serves online features over HTTP until Ctrl-C; requests that have begun are finished first. */
export async function serve(
  context: CommandContext,
  _operands: readonly string[],
  options: ServeOptions,
): Promise<void> {
  const port = options.port === undefined ? undefined : parsePort(options.port);
  if (options.feastRegistry !== undefined) requireFeastProjectName(options.feastProject);
  await withProject(context, async (project) => {
    const { host, feastRegistry, feastProject } = options;
    const service = await startService({
      ...{ project, host, port, version: packageVersion() },
      ...(feastRegistry === undefined ? {} : { feastRegistry: { path: resolve(feastRegistry), feastProject } }),
    });
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
