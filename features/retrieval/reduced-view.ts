/**
 * Reducing the rows of views before there are entity rows: parts read the files of a view's source, each other ones, and leave the rows
 * that can count, by the shard of the entity rows that they can count for.
 */
import { type Connection, columnAlias, unwritableColumns } from '../../engine/index.js';
import type { BoundExpression, IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import { type ChosenEngine, chooseEngine, namedColumns, schemaOf } from '../../reduction/index.js';
import { type OpenFiles, openScan, planSource } from '../../scans/index.js';
import type { ScanPlan } from '../../tables/index.js';
import { sameType } from '../definitions/feature-type.js';
import { SEQUENCE_COLUMN, viewScanSql } from '../views/view-scan.js';
import { type EntityRelation, entityTimestamp, loadEntityFrame } from './entity-frame.js';
import { type ExpectedFrame, timeFilter } from './expected-join.js';
import type { HistoricalDeps, HistoricalRequest } from './historical-features.js';
import { type PlannedView, planRetrieval } from './retrieval-plan.js';
import { selectivePart } from './selective-filter.js';
import { shardOfKeysSql } from './shard-of-keys.js';
import {
  featuresToRead,
  type JoinContext,
  type OpenedRows,
  openFeatureRows,
  readOf,
  type ViewJoin,
} from './view-join.js';

/** A view whose rows can be split as the entity rows are. */
export interface ReducibleView {
  /** Its name in the request. */
  readonly alias: string;
  readonly join: ViewJoin;
  /** Files that can match. */
  readonly plan: ScanPlan;
  /** What rows in reach of the entity rows' times meet. */
  readonly filter: BoundExpression | undefined;
  /** Who reads its source. */
  readonly engine: ReadingEngine;
}

type ReadingEngine = ChosenEngine['engine'];

/** Views that can be split alike. */
export interface ReducibleViews {
  readonly views: readonly ReducibleView[];
  /** Columns of the entity rows that all of these views are joined on: they decide on the shard. */
  readonly columns: readonly string[];
}

type Request = Omit<HistoricalRequest, 'entities'>;

/** What is known of entity rows that are not read: their columns, and their times as far as they are known. */
type KnownFrame = Pick<ExpectedFrame, 'timesUs'> & { readonly columns: readonly NestedField[] };

/**
 * The views of a retrieval whose sources can be read before the shards, and that are joined on some column in common. Of other views the shards
 * read the source: it has no keys to be split by; or DuckDB reads it and few of its features are wanted, of which all would have to be staged,
 * since they decide ties; or
 * no file is written with one of its columns.
 * @param only the engine whose views are wanted; both unless given
 */
export async function reducibleViews(
  deps: HistoricalDeps,
  request: Request,
  frame: KnownFrame,
  only?: ReadingEngine,
): Promise<ReducibleViews> {
  const { views } = await planRetrieval(deps, request);
  const found: (ReducibleView & { readonly names: readonly string[] })[] = [];
  for (const planned of views) {
    const { join } = planned;
    const names = keyNames(planned, frame.columns);
    if (names.length === 0 || unwritableColumns(reducedViewSchema(planned)).length > 0) continue;
    const files = await planInReach(join, frame);
    if (files.plan.files.length === 0) continue;
    const asks = { run: request.engine, view: join.view.engine };
    const { engine } = chooseEngine(deps.engines, readOf(join.source, files.plan.stats.bytes), asks);
    if (engine === 'duckdb' && featuresToRead(join).length < join.view.features.length) continue;
    if (engine !== (only ?? engine)) continue;
    found.push({ alias: planned.requested.alias, join, ...files, engine, names });
  }
  const [first] = found;
  const columns = (first?.names ?? []).filter((name) => found.every(({ names }) => names.includes(name)));
  return columns.length === 0 ? { views: [], columns } : { views: found, columns };
}

/** One of the {@link reducibleViews}, as it was planned by its name and engine; undefined: the retrieval has no such view. */
export async function plannedView(
  deps: HistoricalDeps,
  request: Request,
  frame: KnownFrame,
  { alias, engine }: Pick<ReducibleView, 'alias' | 'engine'>,
): Promise<ReducibleView | undefined> {
  const { views } = await planRetrieval(deps, request);
  const planned = views.find(({ requested }) => requested.alias === alias);
  return planned && { alias, join: planned.join, ...(await planInReach(planned.join, frame)), engine };
}

async function planInReach(join: ViewJoin, frame: KnownFrame): Promise<Pick<ReducibleView, 'plan' | 'filter'>> {
  const filter = timeFilter(join.view, frame);
  return { plan: await planSource(join.source, filter), filter };
}

/** Columns of the frame that a view is joined on, of those types in which equal keys are the same text on both sides. */
function keyNames({ join: { view, joinKeyMap } }: PlannedView, columns: readonly NestedField[]): readonly string[] {
  return view.joinKeys.flatMap((key) => {
    const name = joinKeyMap.get(key.name) ?? key.name;
    const column = columns.find((candidate) => candidate.name === name);
    return column !== undefined && isSameText(column.type, key.type) ? [name] : [];
  });
}

function isSameText(one: IcebergType, other: IcebergType): boolean {
  return sameType(one, other) || (isInteger(one) && isInteger(other));
}

const isInteger = ({ kind }: IcebergType): boolean => kind === 'int' || kind === 'long';

/** The columns of reduced rows: the shard, the columns of the view, and the sequence number that decides ties. */
export function reducedViewSchema({ join: { view } }: Pick<ReducibleView, 'join'>): Schema {
  return schemaOf([
    ['shard', { kind: 'int' }],
    ...namedColumns(view).map(([name, { type }]) => [name, type] as const),
    ['seq', { kind: 'long' }],
  ]);
}

/** The shards, and the columns of the entity rows that they are split by. */
interface Split {
  readonly shards: number;
  readonly columns: readonly string[];
}

/** Rows in the columns of {@link reducedViewSchema}, to be read on the connection. */
interface OpenedReduction {
  readonly opened: readonly OpenFiles[];
  readonly select: string;
}

/** The rows of some files of a view. */
export async function openReducedView(
  connection: Connection,
  { join, plan, filter }: ReducibleView,
  split: Split,
): Promise<OpenedReduction> {
  const files = plan.files.map(({ file }) => file);
  const worthwhile = filter === undefined ? undefined : selectivePart(filter, files);
  const { scan } = await openScan(connection, join.source, plan, worthwhile);
  return { opened: [scan], select: await splitRowsSql(connection, join, scan, split) };
}

/**
 * The rows of a view that may win for some row of all shards, found by Trino in one query.
 * @param entities the entity rows of all shards
 * @returns `release` drops what was staged
 */
export async function openViewOnTrino(
  context: Omit<JoinContext, 'runEngine'>,
  { join }: ReducibleView,
  entities: EntityRelation,
  split: Split,
): Promise<OpenedReduction & Pick<OpenedRows, 'release'>> {
  const { session } = context;
  const frame = await loadEntityFrame(session, keysAndTimes(entities, join), 'entities_of_all_shards');
  const { rows } = await openFeatureRows({ ...context, runEngine: 'trino' }, frame, join, 'all_shards');
  const { release } = rows;
  try {
    const { scan } = rows.opened;
    return { opened: [scan], select: await splitRowsSql(session, rows.join, scan, split), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Entity rows as far as a view is joined on them, each once. */
function keysAndTimes({ schema, relation }: EntityRelation, { view, joinKeyMap }: ViewJoin): EntityRelation {
  const time = entityTimestamp(schema.fields);
  const keys = new Set(view.joinKeys.map(({ name }) => joinKeyMap.get(name) ?? name));
  const names = schema.fields.map((_, index) => `c${index}`);
  const isNeeded = (field: NestedField): boolean => field === time || keys.has(field.name);
  const needed = names.filter((_, index) => isNeeded(schema.fields[index] as NestedField));
  return {
    schema: { ...schema, fields: schema.fields.filter(isNeeded) },
    relation: `(SELECT DISTINCT ${needed.join(', ')} FROM ${relation} AS e(${names.join(', ')}))`,
  };
}

/** The rows of a scan in the columns of {@link reducedViewSchema}. */
async function splitRowsSql(
  connection: Connection,
  { view, source, joinKeyMap, sequenceFieldId }: ViewJoin,
  opened: OpenFiles,
  split: Split,
): Promise<string> {
  const scan = await viewScanSql(connection, view, source.schema, opened, { sequenceFieldId });
  const keys = view.joinKeys.map((key) => columnAlias(key.sourceFieldId));
  const names = view.joinKeys.map(({ name }) => joinKeyMap.get(name) ?? name);
  const shard = shardOfKeysSql(
    split.columns.flatMap((column) => keys[names.indexOf(column)] ?? []),
    split.shards,
  );
  const columns = namedColumns(view).map(([name, { sourceFieldId }]) => `${columnAlias(sourceFieldId)} AS ${name}`);
  const counts = [...keys, columnAlias(view.timestamp.sourceFieldId)].map((column) => `${column} IS NOT NULL`);
  return [
    `SELECT (${shard})::INTEGER AS shard, ${columns.join(', ')}, ${SEQUENCE_COLUMN} AS seq`,
    `FROM ${scan} WHERE ${counts.join(' AND ')}`,
  ].join(' ');
}
