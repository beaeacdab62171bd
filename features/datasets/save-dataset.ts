/** Saving an answer as a dataset that can be computed again. */
import { randomUUID } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { digestRows, writeRows, writeWholeFile } from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { requireVersionTwoTypes } from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import type { Table } from '../../tables/index.js';
import type { HistoricalFeatures } from '../retrieval/historical-features.js';
import type { TableState } from '../views/pin-source.js';
import { type DatasetLocation, type DatasetRecord, recipeHash } from './dataset-record.js';
import type { DatasetRegistry } from './dataset-registry.js';
import {
  commitDatasetRows,
  committedRecord,
  type DatasetTarget,
  ensureDatasetTable,
  findDatasetTable,
  saveKey,
} from './dataset-table.js';
import { datasetTag, pinSnapshots, unpinSnapshots } from './pin-snapshots.js';
import { withMicroseconds } from './whole-microseconds.js';

/** How to save. */
export interface SaveRequest {
  /** Letters, digits, `_` and `-`; unique among datasets. */
  readonly name: string;
  /** A new Iceberg table, `[CATALOG/]NS.TABLE`, or the absolute path of a new Parquet file. */
  readonly to: { readonly table: string } | { readonly file: string };
  /** Tag the source snapshots `moraine-dataset-<name>`, so that maintenance keeps them. */
  readonly pin?: boolean;
}

/** Dependencies of saving. */
export interface SaveDeps {
  readonly io: FileIO;
  readonly datasets: DatasetRegistry;
  readonly loadSource: (name: string) => Promise<Table>;
  /** The catalog and identifier of a table's name. Neither the table nor its namespace need exist. */
  resolveTarget(name: string): Promise<DatasetTarget>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

/** The rule of {@link isDatasetName}, for messages. */
export const DATASET_NAME_RULE = 'a name begins with a letter or _, then letters, digits, _ or -, at most 128 in all';

/** Whether a dataset may be called so. */
export const isDatasetName = (name: string): boolean => NAME.test(name);

/** @throws INVALID_ARGUMENT, DATASET_ALREADY_EXISTS, FILE_ALREADY_EXISTS: what is wrong with a request before anything is computed */
export async function checkSaveRequest(deps: Pick<SaveDeps, 'datasets'>, request: SaveRequest): Promise<void> {
  if (!isDatasetName(request.name)) {
    throw new MoraineError('INVALID_ARGUMENT', `Dataset '${request.name}': ${DATASET_NAME_RULE}.`);
  }
  if ('file' in request.to) await refuseFile(request.to.file);
  await deps.datasets.refuseTaken(request.name);
}

async function refuseFile(file: string): Promise<void> {
  if (!isAbsolute(file) || !/\.parquet$/i.test(file)) {
    throw new MoraineError('INVALID_ARGUMENT', `${file} has to be an absolute path that ends in .parquet.`);
  }
  const missing = await access(file).then(
    () => false,
    () => true,
  );
  if (!missing) throw new MoraineError('FILE_ALREADY_EXISTS', `${file} exists already.`);
}

/**
 * Saves an answer: tags the snapshots if asked to, writes the rows, and adds the dataset's record, which makes it one. What was
 * made is taken back if the record certainly was not committed; rows in a table that are committed stay for the same save to be
 * repeated, which also finishes one that was killed.
 * @throws as {@link checkSaveRequest}; SCHEMA_INVALID (a table cannot have the type of a column), TABLE_ALREADY_EXISTS, SNAPSHOT_EXPIRED,
 *   UNSUPPORTED_FEATURE, COMMIT_STATE_UNKNOWN
 */
export async function saveDataset(
  deps: SaveDeps,
  request: SaveRequest,
  features: HistoricalFeatures,
): Promise<DatasetRecord> {
  const answer = 'table' in request.to ? await forTable(features) : features;
  const { connection, select, schema, recipe, sources, entitySources } = answer;
  const tag = request.pin === true ? datasetTag(request.name) : null;
  const undo: (() => Promise<unknown>)[] = [];
  if ('table' in request.to) requireVersionTwoTypes(schema);
  try {
    if (tag !== null) {
      undo.push(() => unpinUnrecorded(deps, request.name, sources));
      await pinSnapshots(deps.loadSource, sources, tag);
    }
    const { rows, digest } = await digestRows(connection, select, schema);
    const definitionHash = recipeHash(recipe);
    const described = { name: request.name, recipe, definitionHash, sources, entitySources, schema, rows, digest, tag };
    const record =
      'file' in request.to
        ? { ...described, location: await writeFile(request.to.file, answer, undo) }
        : await writeTable(deps, { ...described, location: { table: request.to.table, snapshotId: 0n } }, answer, undo);
    await deps.datasets.add(record);
    return record;
  } catch (error) {
    // An unknown outcome is left as it is: the dataset may exist.
    if (!isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) {
      for (const step of undo.reverse()) if ((await step().catch(() => undefined)) === 'kept') break;
    }
    throw error;
  }
}

/** Rows that a table can have are not refused for the unit of the entity rows' times. */
async function forTable(answer: HistoricalFeatures): Promise<HistoricalFeatures> {
  return { ...answer, ...(await withMicroseconds(answer.connection, answer, answer.recipe.frameColumns)) };
}

/** Removes the tags of a save that has failed, unless a dataset of that name has them meanwhile. */
export async function unpinUnrecorded(
  { datasets, loadSource }: Pick<SaveDeps, 'datasets' | 'loadSource'>,
  name: string,
  sources: ReadonlyMap<string, TableState>,
): Promise<void> {
  if ((await datasets.find(name)) === undefined) await unpinSnapshots(loadSource, sources, datasetTag(name));
}

/**
 * Takes the table of a save that has failed back. It is kept if its dataset is recorded, or its rows are committed while the name is
 * free: then an equal save, this one repeated or another in flight, records it.
 */
export async function dropUnrecorded(
  { datasets, io }: Pick<SaveDeps, 'datasets' | 'io'>,
  target: DatasetTarget,
  record: DatasetRecord,
  key: string,
): Promise<'dropped' | 'kept'> {
  const recorded = (await datasets.find(record.name))?.record;
  if (recorded !== undefined && sameTable(recorded, record)) return 'kept';
  const table = await findOwnTable(io, target, key);
  if (table === null) return 'dropped';
  if (recorded === undefined && committedRecord(table, key) !== null) return 'kept';
  await target.catalog.dropTable(target.identifier);
  return 'dropped';
}

async function findOwnTable(io: FileIO, target: DatasetTarget, key: string): Promise<Table | null> {
  try {
    return await findDatasetTable(io, target, key);
  } catch (error) {
    if (isMoraineError(error, 'TABLE_ALREADY_EXISTS')) return null;
    throw error;
  }
}

function sameTable({ location: a }: DatasetRecord, { location: b }: DatasetRecord): boolean {
  return 'table' in a && 'table' in b && a.table === b.table;
}

/** @param undo gets what takes the written rows back */
async function writeFile(
  file: string,
  { connection, select, schema }: HistoricalFeatures,
  undo: (() => Promise<unknown>)[],
): Promise<DatasetLocation> {
  await refuseFile(file);
  await writeWholeFile(file, (sink) => writeRows(connection, select, schema, 'parquet', sink));
  undo.push(() => rm(file));
  return { file };
}

/**
 * @param draft the record, but for the snapshot of its table
 * @param undo gets what takes the written rows back
 */
async function writeTable(
  deps: SaveDeps,
  draft: DatasetRecord & { readonly location: { readonly table: string } },
  { connection, select, schema }: HistoricalFeatures,
  undo: (() => Promise<unknown>)[],
): Promise<DatasetRecord> {
  const key = saveKey(draft);
  const target = await deps.resolveTarget(draft.location.table);
  const table = await ensureDatasetTable(deps.io, target, key, { schema });
  undo.push(() => dropUnrecorded(deps, target, draft, key));
  const committed = committedRecord(table, key);
  if (committed !== null) return committed;
  const files = await stageRows(connection, table, { select, namePrefix: randomUUID() });
  return await commitDatasetRows(table, key, { files }, (snapshotId) => ({
    ...draft,
    location: { ...draft.location, snapshotId },
  }));
}
