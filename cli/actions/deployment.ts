import { onProjectServer } from '../../client/index.js';
import { MoraineError } from '../../errors/index.js';
import { setCurrentDeployment } from '../../workers/index.js';
import { type CommandContext, serverOptions, withProject } from '../context.js';
import { printable } from '../output/output.js';

/** Makes the configured version of the workers, or the one given, the one that takes new runs. */
export async function deploymentSetCurrent(context: CommandContext, operands: readonly string[]): Promise<void> {
  await withProject(context, async (project) => {
    const { deployment } = project.config.temporal;
    if (deployment === undefined) {
      const message = 'the workers have no version: set temporal.deployment.name and .buildId';
      throw new MoraineError('INVALID_ARGUMENT', message);
    }
    const version = { ...deployment, buildId: operands[0] ?? deployment.buildId };
    await onProjectServer(project, ({ client }) => setCurrentDeployment(client, version), serverOptions(context));
    await context.stdout.write(`${version.name}.${printable(version.buildId)} takes new runs.\n`);
  });
}
