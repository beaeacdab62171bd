/** Saved datasets: training sets that can be computed again. */
import {
  checkSaveRequest,
  type DatasetRecord,
  type ReplayResult,
  replayDataset,
  type SavedDataset,
  type SaveRequest,
  saveDataset,
} from '../features/index.js';
import { datasetDeps, type Project } from '../project/index.js';
import { type HistoricalFeaturesRequest, withHistoricalFeatures } from './historical-features.js';

/** A retrieval to save. */
export interface SaveDatasetRequest extends HistoricalFeaturesRequest {
  readonly saveAs: SaveRequest;
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
  const deps = await datasetDeps(project);
  await checkSaveRequest(deps, saveAs);
  return withHistoricalFeatures(project, request, (answer) => saveDataset(deps, saveAs, answer));
}

/** Every saved dataset, by name. */
export async function listDatasets(project: Project): Promise<readonly SavedDataset[]> {
  return (await datasetDeps(project)).datasets.list();
}

/**
 * Compares the rows that a dataset's table or file holds now, and those computed again from the snapshots that it was made from,
 * with what was saved.
 * @throws `DATASET_NOT_FOUND`; `SNAPSHOT_EXPIRED` if a snapshot of a source has gone; `TABLE_NOT_FOUND`, `FILE_NOT_FOUND` if the
 *   entity rows have gone with the dataset's table or file
 */
export async function replay(
  project: Project,
  name: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReplayResult> {
  const deps = await datasetDeps(project);
  const { record } = await deps.datasets.get(name);
  return replayDataset(deps, record, options);
}
