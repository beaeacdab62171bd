import { basename, resolve } from 'node:path';
import { parseTableName } from '../../catalogs/index.js';
import {
  explainFeatures,
  type SaveTrainingSetRequest,
  saveFeatures,
  saveTrainingSet,
  startTrainingSet,
  type TrainingSetProgress,
  type TrinoProgress,
  withHistoricalFeatures,
} from '../../client/index.js';
import { writeRows } from '../../engine/index.js';
import { countedText, countText, MoraineError } from '../../errors/index.js';
import type { DatasetRecord, SaveRequest } from '../../features/index.js';
import { unlessAborted } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import type { EngineType } from '../../reduction/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { type AsOfOptions, chosenStates } from '../options/as-of-option.js';
import { type EntitiesOptions, entitiesInput } from '../options/entities-option.js';
import { featureSelection } from '../options/feature-selection.js';
import { explanationText } from '../output/feature-explanation.js';
import { noteSummary, snapshotIds } from '../output/feature-summary.js';
import { printable } from '../output/output.js';
import { queryText } from '../output/query-text.js';
import { type RowOutputOptions, rowFormat, withRowOutput } from '../output/row-output.js';
import { datasetJson } from './features-datasets.js';

interface FeaturesHistoricalOptions extends RowOutputOptions, EntitiesOptions, AsOfOptions {
  readonly features: string;
  readonly fullNames?: boolean;
  readonly knownAsOf?: boolean;
  readonly json?: boolean;
  readonly explain?: boolean;
  readonly saveAs?: string;
  readonly dataset?: string;
  readonly pin?: boolean;
  readonly shards?: number;
  readonly wait?: boolean;
  readonly engine?: EngineType;
}

/** Prints the entity rows with the features that were valid at their times. */
export async function featuresHistorical(
  context: CommandContext,
  _operands: readonly string[],
  options: FeaturesHistoricalOptions,
): Promise<void> {
  const save = saveRequest(options);
  const shards = shardCount(options);
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
        ...(options.engine === undefined ? {} : { engine: options.engine }),
        ...(states.sources === undefined ? {} : { asOf: states.sources }),
        onQuery: (query: TrinoProgress) => context.progress.update(queryText(query)),
        signal: context.signal,
      };
      if (options.explain === true) {
        const explanation = await explainFeatures(project, request);
        if (options.json === true)
          return printJson(context, { ...explanation, storageTraffic: context.storageTraffic() });
        return context.stdout.write(explanationText(explanation));
      }
      if (save !== undefined) {
        const saving = { ...request, saveAs: save };
        if (shards !== undefined) return saveInShards(context, project, { ...saving, shards }, options);
        const record = await saveFeatures(project, saving);
        context.progress.clear();
        return printSaved(context, record, options);
      }
      return withHistoricalFeatures(project, request, async (answer) => {
        const { connection, select, schema, rowCount, sources, entitySources, joins } = answer;
        context.progress.clear();
        await withRowOutput(context, options, async (output) => {
          await writeRows(connection, select, schema, format, output);
        });
        const views = new Map([...joins].map(([alias, { method, read }]) => [alias, { method, ...read }]));
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

function printSaved(
  context: CommandContext,
  record: DatasetRecord,
  { json }: FeaturesHistoricalOptions,
): Promise<void> {
  if (json === true) return printJson(context, datasetJson(record));
  return context.stdout.write(
    `Saved dataset ${record.name}: ${countedText(record.rows, 'row')}, digest ${record.digest}.\n`,
  );
}

/** Runs the workflow `trainingSet`, or with `--no-wait` starts it on the configured server. */
async function saveInShards(
  context: CommandContext,
  project: Project,
  request: SaveTrainingSetRequest,
  options: FeaturesHistoricalOptions,
): Promise<void> {
  if (options.wait === false) {
    const run = await unlessAborted(startTrainingSet(project, request), context.signal);
    if (options.json === true) return printJson(context, run);
    return context.stdout.write(`Started ${printable(run.workflowId)}.\n`);
  }
  const { name } = request.saveAs;
  const record = await saveTrainingSet(project, request, {
    announce: context.note,
    onProgress: (progress) => context.progress.update(progressText(name, progress)),
  });
  context.progress.clear();
  return printSaved(context, record, options);
}

function progressText(name: string, progress: TrainingSetProgress): string {
  const { step, partsTotal = 0, partsDone = 0, shardsTotal, shardsDone, rowsWritten } = progress;
  const parts = partsTotal > 0 ? `, ${partsDone} of ${partsTotal} parts` : '';
  const shards = shardsTotal > 0 ? `, ${shardsDone} of ${shardsTotal} shards` : '';
  return `${name}: ${step}${parts}${shards}, ${countText(rowsWritten)} rows written`;
}

/** `--shards` and `--no-wait`. */
function shardCount({ shards, saveAs, wait }: FeaturesHistoricalOptions): number | undefined {
  if (shards === undefined) {
    if (wait === false) throw new MoraineError('INVALID_ARGUMENT', '--no-wait goes with --shards');
    return undefined;
  }
  if (saveAs === undefined) throw new MoraineError('INVALID_ARGUMENT', '--shards goes with --save-as');
  return shards;
}

/** `--save-as`, `--dataset` and `--pin`. */
function saveRequest(options: FeaturesHistoricalOptions): SaveRequest | undefined {
  const { saveAs, dataset, pin, out, format } = options;
  if (saveAs === undefined) {
    if (dataset === undefined && pin === undefined) return undefined;
    throw new MoraineError('INVALID_ARGUMENT', '--dataset and --pin go with --save-as');
  }
  if (out !== undefined || format !== undefined) {
    throw new MoraineError('INVALID_ARGUMENT', '--save-as goes without --out and --format: rows are written once');
  }
  const isFile = /\.parquet$/i.test(saveAs);
  const to = isFile ? { file: resolve(saveAs) } : { table: saveAs };
  const name =
    dataset ?? (isFile ? basename(saveAs).slice(0, -'.parquet'.length) : parseTableName(saveAs).identifier.name);
  return { name, to, pin: pin === true };
}
