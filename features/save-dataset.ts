/** Saving an answer as a dataset that can be computed again. */
import { randomUUID } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { Catalog, TableIdentifier } from '../catalogs/index.js';
import { digestRows, writeParquet, writeRows, writeWholeFile } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { currentSchema, UNPARTITIONED } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { commitAppend, loadTable, type Table } from '../tables/index.js';
import {
  DATASET_PROPERTY,
  type DatasetLocation,
  type DatasetRecord,
  recipeHash,
  recordToJson,
} from './dataset-record.js';
import type { DatasetRegistry } from './dataset-registry.js';
import type { HistoricalFeatures } from './historical-features.js';
import { datasetTag, pinSnapshots, unpinSnapshots } from './pin-snapshots.js';

/** How to save. */
export interface SaveRequest {
  /** Letters, digits, `_` and `-`; unique among datasets. */
  readonly name: string;
  /** A new Iceberg table, `[CATALOG/]NS.TABLE`, or the absolute path of a new Parquet file. */
  readonly to: { readonly table: string } | { readonly file: string };
  /** Tag the source snapshots `moraine-dataset-<name>`, so that maintenance keeps them. */
  readonly pin?: boolean;
}

/** What saving needs of its surroundings. */
export interface SaveDeps {
  readonly io: FileIO;
  readonly datasets: DatasetRegistry;
  readonly loadSource: (name: string) => Promise<Table>;
  /** The catalog and identifier of a table's name; the namespace exists afterwards. */
  resolveTarget(name: string): Promise<{ readonly catalog: Catalog; readonly identifier: TableIdentifier }>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

/** @throws INVALID_ARGUMENT, DATASET_ALREADY_EXISTS, FILE_ALREADY_EXISTS: what is wrong with a request before anything is computed */
export async function checkSaveRequest(deps: Pick<SaveDeps, 'datasets'>, request: SaveRequest): Promise<void> {
  if (!NAME.test(request.name)) {
    const rule = 'a name begins with a letter or _, then letters, digits, _ or -, at most 128 in all';
    throw new MoraineError('INVALID_ARGUMENT', `Dataset '${request.name}': ${rule}.`);
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
 * made is taken back if the record certainly was not committed.
 * @throws as {@link checkSaveRequest}; TABLE_ALREADY_EXISTS, SNAPSHOT_EXPIRED, UNSUPPORTED_FEATURE, COMMIT_STATE_UNKNOWN
 */
export async function saveDataset(
  deps: SaveDeps,
  request: SaveRequest,
  answer: HistoricalFeatures,
): Promise<DatasetRecord> {
  const { connection, select, schema, recipe, sources, entitySources } = answer;
  const tag = request.pin === true ? datasetTag(request.name) : null;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    if (tag !== null) {
      undo.push(() => unpinSnapshots(deps.loadSource, sources, tag));
      await pinSnapshots(deps.loadSource, sources, tag);
    }
    const { rows, digest } = await digestRows(connection, select, schema);
    const definitionHash = recipeHash(recipe);
    const described = { name: request.name, recipe, definitionHash, sources, entitySources, schema, rows, digest, tag };
    const location = await writeDataset(deps, request, answer, (where) => ({ ...described, location: where }), undo);
    const record = { ...described, location };
    await deps.datasets.add(record);
    return record;
  } catch (error) {
    // An unknown outcome is left as it is: the dataset may exist.
    if (!isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) {
      for (const step of undo.reverse()) await step().catch(() => undefined);
    }
    throw error;
  }
}

/** @param undo gets what takes the written rows back */
async function writeDataset(
  deps: SaveDeps,
  request: SaveRequest,
  answer: HistoricalFeatures,
  record: (location: DatasetLocation) => DatasetRecord,
  undo: (() => Promise<unknown>)[],
): Promise<DatasetLocation> {
  const { connection, select, schema } = answer;
  if ('file' in request.to) {
    const { file } = request.to;
    await refuseFile(file);
    await writeWholeFile(file, (sink) => writeRows(connection, select, schema, 'parquet', sink));
    undo.push(() => rm(file));
    return { file };
  }
  const { table: name } = request.to;
  const { catalog, identifier } = await deps.resolveTarget(name);
  await catalog.createTable(identifier, { schema });
  undo.push(() => catalog.dropTable(identifier));
  const table = await loadTable(catalog, deps.io, identifier);
  const folder = await deps.io.prepareFolder(`${table.metadata.location}/data`);
  const namePrefix = randomUUID();
  const write = { select, schema: currentSchema(table.metadata), spec: UNPARTITIONED, folder, namePrefix };
  const { snapshotId } = await commitAppend(table, {
    files: await writeParquet(connection, write),
    run: { key: `dataset-${request.name}-${namePrefix}` },
    properties: (_base, newId) =>
      new Map([[DATASET_PROPERTY, recordToJson(record({ table: name, snapshotId: newId }))]]),
  });
  return { table: name, snapshotId };
}
