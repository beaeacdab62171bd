/** Facts about a retrieval in shards, from metadata. */
import { largest } from '../errors/index.js';
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
import { type OutlinedEntities, reductionOf, shardsOfEntityRows } from '../training/index.js';
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
  /** Bytes of each file. */
  readonly files: OutlinedEntities['files'];
  /** Unless given, they have the keys of the views. */
  readonly fields?: readonly NestedField[];
  readonly timesUs?: ExpectedFrame['timesUs'];
  readonly entities?: ExpectedFrame['entities'];
}

/** A retrieval and what is known of it. */
export interface OutlinedRetrieval {
  readonly joins: readonly ExpectedJoin[];
  readonly facts: RetrievalFacts;
}

/** The number of shards of a retrieval. Unless given, entity rows and the engine's memory decide. */
interface SharedBy {
  readonly shards?: number | undefined;
  /** Number of shards that workers could share. */
  readonly spread?: number | undefined;
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
  const rowBytes = (keys + 1) * ENTITY_VALUE_BYTES;
  const files = new Map([['entity rows', BigInt(Math.round(rows * rowBytes))]]);
  return { rows, columns: keys + 1, reads: NO_READS, rowBytes, files };
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
    reads: { ...readsOfFiles(files, columnsOf(source, ids)), ...deletesOf(plan.stats.deletes) },
    rowBytes: bytesPerRow(files, source.schema, ids),
    files: new Map(files.map(({ filePath, fileSizeInBytes }) => [filePath, fileSizeInBytes])),
    fields,
    timesUs: entityTimesUs(files, fields),
  };
}

/**
 * Nothing is made and no row is read.
 * @throws as `expectJoins`
 */
export async function retrievalFacts(
  deps: HistoricalDeps,
  request: Request,
  entities: ExpectedEntities,
  sharing: SharedBy = {},
): Promise<OutlinedRetrieval> {
  const sizing = { ...sharing, memoryLimitBytes: deps.engine.memoryLimitBytes };
  const shards = shardsOfEntityRows(BigInt(Math.round(entities.rows)), sizing);
  const joins = await expectJoins(deps, request, { ...entities, rows: entities.rows / shards });
  const partsOf = await plannedParts(deps, request, { joins, entities, shards });
  const tables = joins.map(({ source: { table } }) => table);
  const endBytes = tables.map(({ io, metadata }) => fetchedEndBytes(io, metadata.location));
  return {
    joins,
    facts: {
      isRemote: tables.some(({ io, metadata }) => io.localFiles(metadata.location) === null),
      entityRows: entities.rows,
      entityReads: entities.reads,
      entityParts: partsOf(null),
      entityColumns: entities.columns,
      entityRowBytes: entities.rowBytes,
      views: joins.map((join) => viewFacts(join, partsOf(join.alias))),
      shards,
      endBytes: largest(endBytes),
      memoryLimitBytes: deps.engine.memoryLimitBytes,
    },
  };
}

/** Gives the number of parts that read a view's source, or the entity rows (null). */
async function plannedParts(
  deps: HistoricalDeps,
  request: Request,
  {
    joins,
    entities,
    shards,
  }: { readonly joins: readonly ExpectedJoin[]; readonly entities: ExpectedEntities; readonly shards: number },
): Promise<(view: string | null) => number> {
  const { files, timesUs, fields = keyFields(joins) } = entities;
  // The model is of DuckDB, whoever is chosen.
  const outline = () => Promise.resolve({ columns: fields, files, timesUs });
  const split = await reductionOf(deps, { ...request, engine: 'duckdb' }, outline, shards);
  return (view) => split?.reduction.parts.filter((part) => part.view === view).length ?? 0;
}

/** Columns that the views are joined on, as entity rows have them. */
function keyFields(joins: readonly ExpectedJoin[]): readonly NestedField[] {
  return joins.flatMap(({ view, joinKeyMap }) =>
    view.joinKeys.map(({ name, type }, id) => ({ id, name: joinKeyMap.get(name) ?? name, type, required: false })),
  );
}

function viewFacts(join: ExpectedJoin, parts: number): JoinedViewFacts {
  const { view, source, files, read, returned, entities, method } = join;
  const fixed = [...view.joinKeys, view.timestamp, ...(view.created === null ? [] : [view.created])];
  const idsOf = (columns: readonly { readonly sourceFieldId: number }[]): ReadonlySet<number> =>
    new Set(columns.map(({ sourceFieldId }) => sourceFieldId));
  const readIds = idsOf([...fixed, ...read]);
  return {
    ...readsOfFiles(files, columnsOf(source, readIds)),
    ...deletesOf(join.stats.deletes),
    readFeatures: read.length,
    features: returned.length,
    rowBytes: bytesPerRow(files, source.schema, idsOf(returned)),
    entities,
    method,
    parts,
    readRowBytes: bytesPerRow(files, source.schema, readIds),
  };
}

/** A saved dataset, computed again from its own entity rows. @throws as {@link retrievalFacts} */
export async function datasetFacts(
  deps: HistoricalDeps,
  record: DatasetRecord,
  sharing?: SharedBy,
): Promise<OutlinedRetrieval> {
  return await retrievalFacts(
    recordedDeps(deps, record),
    recordedRequest(record),
    await recordedEntities(deps, record),
    sharing,
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
