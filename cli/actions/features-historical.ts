import { withHistoricalFeatures } from '../../client/index.js';
import { writeRows } from '../../engine/index.js';
import { type AsOfOptions, chosenStates } from '../as-of-option.js';
import { type CommandContext, withProject } from '../context.js';
import { type EntitiesOptions, entitiesInput } from '../entities-option.js';
import { featureSelection } from '../feature-selection.js';
import { noteSummary, snapshotIds } from '../feature-summary.js';
import { type RowOutputOptions, rowFormat, withRowOutput } from '../row-output.js';

interface FeaturesHistoricalOptions extends RowOutputOptions, EntitiesOptions, AsOfOptions {
  readonly features: string;
  readonly fullNames?: boolean;
  readonly knownAsOf?: boolean;
  readonly json?: boolean;
}

/** Prints the entity rows with the features that were valid at their times. */
export async function featuresHistorical(
  context: CommandContext,
  _operands: readonly string[],
  options: FeaturesHistoricalOptions,
): Promise<void> {
  const format = rowFormat(options);
  const states = chosenStates(options);
  const input = await entitiesInput(options, states.entitySources);
  await withProject(
    context,
    async (project) => {
      const request = {
        ...(await featureSelection(project, options.features)),
        entities: input.entities,
        fullFeatureNames: options.fullNames === true,
        knownAsOf: options.knownAsOf === true,
        ...(states.sources === undefined ? {} : { asOf: states.sources }),
        signal: context.signal,
      };
      await withHistoricalFeatures(project, request, async (answer) => {
        const { connection, select, schema, rowCount, sources, entitySources, joins } = answer;
        await withRowOutput(context, options, async (output) => {
          await writeRows(connection, select, schema, format, output);
        });
        const views = new Map([...joins].map(([alias, { table: _, ...joined }]) => [alias, joined]));
        const snapshots = snapshotIds(sources);
        noteSummary(context, options.json, {
          rows: rowCount,
          snapshots,
          entitySnapshots: snapshotIds(entitySources),
          views,
        });
      });
    },
    { fileFolders: input.folders },
  );
}
