/** Training sets whose entity rows are retrieved in shards, by the workflow `trainingSet`. */
import { MoraineError } from '../errors/index.js';
import { checkSaveRequest, type DatasetRecord, type FeatureReference, featureReference } from '../features/index.js';
import { datasetDeps, type Project } from '../project/index.js';
import {
  checkTrainingSet,
  deleteStagedEntities,
  type EntityReference,
  parseTrainingSetRequest,
  stageEntities,
  type TrainingSetRequest,
  trainingSetRequestToJson,
} from '../training/index.js';
import type { TrainingSetInput, TrainingSetProgress } from '../workers/index.js';
import type { SaveDatasetRequest } from './datasets.js';
import { type Entities, entitySource } from './entities.js';
import type { HistoricalFeaturesRequest } from './historical-features.js';
import {
  type ConnectedServer,
  onTemporal,
  type RunOptions,
  type StartedRun,
  startRunOf,
  workers,
} from './temporal-run.js';

/** A retrieval to save as a table. Its entity rows are anything but a window. */
export interface SaveTrainingSetRequest extends SaveDatasetRequest {
  /** Activities that share the entity rows, 1 to 1000; unless given, the engine's memory decides (ten million rows each with 4 GiB), or `worker.shards`. */
  readonly shards?: number;
}

/** The request has the signal. */
export type TrainingSetOptions = Omit<RunOptions<TrainingSetProgress>, 'signal'>;

/**
 * Retrieves features and saves them as a dataset, its entity rows in shards of a workflow: for what is larger than one process should
 * work on at a time. The rows are those of `saveDataset`, and so is the digest. It runs on the configured Temporal server and its workers;
 * with none configured, on an own server and worker that end with it. The request's signal stops the waiting for a configured server;
 * without one it cancels the training set.
 *
 * @throws `INVALID_ARGUMENT` for a window or a file; as `saveDataset`; `TASK_QUEUE_UNPOLLED`, `TEMPORAL_UNAVAILABLE`, `CANCELLED`
 */
export async function saveTrainingSet(
  project: Project,
  request: SaveTrainingSetRequest,
  options: TrainingSetOptions = {},
): Promise<DatasetRecord> {
  const { signal } = request;
  const runs = await workers();
  const input = await trainingSetInput(project, request);
  const waiting = { ...options, ...(signal === undefined ? {} : { signal }) };
  const wait = async (server: ConnectedServer): Promise<void> => {
    const run = await runs.startTrainingSet(server, server.settings, input);
    await runs.waitForTrainingSet(server.client, run, { ...waiting, cancels: server.cancels });
  };
  await onTemporal(project, wait, waiting);
  return (await (await datasetDeps(project)).datasets.get(request.saveAs.name)).record;
}

/**
 * Starts the workflow and does not wait for it. This needs a configured Temporal server, or `moraine dev`.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link saveTrainingSet}
 */
export async function startTrainingSet(project: Project, request: SaveTrainingSetRequest): Promise<StartedRun> {
  const { startTrainingSet: start } = await workers();
  return startRunOf(project, 'a training set', async (server) =>
    start(server, server.settings, await trainingSetInput(project, request)),
  );
}

/** The workflow's input. Mistakes are found here, before any server is started for them; rows of the client's own are staged. */
async function trainingSetInput(project: Project, request: SaveTrainingSetRequest): Promise<TrainingSetInput> {
  const { saveAs, entities, signal } = request;
  const { to } = saveAs;
  if ('file' in to) throw invalid('a training set in shards is saved as a table, not as a file');
  if ('window' in entities) throw invalid('a window has no entity rows that could be split into shards');
  const deps = await datasetDeps(project);
  await checkSaveRequest(deps, saveAs);
  const reference = tableReference(entities);
  // Whatever the rows, the rest is checked first.
  const checked = parsed(request, to.table, reference ?? { table: to.table });
  const options = signal === undefined ? {} : { signal };
  if (reference !== undefined) {
    await checkTrainingSet(deps, checked, options);
    return trainingSetRequestToJson(checked);
  }
  const source = await entitySource(project, entities);
  if ('window' in source) throw invalid('a window has no entity rows that could be split into shards');
  const staged = await stageEntities(deps, { ...retrievalOf(request), ...options, entities: source }, to.table);
  try {
    const complete = { ...checked, entities: { staged } };
    await checkTrainingSet(deps, complete, options);
    return trainingSetRequestToJson(complete);
  } catch (error) {
    await deleteStagedEntities(deps.io, staged).catch(() => undefined);
    throw error;
  }
}

/**
 * A training set whose entity rows are in a table, for a backfill.
 * @throws INVALID_ARGUMENT for other entity rows, and for a file to save to
 */
export function tableTrainingSet(request: SaveTrainingSetRequest): TrainingSetRequest {
  const { to } = request.saveAs;
  if ('file' in to) throw invalid('a backfill saves a training set as a table, not as a file');
  const reference = tableReference(request.entities);
  if (reference === undefined) throw invalid('a backfill reads the entity rows of a training set from a table');
  return parsed(request, to.table, reference);
}

function tableReference(entities: Entities): EntityReference | undefined {
  return 'table' in entities && typeof entities.table === 'string' ? entities : undefined;
}

function retrievalOf({ features, service, fullFeatureNames, knownAsOf, asOf }: HistoricalFeaturesRequest) {
  return {
    ...(features === undefined ? {} : { features }),
    ...(service === undefined ? {} : { service }),
    ...(fullFeatureNames === undefined ? {} : { fullFeatureNames }),
    ...(knownAsOf === undefined ? {} : { knownAsOf }),
    ...(asOf === undefined ? {} : { asOf }),
  };
}

/** The request as the workflow will read it. @throws INVALID_ARGUMENT */
function parsed(request: SaveTrainingSetRequest, to: string, entities: EntityReference): TrainingSetRequest {
  const { features, service, shards, saveAs } = request;
  const { asOf, engine, fullFeatureNames = false, knownAsOf = false } = request;
  const asked: TrainingSetRequest = {
    name: saveAs.name,
    to,
    entities,
    ...(features === undefined ? {} : { features: features.map(reference) }),
    ...(service === undefined ? {} : { service: typeof service === 'string' ? service : service.name }),
    ...(shards === undefined ? {} : { shards }),
    ...(asOf === undefined ? {} : { asOf }),
    ...(engine === undefined ? {} : { engine }),
    pin: saveAs.pin === true,
    fullFeatureNames,
    knownAsOf,
  };
  return parseTrainingSetRequest(trainingSetRequestToJson(asked));
}

function reference(feature: Parameters<typeof featureReference>[0]): FeatureReference {
  const found = featureReference(feature);
  if (found !== undefined) return found;
  throw invalid(`${JSON.stringify(feature)} is neither 'view' nor 'view:feature'`);
}

const invalid = (problem: string): MoraineError => new MoraineError('INVALID_ARGUMENT', problem);
