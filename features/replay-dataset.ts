/** Computing a saved dataset again, and comparing. */

import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, checkFiles, columnAlias, digestRows, scanSql, withReadableCopies } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { mapChildFields, type NestedField, type Schema } from '../iceberg/index.js';
import type { DatasetRecord } from './dataset-record.js';
import type { EntityRelation } from './entity-frame.js';
import { getHistoricalFeatures, type HistoricalDeps, type HistoricalRequest } from './historical-features.js';
import { pinSource } from './pin-source.js';
import type { RetrievalRequest } from './retrieval-plan.js';
import { openScan, planSource } from './source-scan.js';

/** Three digests: as it was saved, of the rows that are stored now, and of the rows computed again. */
export interface ReplayResult {
  readonly recorded: string;
  /** Null: the stored rows are not there any more, and could not be looked at. */
  readonly stored: string | null;
  readonly recomputed: string;
  readonly rows: bigint;
  /** Whether all of them are the same. */
  readonly matches: boolean;
}

/**
 * Computes a dataset again from the snapshots that it was made from, with the definitions of that time and its own entity rows.
 * @throws SNAPSHOT_EXPIRED if a snapshot has gone, TABLE_REPLACED, TABLE_NOT_FOUND; FILE_NOT_FOUND if the dataset's file has gone
 */
export async function replayDataset(
  deps: HistoricalDeps,
  record: DatasetRecord,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReplayResult> {
  const stored = await storedDigest(deps, record);
  const { digest: recomputed, rows } = await getHistoricalFeatures(
    recordedDeps(deps, record),
    { ...replayRequest(deps, record), ...options },
    ({ connection, select, schema }) => digestRows(connection, select, schema),
  );
  const matches = recomputed === record.digest && (stored === null || stored === record.digest);
  return { recorded: record.digest, stored, recomputed, rows, matches };
}

/** What a dataset asks for, of the snapshots that it was made from; not its entity rows. */
export function recordedRequest({ recipe, sources }: DatasetRecord): RetrievalRequest {
  const { views, fullFeatureNames, knownAsOf } = recipe;
  return {
    features: views.map(({ features, ...view }) => ({ ...view, ...(features === undefined ? {} : { features }) })),
    fullFeatureNames,
    knownAsOf,
    asOf: { snapshots: sources },
  };
}

/** The surroundings with the definitions that a dataset was made with. */
export function recordedDeps(deps: HistoricalDeps, { recipe }: DatasetRecord): HistoricalDeps {
  return { ...deps, definitions: () => Promise.resolve(recipe.definitions) };
}

/** The retrieval that made a dataset. */
function replayRequest(deps: HistoricalDeps, record: DatasetRecord): HistoricalRequest {
  const { window, frameColumns } = record.recipe;
  const open = async (connection: Connection): Promise<EntityRelation> => {
    const { relation, schema } = await openStored(deps, connection, record);
    const fields = schema.fields.slice(0, frameColumns);
    const columns = fields.map(({ id }) => columnAlias(id)).join(', ');
    return { relation: `(SELECT ${columns} FROM ${relation})`, schema: { ...schema, fields } };
  };
  return { ...recordedRequest(record), entities: window === undefined ? { open } : { window } };
}

/** The digest of the stored rows. Those of a window are not needed to compute them again, so that they may have gone. */
async function storedDigest(deps: HistoricalDeps, record: DatasetRecord): Promise<string | null> {
  try {
    return await deps.engine.withConnection(async (connection) => {
      const { relation, schema } = await openStored(deps, connection, record);
      const columns = schema.fields.map(({ id }) => columnAlias(id)).join(', ');
      return (await digestRows(connection, `SELECT ${columns} FROM ${relation}`, schema)).digest;
    });
  } catch (error) {
    const gone = isMoraineError(error, 'FILE_NOT_FOUND', 'TABLE_NOT_FOUND', 'SNAPSHOT_EXPIRED', 'SNAPSHOT_NOT_FOUND');
    if (gone && record.recipe.window !== undefined) return null;
    throw error;
  }
}

/** The stored rows; columns are called by `columnAlias` of their field id. */
async function openStored(
  deps: HistoricalDeps,
  connection: Connection,
  record: DatasetRecord,
): Promise<EntityRelation> {
  const { location, schema } = record;
  if ('file' in location) return await openStoredFile(connection, location.file, schema);
  const source = pinSource(await deps.loadSource(location.table), location.table, { snapshotId: location.snapshotId });
  const { scan } = await openScan(connection, deps.io, source, await planSource(source));
  const readable = await withReadableCopies(connection, { ...scan, schema: source.schema, naming: 'id' as const });
  return { relation: scanSql(readable), schema: source.schema };
}

/** A copy is read: the engine may open files below its own folders only, wherever the dataset was put. */
async function openStoredFile(connection: Connection, file: string, schema: Schema): Promise<EntityRelation> {
  const folder = join(connection.tempDirectory, `dataset-${randomUUID()}`);
  await mkdir(folder);
  const path = join(folder, 'rows.parquet');
  try {
    await copyFile(file, path);
  } catch (cause) {
    await rm(folder, { recursive: true });
    throw new MoraineError('FILE_NOT_FOUND', `The dataset's file ${file} cannot be read.`, {
      details: { path: file },
      cause,
    });
  }
  const stored = { ...schema, fields: schema.fields.map(asStored) };
  const files = [{ path, recordCount: 0n }];
  const { size } = await stat(path);
  const layouts = await checkFiles(connection, [{ path, fileSizeInBytes: BigInt(size) }]);
  const readable = await withReadableCopies(connection, { files, layouts, schema: stored, naming: 'id' as const });
  return { relation: scanSql(readable), schema: stored };
}

/** In a file of results bytes of a fixed length are just bytes. */
function asStored(field: NestedField): NestedField {
  const type = field.type.kind === 'fixed' ? ({ kind: 'binary' } as const) : field.type;
  return { ...field, type: mapChildFields(type, asStored) };
}
