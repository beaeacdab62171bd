import { withHistoricalFeatures } from '../../client/index.js';
import { writeRows } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { FeatureSelection } from '../../features/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, withProject } from '../context.js';
import { type EntitiesOptions, entitiesInput } from '../entities-option.js';
import { type RowOutputOptions, rowFormat, withRowOutput } from '../row-output.js';

interface FeaturesHistoricalOptions extends RowOutputOptions, EntitiesOptions {
  readonly features: string;
  readonly fullNames?: boolean;
  readonly knownAsOf?: boolean;
}

/** Prints the entity rows with the features that were valid at their times. */
export async function featuresHistorical(
  context: CommandContext,
  _operands: readonly string[],
  options: FeaturesHistoricalOptions,
): Promise<void> {
  const format = rowFormat(options);
  const input = await entitiesInput(options);
  await withProject(
    context,
    async (project) => {
      await withHistoricalFeatures(
        project,
        {
          ...(await featureSelection(project, options.features)),
          entities: input.entities,
          fullFeatureNames: options.fullNames === true,
          knownAsOf: options.knownAsOf === true,
          signal: context.signal,
        },
        ({ connection, select, schema }) =>
          withRowOutput(context, options, async (output) => {
            await writeRows(connection, select, schema, format, output);
          }),
      );
    },
    { fileFolders: input.folders },
  );
}

/** `view:feature,..`, or one name: of a service, or else of a view with all its features. */
async function featureSelection(project: Project, text: string): Promise<FeatureSelection> {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes(''))
    throw new MoraineError('INVALID_ARGUMENT', `--features ${JSON.stringify(text)}: a name is missing`);
  const [only = ''] = names;
  if (names.length > 1 || only.includes(':')) return { features: names };
  const registry = await project.registry();
  const { definitions } = await registry.read();
  return definitions.featureServices.has(only) ? { service: only } : { features: names };
}
