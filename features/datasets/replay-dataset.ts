/** Computing a saved dataset again, and comparing. */

import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Connection,
  checkFiles,
  columnAlias,
  digestRows,
  type RowDigest,
  readableScanSql,
} from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { findSnapshot, mapChildFields, type NestedField, type Schema } from '../../iceberg/index.js';
import { localPath } from '../../locations/index.js';
import { openScan, planSource } from '../../scans/index.js';
import type { EntityRelation } from '../retrieval/entity-frame.js';
import {
  getHistoricalFeatures,
  type HistoricalDeps,
  type HistoricalRequest,
} from '../retrieval/historical-features.js';
import type { RetrievalRequest } from '../retrieval/retrieval-plan.js';
import { type HistoricalAsOf, pinSource, stateOf } from '../views/pin-source.js';
import type { DatasetLocation, DatasetRecord } from './dataset-record.js';

/** The two comparisons of a replay. */
export type ReplayPart = 'stored' | 'recomputed';

/** Three digests, with the numbers of rows that they are of. */
export interface ReplayResult {
  /** Digest of the rows as they were saved. */
  readonly recorded: string;
  readonly rows: bigint;
  /** Digest of the rows that the dataset's table or file holds now; null if they are gone. */
  readonly stored: string | null;
  readonly storedRows: bigint | null;
  /** Digest of the rows computed again; null if the entity rows as they were saved are gone. */
  readonly recomputed: string | null;
  readonly recomputedRows: bigint | null;
  /** The comparisons that found a difference. */
  readonly differing: readonly ReplayPart[];
  /** Whether everything is as it was saved. */
  readonly matches: boolean;
}

/** A file, or a table with its state, from which rows are read. */
type StoredPlace = { readonly file: string } | { readonly table: string; readonly asOf: HistoricalAsOf };

interface StoredRows extends RowDigest {
  readonly place: StoredPlace;
}

/**
 * Compares the rows that a dataset's table or file holds now, and those computed again, with what was saved. They are computed
 * from the snapshots that the dataset was made from, with the definitions of that time and its own entity rows as they were saved.
 * @throws SNAPSHOT_EXPIRED if a snapshot of a source has gone, TABLE_REPLACED, TABLE_NOT_FOUND; FILE_NOT_FOUND if the dataset's
 *   file has gone
 */
export async function replayDataset(
  deps: HistoricalDeps,
  record: DatasetRecord,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReplayResult> {
  const stored = await storedNow(deps, record, options);
  const recomputed = await computeAgain(deps, record, stored, options);
  const differing = (
    [
      ['stored', stored],
      ['recomputed', recomputed],
    ] as const
  ).flatMap(([part, found]) => (found?.digest === record.digest ? [] : [part]));
  return {
    recorded: record.digest,
    rows: record.rows,
    stored: stored?.digest ?? null,
    storedRows: stored?.rows ?? null,
    recomputed: recomputed?.digest ?? null,
    recomputedRows: recomputed?.rows ?? null,
    differing,
    matches: differing.length === 0,
  };
}

/** @returns null if the entity rows that it needs are gone */
async function computeAgain(
  deps: HistoricalDeps,
  record: DatasetRecord,
  stored: StoredRows | null,
  options: { readonly signal?: AbortSignal },
): Promise<RowDigest | null> {
  const entities = await recordedEntities(deps, record, stored);
  if (entities === null) return null;
  return await getHistoricalFeatures(
    recordedDeps(deps, record),
    { ...recordedRequest(record), entities, ...options },
    ({ connection, select, schema }) => digestRows(connection, select, schema),
  );
}

async function recordedEntities(
  deps: HistoricalDeps,
  record: DatasetRecord,
  stored: StoredRows | null,
): Promise<HistoricalRequest['entities'] | null> {
  const { window } = record.recipe;
  if (window !== undefined) return { window };
  const place = stored?.digest === record.digest ? stored.place : await savedPlace(deps, record);
  return place === null ? null : entityRows(deps, record, place);
}

/** The rows as they were saved; null: their snapshot has been expired. */
async function savedPlace(deps: HistoricalDeps, { location }: DatasetRecord): Promise<StoredPlace | null> {
  if ('file' in location) return location;
  const { table, snapshotId } = location;
  const { metadata } = await deps.loadSource(table);
  return findSnapshot(metadata, snapshotId) === undefined ? null : { table, asOf: { snapshotId } };
}

/** The request of a dataset, with the snapshots that it was made from; without its entity rows. */
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

/** The entity rows of a dataset: its own first columns. */
function entityRows(deps: HistoricalDeps, record: DatasetRecord, place: StoredPlace): HistoricalRequest['entities'] {
  const open = async (connection: Connection): Promise<EntityRelation> => {
    const { relation, schema } = await openStored(deps, connection, place, record.schema);
    const fields = schema.fields.slice(0, record.recipe.frameColumns);
    const columns = fields.map(({ id }) => columnAlias(id)).join(', ');
    return { relation: `(SELECT ${columns} FROM ${relation})`, schema: { ...schema, fields } };
  };
  return { open };
}

/** The rows that are stored now. Those of a window are not needed to compute them again, so that they may have gone. */
async function storedNow(
  deps: HistoricalDeps,
  record: DatasetRecord,
  options: { readonly signal?: AbortSignal },
): Promise<StoredRows | null> {
  try {
    const place = await presentPlace(deps, record.location);
    return await deps.engine.withConnection(async (connection) => {
      const { relation, schema } = await openStored(deps, connection, place, record.schema);
      const columns = schema.fields.map(({ id }) => columnAlias(id)).join(', ');
      return { ...(await digestRows(connection, `SELECT ${columns} FROM ${relation}`, schema)), place };
    }, options);
  } catch (error) {
    const gone = isMoraineError(error, 'FILE_NOT_FOUND', 'TABLE_NOT_FOUND');
    if (gone && record.recipe.window !== undefined) return null;
    throw error;
  }
}

/** Pinned, so that the same rows can be read twice. */
async function presentPlace(deps: HistoricalDeps, location: DatasetLocation): Promise<StoredPlace> {
  if ('file' in location) return location;
  const { table } = location;
  const state = stateOf(pinSource(await deps.loadSource(table), table, {}));
  return { table, asOf: { snapshots: new Map([[table, state]]) } };
}

/** The stored rows; columns are called by `columnAlias` of their field id. */
async function openStored(
  deps: HistoricalDeps,
  connection: Connection,
  place: StoredPlace,
  schema: Schema,
): Promise<EntityRelation> {
  if ('file' in place) return await openStoredFile(connection, place.file, schema);
  const source = pinSource(await deps.loadSource(place.table), place.table, place.asOf);
  const { scan } = await openScan(connection, source, await planSource(source));
  const { schema: current } = source;
  return { relation: await readableScanSql(connection, { ...scan, schema: current, naming: 'id' }), schema: current };
}

/** A copy is read: the engine may open files below its own folders only, wherever the dataset was put. */
async function openStoredFile(connection: Connection, file: string, schema: Schema): Promise<EntityRelation> {
  const folder = join(connection.tempDirectory, `dataset-${randomUUID()}`);
  await mkdir(folder);
  const path = localPath(join(folder, 'rows.parquet'));
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
  const relation = await readableScanSql(connection, { files, layouts, schema: stored, naming: 'id' });
  return { relation, schema: stored };
}

/** In a file of results bytes of a fixed length are just bytes. */
function asStored(field: NestedField): NestedField {
  const type = field.type.kind === 'fixed' ? ({ kind: 'binary' } as const) : field.type;
  return { ...field, type: mapChildFields(type, asStored) };
}
