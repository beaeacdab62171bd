import { resolve } from 'node:path';
import { resolveViews } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { exportRegistry, requireFeastProjectName, writeFeastRepository } from '../../feast/index.js';
import { makeFolders } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';

/** Writes a Feast repository that reads its features from `moraine serve`. */
export async function feastExport(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly project: string; readonly url?: string; readonly json?: boolean },
): Promise<void> {
  requireFeastProjectName(options.project);
  await withProject(context, async (project) => {
    const { definitions } = await (await project.registry()).read();
    const bound = await resolveViews(project, definitions);
    const exported = exportRegistry({ project: options.project, definitions, ...bound, changedMs: Date.now() });
    const { registry, counts, leftOut } = exported;
    const url = options.url ?? serviceUrl(project);
    const hasKeys = project.config.server.keyFile !== undefined;
    const folder = resolve(operands[0] ?? '.');
    await makeFolders(folder);
    const files = await writeFeastRepository(folder, { project: options.project, url, hasKeys, registry });
    for (const { kind, name, reason } of leftOut) context.note(`The ${kind} '${name}' is left out: ${reason}`);
    if (options.json === true) return printJson(context, { files, url, ...counts, leftOut });
    const what = `${countedText(counts.featureViews, 'feature view')} and ${countedText(counts.featureServices, 'service')}`;
    return context.stdout.write(`Wrote ${files.join(' and ')}: ${what}, read from ${url}.\n`);
  });
}

/** Where `moraine serve` listens by the configuration. */
function serviceUrl({ config: { server } }: Project): string {
  const everywhere = ['0.0.0.0', '::'].includes(server.host);
  const host = everywhere ? '127.0.0.1' : server.host;
  return `${server.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
}
