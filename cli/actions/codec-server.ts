import { parseHostAndPort } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import { resolveTemporalSettings, serveCodec } from '../../workers/index.js';
import { type CommandContext, withProject } from '../context.js';
import { untilAborted } from './dev.js';

/** Serves Temporal's remote codec with the keys of this project until Ctrl-C. */
export async function codecServer(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly listen: string; readonly origins: string },
): Promise<void> {
  const address = parseHostAndPort(options.listen);
  if (address === undefined) {
    throw invalid(`--listen ${JSON.stringify(options.listen)} is not HOST:PORT, such as 127.0.0.1:8081`);
  }
  const origins = options.origins.split(',').map(parseOrigin);
  await withProject(context, async ({ config }) => {
    const { encryptionKeys: keys, namespace } = resolveTemporalSettings(config.temporal);
    if (keys === undefined) throw new MoraineError('CONFIG_INVALID', 'no encryption keys are configured');
    const server = await serveCodec(address, { keys, namespace, origins });
    try {
      context.note(`codec endpoint ${server.url} for the namespace ${namespace}; Ctrl-C ends it`);
      await untilAborted(context.signal);
    } finally {
      await server.close();
    }
  });
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin;
  throw invalid(`--origins ${JSON.stringify(text)} is not an origin of a web UI, such as http://localhost:8233`);
}

const invalid = (problem: string): MoraineError => new MoraineError('INVALID_ARGUMENT', problem);
