/** Saved datasets: training sets that can be computed again. */
import { ensureNamespace, parseTableName } from '../catalogs/index.js';
import {
  checkSaveRequest,
  type DatasetRecord,
  DatasetRegistry,
  type ReplayResult,
  replayDataset,
  type SaveDeps,
  type SavedDataset,
  type SaveRequest,
  saveDataset,
} from '../features/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { type HistoricalFeaturesRequest, withHistoricalFeatures } from './historical-features.js';

/** A retrieval to save. */
export interface SaveDatasetRequest extends HistoricalFeaturesRequest {
  readonly saveAs: SaveRequest;
}

/** The table of datasets lies beside the registry of definitions. */
async function datasetRegistry(project: Project): Promise<DatasetRegistry> {
  const { namespace } = parseTableName(project.config.registry.table).identifier;
  return new DatasetRegistry({
    catalog: await project.catalog(),
    io: project.io,
    engine: await project.engine(),
    table: { namespace, name: 'datasets' },
  });
}

/**
 * Retrieves features and saves them as a dataset: an Iceberg table or a Parquet file, with the snapshots, definitions and digest that
 * compute it again, kept in the table `moraine.datasets`.
 * @throws `DATASET_ALREADY_EXISTS`, `TABLE_ALREADY_EXISTS`, `FILE_ALREADY_EXISTS`, and as retrieval
 */
export async function saveFeatures(
  project: Project,
  { saveAs, ...request }: SaveDatasetRequest,
): Promise<DatasetRecord> {
  const datasets = await datasetRegistry(project);
  await checkSaveRequest({ datasets }, saveAs);
  const deps: SaveDeps = {
    io: project.io,
    datasets,
    loadSource: (name) => project.loadTable(name),
    resolveTarget: async (name) => {
      const target = await project.resolveTable(name);
      await ensureNamespace(target.catalog, target.identifier.namespace);
      return target;
    },
  };
  return withHistoricalFeatures(project, request, (answer) => saveDataset(deps, saveAs, answer));
}

/** Every saved dataset, by name. */
export async function listDatasets(project: Project): Promise<readonly SavedDataset[]> {
  return (await datasetRegistry(project)).list();
}

/**
 * Computes a dataset again from the snapshots that it was made from and compares the digests.
 * @throws `DATASET_NOT_FOUND`; `SNAPSHOT_EXPIRED` if a snapshot has gone
 */
export async function replay(
  project: Project,
  name: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReplayResult> {
  const { record } = await (await datasetRegistry(project)).get(name);
  return replayDataset(await materializationDeps(project), record, options);
}
