/**
 * Compares what was served with what retrieval answers now for the same entities and times, and says of each value that differs why:
 * by retrieving again with one thing changed (the sources as they were, no ttl) and seeing what becomes of it. Long windows are
 * compared in parts, one after another, against one state of the log and of the sources.
 */
import { randomUUID } from 'node:crypto';
import { type Connection, columnAlias } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  acceptsType,
  type Definitions,
  featureTypeToString,
  findFeatureService,
  type HistoricalDeps,
  type RequestedView,
  requestedViews,
} from '../features/index.js';
import type { NestedField, Schema } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import { differencesOf, type LogComparison } from './comparison.js';
import { type LogPart, logParts, mergeComparisons } from './comparison-parts.js';
import { type ComparedFeature, ComparisonTables, countSql, servedSql } from './comparison-sql.js';
import { explainDifferences } from './difference-causes.js';
import { featureColumns, LOG_COLUMNS } from './log-columns.js';
import { type LogDeps, loadLogTable } from './log-table.js';
import { type LogWindow, logField, openLog } from './read-log.js';
import { type LoggedRetrieval, type RetrievedFeature, retrieveLogged } from './retrieve-logged.js';

/** Which answers to compare. */
export interface CompareLogRequest extends LogWindow {
  readonly service: string;
  /** How many values that differ are shown of each feature and cause; 3 by default. */
  readonly examples?: number;
  /** About how many rows are compared at a time, 500,000 by default: temporary tables and memory are bounded by them. */
  readonly partRows?: number;
  readonly onProgress?: (progress: ComparisonProgress) => void;
  readonly signal?: AbortSignal;
}

/** How far a comparison is. */
export interface ComparisonProgress {
  /** Rows that have been compared. */
  readonly rows: number;
  /** Rows of the whole window. */
  readonly totalRows: number;
}

const DEFAULT_EXAMPLES = 3;
/** Enough that sources are not read again and again, few enough that wide rows spill little. */
const DEFAULT_PART_ROWS = 500_000;

/** Dependencies of a comparison. */
export type CompareLogDeps = LogDeps & HistoricalDeps;

/**
 * Compares the answers of a window, by the times that they are as of, with retrieval from the sources as they are now.
 * Values are the same bit by bit, but that every NaN is the same; no value, whatever its status, is the same as no row.
 * @throws FEATURE_SERVICE_NOT_FOUND; TABLE_NOT_FOUND if nothing was logged; TYPE_MISMATCH; and as retrieval
 */
export async function compareLoggedFeatures(deps: CompareLogDeps, request: CompareLogRequest): Promise<LogComparison> {
  const { service, examples = DEFAULT_EXAMPLES, onProgress } = request;
  const definitions = await deps.definitions();
  findFeatureService(definitions, service);
  const log = await loadLogTable(deps, service);
  const pinned = { ...deps, definitions: () => Promise.resolve(definitions), loadSource: loadOnce(deps) };
  const context = { deps: pinned, definitions, log, service, examples, signal: request.signal };
  const parts = await partsOf(context, request);
  const totalRows = parts.reduce((sum, part) => sum + part.rows, 0);
  const compared: LogComparison[] = [];
  let rows = 0;
  for (const part of parts) {
    compared.push(await comparePart(context, part.window));
    rows += part.rows;
    onProgress?.({ rows, totalRows });
  }
  return mergeComparisons(compared, examples);
}

/** State that all parts of a comparison share. */
interface CompareContext {
  readonly deps: CompareLogDeps;
  readonly definitions: Definitions;
  readonly log: Table;
  readonly service: string;
  readonly examples: number;
  readonly signal: AbortSignal | undefined;
}

function partsOf({ deps, log, signal }: CompareContext, request: CompareLogRequest): Promise<readonly LogPart[]> {
  const { partRows = DEFAULT_PART_ROWS, startUs, endUs } = request;
  const window = { ...(startUs === undefined ? {} : { startUs }), ...(endUs === undefined ? {} : { endUs }) };
  return deps.engine.withConnection(
    async (connection) => {
      const { schema, relation } = await openLog(connection, log, window);
      const timestamp = columnAlias(logField(schema, LOG_COLUMNS.eventTimestamp).id);
      return logParts(connection, relation, timestamp, window, partRows);
    },
    signal === undefined ? {} : { signal },
  );
}

async function comparePart(context: CompareContext, window: LogWindow): Promise<LogComparison> {
  const { deps, signal } = context;
  const tables = new ComparisonTables(randomUUID());
  try {
    return await deps.engine.withConnection(
      (connection) => compare(context, connection, tables, window),
      signal === undefined ? {} : { signal },
    );
  } finally {
    await deps.engine.withConnection((connection) => tables.drop(connection));
  }
}

async function compare(
  { deps, definitions, log, service, examples, signal }: CompareContext,
  connection: Connection,
  tables: ComparisonTables,
  window: LogWindow,
): Promise<LogComparison> {
  const { schema, snapshot, relation } = await openLog(connection, log, window);
  const fieldIds = schema.fields.map(({ id }) => id);
  await connection.run(servedSql(tables, relation, fieldIds));
  const logged = loggedViews(definitions, service, schema);
  const eventTimestamp = logField(schema, LOG_COLUMNS.eventTimestamp);
  const retrieval: LoggedRetrieval = { deps, tables, ...logged, eventTimestamp, signal };
  const { features: retrieved, sources } = await retrieveLogged(retrieval, { which: 'now' });
  const compared = retrieved.map((feature, index) => comparedFeature(schema, feature, index));
  const present = compared.filter((feature) => feature !== undefined);
  const { rows, counts } = await countMatches(connection, tables, present);
  const differing = present.filter(({ index }) => {
    const { match = 0, notLogged = 0 } = counts.get(index) ?? {};
    return match + notLogged < rows;
  });
  const context = { connection, tables, retrieval, definitions, schema, sources, features: differing };
  const explained = await explainDifferences(context, examples);
  return {
    service,
    rows,
    logSnapshotId: snapshot?.snapshotId ?? null,
    sources,
    features: retrieved.map(({ name }, index) => {
      const { match, notLogged } = counts.get(index) ?? { match: 0, notLogged: rows };
      return { name, match, ...differencesOf(explained.counts, index), notLogged };
    }),
    matches: differing.length === 0,
    undatable: explained.undatable,
    examples: explained.examples,
  };
}

/** Every retrieval of a comparison reads the same state of a table, whatever is committed meanwhile. */
function loadOnce(deps: HistoricalDeps): HistoricalDeps['loadSource'] {
  const loaded = new Map<string, Promise<Table>>();
  return (name) => {
    const table = loaded.get(name) ?? deps.loadSource(name);
    loaded.set(name, table);
    return table;
  };
}

/**
 * The views of a service whose join keys are in the log, and these keys. What else the service has, it gained later.
 * @throws COLUMN_NOT_FOUND if that leaves nothing
 */
function loggedViews(
  definitions: Definitions,
  service: string,
  schema: Schema,
): { readonly views: readonly RequestedView[]; readonly keys: readonly NestedField[] } {
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  const views = requestedViews(definitions, { service }).filter((view) =>
    keyNames(definitions, view).every((name) => fields.has(name)),
  );
  if (views.length === 0) {
    throw new MoraineError('COLUMN_NOT_FOUND', `The log of '${service}' has the join keys of none of its views.`);
  }
  const names = new Set(views.flatMap((view) => keyNames(definitions, view)));
  return { views, keys: schema.fields.filter(({ name }) => names.has(name)) };
}

function keyNames({ entities, featureViews }: Definitions, { view, joinKeyMap }: RequestedView): readonly string[] {
  const keys = (featureViews.get(view)?.entities ?? []).flatMap((name) => entities.get(name)?.joinKeys ?? []);
  return keys.map((key) => joinKeyMap.get(key) ?? key);
}

/** A feature in the log and as it was retrieved; undefined if it was never logged. */
function comparedFeature(schema: Schema, feature: RetrievedFeature, index: number): ComparedFeature | undefined {
  const { name, type } = feature;
  const find = (column: string) => schema.fields.find((field) => field.name === column);
  const names = featureColumns(name);
  const [value, status, servedTime] = [find(names.value), find(names.status), find(names.timestamp)];
  if (value === undefined || status === undefined || servedTime === undefined) return undefined;
  if (!acceptsType(type, value.type) && !acceptsType(value.type, type)) {
    const types = `${featureTypeToString(value.type)} in the log, but ${featureTypeToString(type)} in its view`;
    throw new MoraineError('TYPE_MISMATCH', `Feature '${name}' is of type ${types}; these cannot be compared.`);
  }
  const alias = ({ id }: NestedField): string => columnAlias(id);
  return { ...feature, index, value: alias(value), status: alias(status), servedTime: alias(servedTime) };
}

interface Counts {
  readonly rows: number;
  /** By the feature's index. */
  readonly counts: ReadonlyMap<number, { readonly match: number; readonly notLogged: number }>;
}

async function countMatches(
  connection: Connection,
  tables: ComparisonTables,
  features: readonly ComparedFeature[],
): Promise<Counts> {
  const [[rows, ...numbers] = []] = await connection.rows(countSql(tables, features));
  const counts = features.map(({ index }, at) => {
    return [index, { match: Number(numbers[at * 2]), notLogged: Number(numbers[at * 2 + 1]) }] as const;
  });
  return { rows: Number(rows), counts: new Map(counts) };
}
