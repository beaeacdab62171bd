import type { Project } from '../../project/index.js';
import { resolveTemporalSettings } from '../../workers/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';

interface JsonOption {
  readonly json?: boolean;
}

/** Prints the project's identity; one without a registry has none yet. */
export function projectShow(context: CommandContext, _operands: readonly string[], options: JsonOption): Promise<void> {
  return withProject(context, async (project) => print(context, project, await project.knownIdentity(), options));
}

/** Gives the project a new identity. */
export function projectNewId(
  context: CommandContext,
  _operands: readonly string[],
  options: JsonOption,
): Promise<void> {
  return withProject(context, async (project) => {
    const registry = await project.registry();
    await print(context, project, await registry.renewProjectId(), options);
  });
}

async function print(
  context: CommandContext,
  { config }: Project,
  id: string | null,
  { json }: JsonOption,
): Promise<void> {
  const { taskQueue, namespace } = resolveTemporalSettings(config.temporal);
  if (json === true) await printJson(context, { project: id, namespace, taskQueue });
  else {
    const text = id ?? 'none yet: it comes with the first apply, run or worker';
    await context.stdout.write(`project     ${text}\nnamespace   ${namespace}\ntask queue  ${taskQueue}\n`);
  }
}
