import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { countText, sizeText } from '../output/quantities.js';

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
    await project.io.diskCache?.clear();
    await print(context, project, options);
  });
}

async function print(context: CommandContext, { config, io }: Project, { json }: JsonOption): Promise<void> {
  const { directory, maxBytes } = config.storage.cache;
  const content = (await io.diskCache?.content()) ?? null;
  if (json === true)
    return printJson(context, { directory, maxBytes, files: content?.files ?? 0, bytes: content?.bytes ?? 0 });
  if (content === null) {
    await context.stdout.write('Nothing is kept: the tables of this project are files of this machine.\n');
    return;
  }
  const used = `${countText(content.files)} files, ${sizeText(content.bytes)} of at most ${sizeText(maxBytes)}`;
  await context.stdout.write(`folder   ${directory}\ncontent  ${used}\n`);
}
