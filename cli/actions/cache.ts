import { countText, sizeText } from '../../errors/index.js';
import { isStoreLocation } from '../../locations/index.js';
import type { Project } from '../../project/index.js';
import { DiskCache } from '../../storage/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';

interface JsonOption {
  readonly json?: boolean;
}

/** Shows how much of an object store is kept on this machine. */
export function cacheShow(context: CommandContext, _operands: readonly string[], options: JsonOption): Promise<void> {
  return withProject(context, (project) => print(context, project, options));
}

/** Removes it. */
export function cacheClear(context: CommandContext, _operands: readonly string[], options: JsonOption): Promise<void> {
  return withProject(context, async (project) => {
    await keptFiles(project)?.clear();
    await print(context, project, options);
  });
}

/** Null for a project whose tables are all on this machine. */
function keptFiles({ config: { storage } }: Project): DiskCache | null {
  const { directory, maxBytes } = storage.cache;
  return storage.roots.some(isStoreLocation) ? new DiskCache({ folder: directory, maxBytes }) : null;
}

async function print(context: CommandContext, project: Project, { json }: JsonOption): Promise<void> {
  const { directory, maxBytes } = project.config.storage.cache;
  const content = (await keptFiles(project)?.content()) ?? null;
  if (json === true)
    return printJson(context, { directory, maxBytes, files: content?.files ?? 0, bytes: content?.bytes ?? 0 });
  if (content === null) {
    await context.stdout.write('Nothing is kept: the tables of this project are files of this machine.\n');
    return;
  }
  const used = `${countText(content.files)} files, ${sizeText(content.bytes)} of at most ${sizeText(maxBytes)}`;
  await context.stdout.write(`folder   ${directory}\ncontent  ${used}\n`);
}
