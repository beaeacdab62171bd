/** Facts about a retrieval in shards, from metadata. */
import {
  type DatasetRecord,
  type ExpectedFrame,
  type ExpectedJoin,
  entityTimesUs,
  expectJoins,
  type HistoricalDeps,
  recordedDeps,
  recordedRequest,
} from '../features/index.js';
import { findSnapshot, type NestedField } from '../iceberg/index.js';
import { fetchedEndBytes, type PinnedSource, planSource } from '../scans/index.js';
import { shardsOfEntityRows } from '../training/index.js';
import type { JoinedViewFacts, RetrievalFacts } from './facts.js';
import { bytesPerRow, type ColumnRead, type FileReads, NO_READS, readsOfFiles } from './file-reads.js';
import { deletesOf } from './materialization-facts.js';

type Request = Parameters<typeof expectJoins>[1];

/** Entity rows as far as they are known before they are read. */
export interface ExpectedEntities {
  readonly rows: number;
  readonly columns: number;
  readonly reads: FileReads;
  readonly rowBytes: number;
  readonly timesUs?: ExpectedFrame['timesUs'];
  readonly entities?: ExpectedFrame['entities'];
}

/** A retrieval and what is known of it. */
export interface OutlinedRetrieval {
  readonly joins: readonly ExpectedJoin[];
  readonly facts: RetrievalFacts;
}

/** Bytes of a key or a time of entity rows that nobody has written yet. */
const ENTITY_VALUE_BYTES = 8;

const columnsOf = ({ table, schema }: PinnedSource, columns: ReadonlySet<number>): ColumnRead => ({
  schema,
  columns,
  endBytes: fetchedEndBytes(table.io, table.metadata.location),
});

/** So many entity rows with the keys of a view and a time. */
export function entitiesOfCount(rows: number, keys: number): ExpectedEntities {
  return { rows, columns: keys + 1, reads: NO_READS, rowBytes: (keys + 1) * ENTITY_VALUE_BYTES };
}

/** Entity rows in a table. @param fields its columns that are the entity rows' */
export async function entitiesOfTable(
  source: PinnedSource,
  fields: readonly NestedField[] = source.schema.fields,
): Promise<ExpectedEntities> {
  const plan = await planSource(source);
  const files = plan.files.map(({ file }) => file);
  const ids = new Set(fields.map(({ id }) => id));
  return {
    rows: files.reduce((sum, { recordCount }) => sum + Number(recordCount), 0),
    columns: fields.length,
    reads: { ...readsOfFiles(files, columnsOf(source, ids)), ...deletesOf(plan) },
    rowBytes: bytesPerRow(files, source.schema, ids),
    timesUs: entityTimesUs(files, fields),
  };
}

/**
 * Nothing is made and no row is read.
 * @param shards by the number of entity rows unless given
 * @throws as `expectJoins`
 */
export async function retrievalFacts(
  deps: HistoricalDeps,
  request: Request,
  entities: ExpectedEntities,
  shards: number = shardsOfEntityRows(BigInt(Math.round(entities.rows))),
): Promise<OutlinedRetrieval> {
  const joins = await expectJoins(deps, request, { ...entities, rows: entities.rows / shards });
  const isRemote = ({ source: { table } }: ExpectedJoin): boolean =>
    table.io.localFiles(table.metadata.location) === null;
  return {
    joins,
    facts: {
      isRemote: joins.some(isRemote),
      entityRows: entities.rows,
      entityReads: entities.reads,
      entityColumns: entities.columns,
      entityRowBytes: entities.rowBytes,
      views: joins.map(viewFacts),
      shards,
      memoryLimitBytes: deps.engine.memoryLimitBytes,
    },
  };
}

function viewFacts(join: ExpectedJoin): JoinedViewFacts {
  const { view, source, files, read, returned, entities, method } = join;
  const fixed = [...view.joinKeys, view.timestamp, ...(view.created === null ? [] : [view.created])];
  const idsOf = (columns: readonly { readonly sourceFieldId: number }[]): ReadonlySet<number> =>
    new Set(columns.map(({ sourceFieldId }) => sourceFieldId));
  return {
    ...readsOfFiles(files, columnsOf(source, idsOf([...fixed, ...read]))),
    ...deletesOf(join),
    readFeatures: read.length,
    features: returned.length,
    rowBytes: bytesPerRow(files, source.schema, idsOf(returned)),
    entities,
    method,
  };
}

/** A saved dataset, computed again from its own entity rows. @throws as {@link retrievalFacts} */
export async function datasetFacts(
  deps: HistoricalDeps,
  record: DatasetRecord,
  shards?: number,
): Promise<OutlinedRetrieval> {
  return await retrievalFacts(
    recordedDeps(deps, record),
    recordedRequest(record),
    await recordedEntities(deps, record),
    shards,
  );
}

async function recordedEntities(deps: HistoricalDeps, record: DatasetRecord): Promise<ExpectedEntities> {
  const { location, recipe, rows } = record;
  const counted = entitiesOfCount(Number(rows), recipe.frameColumns - 1);
  if ('file' in location || recipe.window !== undefined) return counted;
  const table = await deps.loadSource(location.table);
  const snapshot = findSnapshot(table.metadata, location.snapshotId);
  const schema = table.metadata.schemas.find(({ schemaId }) => schemaId === snapshot?.schemaId);
  // Expired: the rows are gone, and their number is known.
  if (snapshot === undefined || schema === undefined) return counted;
  return await entitiesOfTable({ table, snapshot, schema }, schema.fields.slice(0, recipe.frameColumns));
}
