/** One view's part of a retrieval: from its source table's files to a temporary table of features in the frame's order. */
import { type Connection, columnAlias } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import {
  type ChosenEngine,
  chooseEngine,
  type EngineChoice,
  type EngineType,
  openReducedRows,
  type ReduceContext,
  type ReducedRows,
  requireAlike,
  type SizedRead,
} from '../../reduction/index.js';
import { EMPTY_SCAN, type OpenedScan, openScan, type PinnedSource, planSource } from '../../scans/index.js';
import type { ScanPlan } from '../../tables/index.js';
import { type ReadReport, readReport, reportOf } from '../read-report.js';
import { readScalar } from '../sql-session.js';
import { survivesPacking } from '../views/feature-order.js';
import type { ResolvedColumn, ResolvedView } from '../views/resolve-view.js';
import { PLACE_COLUMNS, SEQUENCE_COLUMN, viewScanSql } from '../views/view-scan.js';
import type { ReadFeatures } from './break-ties.js';
import { distinctOfAll, sampleFiles } from './distinct-sample.js';
import { type EntityFrame, frameKeys, timeSql } from './entity-frame.js';
import { type ProbeBounds, probeBounds, spanUs } from './join-bounds.js';
import { chooseJoinMethod, dependsOnFrequentPairs, FREQUENT_FRAME_ROWS, type JoinShape } from './join-method.js';
import {
  dropStatements,
  type JoinMethod,
  joinTables,
  keyMatch,
  type PointInTimeJoin,
  probeStatement,
  ROW_PLACE,
  type TimeUnit,
} from './point-in-time-sql.js';
import { onStagedRows, reduceJoin } from './reduced-join.js';
import { runJoin } from './run-join.js';
import { selectivePart } from './selective-filter.js';

/** One view to join. */
export interface ViewJoin {
  readonly view: ResolvedView;
  readonly source: PinnedSource;
  /** Features to return. */
  readonly selected: readonly ResolvedColumn[];
  readonly joinKeyMap: ReadonlyMap<string, string>;
  readonly knownAsOf: boolean;
  /** Overrides the choice, for tests and measurements. */
  readonly method?: JoinMethod | undefined;
  /** The column of the source with each row's sequence number, where its rows are staged; else it is that of the row's file. */
  readonly sequenceFieldId?: number | undefined;
}

/** Result of the join of one view. */
export interface JoinedView {
  /** Temporary table with one column per selected feature and one row per frame row, in the frame's order. */
  readonly table: string;
  /** `window`: the view's own rows are the frame. */
  readonly method: JoinMethod | 'window';
  readonly filesRead: number;
  readonly filesSkipped: number;
  readonly read: ReadReport;
  /** Who reduced the feature rows. */
  readonly engine: ChosenEngine['engine'];
}

/** Dependencies of joining besides the connection. */
export interface JoinContext extends ReduceContext {
  readonly session: Connection;
  readonly memoryLimitBytes: number;
  /** Engines that may reduce the feature rows; absent: only DuckDB. */
  readonly engines?: EngineChoice | undefined;
  /** What the retrieval asks for, before its views. */
  readonly runEngine?: EngineType | undefined;
}

/** A join that is decided and not yet run: its probe table is made, its files are open. */
export interface PreparedJoin {
  readonly sql: PointInTimeJoin;
  readonly method: JoinMethod;
  readonly read: ReadReport;
  /** Null: no frame row can match, and nothing is read. */
  readonly bounds: ProbeBounds | null;
  /** The figures by which the method was chosen; null when there was nothing to choose. */
  readonly shape: JoinShape | null;
  readonly readFeatures: ReadFeatures;
  /** Who reduces the feature rows. */
  readonly engine: ChosenEngine;
  /** Drops what was staged. */
  release(): Promise<void>;
}

/** Where a join's rows are read. */
export interface JoinOptions {
  /** False leaves the reduction on another engine out, and opens the source's own files in any case. */
  readonly reduces?: boolean;
  /** What parts have left of the source for the frame's rows, to be read in its place. */
  readonly reduced?: readonly ReducedRows[] | undefined;
}

/** Looks over the frame's keys and times, opens the files that can match, and chooses how to join. */
export async function prepareJoin(
  context: JoinContext,
  frame: EntityFrame,
  asked: ViewJoin,
  prefix: string,
  options: JoinOptions = {},
): Promise<PreparedJoin> {
  const { session } = context;
  const { sql, bounds, rows } = await openFeatureRows(context, frame, asked, prefix, options);
  const { join, opened, read, engine } = rows;
  const release = (): Promise<void> => rows.release();
  try {
    const readFeatures = (features: readonly number[]): Promise<string> => relationOf(session, join, opened, features);
    const complete = sql(await readFeatures(featuresToRead(join)));
    const known = { sql: complete, read, bounds, readFeatures, engine, release };
    if (bounds === null) return { ...known, method: join.method ?? 'arg-max', shape: null };
    const shape = await joinShape(context, { frame, join, opened, bounds, sql: complete });
    return { ...known, method: join.method ?? chooseJoinMethod(shape), shape };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The rows of a source that can match some row of a frame. */
export interface FeatureRows {
  readonly sql: (relation: string) => PointInTimeJoin;
  /** Null: none can. */
  readonly bounds: ProbeBounds | null;
  readonly rows: OpenedRows;
}

/** Looks over the frame's keys and times, and opens the rows that can match. */
export async function openFeatureRows(
  context: JoinContext,
  frame: EntityFrame,
  asked: ViewJoin,
  prefix: string,
  options: JoinOptions = {},
): Promise<FeatureRows> {
  const { session } = context;
  const sql = joinOfView(frame, asked, prefix);
  await session.run(probeStatement(sql('')));
  const bounds = await probeBounds(session, joinTables(sql('')), asked.view);
  const { probe } = joinTables(sql(''));
  const { reduced } = options;
  const rows =
    reduced === undefined
      ? await openSourceRows(context, { asked, bounds, probe }, options)
      : await openRowsOfParts(session, asked, reduced);
  return { sql, bounds, rows };
}

/** The feature rows of a join, ready to be read. */
export interface OpenedRows extends Pick<PreparedJoin, 'read' | 'engine' | 'release'> {
  readonly join: ViewJoin;
  readonly opened: OpenedScan;
}

/** The rows of the source, or what another engine has left of them. Without bounds no frame row can match: nothing needs to be read. */
async function openSourceRows(
  context: JoinContext,
  { asked, bounds, probe }: { readonly asked: ViewJoin; readonly bounds: ProbeBounds | null; readonly probe: string },
  { reduces = true }: JoinOptions,
): Promise<OpenedRows> {
  const { session, engines, runEngine } = context;
  const plan = bounds === null ? null : await planSource(asked.source, bounds.filter);
  const read = readOf(asked.source, plan?.stats.bytes ?? 0n);
  const engine = chooseEngine(engines, read, { run: runEngine, view: asked.view.engine });
  const inPlace = async (chosen: ChosenEngine): Promise<OpenedRows> => {
    const opened = await openJoin(session, asked, plan, bounds);
    return { join: asked, opened, read: readReport(opened), engine: chosen, release: () => Promise.resolve() };
  };
  const trino = engine.engine === 'trino' && reduces ? (engines?.trino ?? null) : null;
  if (trino === null || plan === null || bounds === null || plan.files.length === 0) return await inPlace(engine);
  const reduced = await reduceJoin(trino, session, { join: asked, plan, bounds, probe }, context).catch(hasMovedOn);
  // The answer is of the state that was pinned; its files are still there for DuckDB.
  if ('movedOn' in reduced) return await inPlace({ engine: 'duckdb', reason: reduced.movedOn });
  const release = (): Promise<void> => reduced.release();
  try {
    // Staged rows have been filtered, and have columns of their own.
    const opened = await openScan(session, reduced.join.source, await planSource(reduced.join.source));
    return { join: reduced.join, opened, read: reportOf(plan), engine, release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A read of a pinned source, as the engine is chosen by. */
export const readOf = ({ table, snapshot }: PinnedSource, bytes: bigint): SizedRead => ({
  source: table,
  bytes,
  snapshotIds: [snapshot?.snapshotId ?? null],
});

/** What it says if Trino no longer sees the state that was pinned. Throws other errors. */
function hasMovedOn(error: unknown): { readonly movedOn: string } {
  if (isMoraineError(error, 'PLAN_STALE')) return { movedOn: error.message };
  throw error;
}

/** Opens the files that can match. What the frame rules out is left out of their rows where that is worth it; the join checks all of it. */
async function openJoin(
  session: Connection,
  { source }: ViewJoin,
  plan: ScanPlan | null,
  bounds: ProbeBounds | null,
): Promise<OpenedScan> {
  if (plan === null || bounds === null) return EMPTY_SCAN;
  const files = plan.files.map(({ file }) => file);
  return await openScan(session, source, plan, selectivePart(bounds.filter, files));
}

/** The rows that parts have left of the source. */
async function openRowsOfParts(
  session: Connection,
  asked: ViewJoin,
  reduced: readonly ReducedRows[],
): Promise<OpenedRows> {
  const rows = requireAlike(reduced, `view '${asked.view.name}'`);
  const others = { engine: { engine: 'duckdb' as const, reason: null }, release: () => Promise.resolve() };
  if (rows === undefined) return { join: asked, opened: EMPTY_SCAN, read: readReport(EMPTY_SCAN), ...others };
  const { files } = rows;
  const { table, opened: scan } = await openReducedRows(session, asked.source.table.io, rows);
  const opened = {
    scan,
    rows: files.reduce((sum, { recordCount }) => sum + Number(recordCount), 0),
    stats: {
      ...EMPTY_SCAN.stats,
      filesTotal: files.length,
      bytes: files.reduce((sum, { fileSizeInBytes }) => sum + fileSizeInBytes, 0n),
    },
  };
  return { join: onStagedRows(asked, table), opened, read: readReport(opened), ...others };
}

/** Joins one view to the frame. The result table belongs to the session's connection. */
export async function joinView(
  context: JoinContext,
  frame: EntityFrame,
  join: ViewJoin,
  prefix: string,
  options: Pick<JoinOptions, 'reduced'> = {},
): Promise<JoinedView> {
  const { session } = context;
  const prepared = await prepareJoin(context, frame, join, prefix, options);
  const { sql, method, read, readFeatures, engine } = prepared;
  try {
    await runJoin(session, sql, method, readFeatures);
  } finally {
    await prepared.release();
  }
  for (const statement of dropStatements(sql)) await session.run(statement);
  return {
    table: joinTables(sql).result,
    method,
    filesRead: read.files,
    filesSkipped: read.filesSkipped,
    read,
    engine: engine.engine,
  };
}

/** The join as SQL needs it, for a relation of feature rows. */
function joinOfView(frame: EntityFrame, join: ViewJoin, prefix: string): (relation: string) => PointInTimeJoin {
  const { view } = join;
  const keys = frameKeys(frame, view, join.joinKeyMap);
  return (relation) => ({
    frame: { table: frame.table, keys, time: frame.time, timeUnit: frame.timeUnit },
    rows: {
      relation,
      keyCount: view.joinKeys.length,
      timeUnit: unitOf(view.timestamp.type),
      createdUnit: view.created === null ? null : unitOf(view.created.type),
      hasSequenceNumber: true,
      featureTypes: view.features.map((feature) => feature.type),
      selected: join.selected.map((feature) => view.features.indexOf(feature)),
      read: featuresToRead(join),
    },
    ttlUs: view.ttlUs,
    knownAsOf: join.knownAsOf,
    prefix,
  });
}

export const unitOf = (type: IcebergType): TimeUnit => timeSql('', type).timeUnit;

/** Features that are not asked for, for each that is, from which reading them for tied rows alone costs less than reading them for all. */
const MIN_UNREAD_SHARE = 2;

/** Indexes of the features that a join reads: all of the view, since they may decide ties, or those asked for. */
export function featuresToRead({ view, selected }: ViewJoin): readonly number[] {
  const all = view.features.map((_, index) => index);
  if (view.features.length - selected.length < selected.length * MIN_UNREAD_SHARE) return all;
  const wanted = new Set(selected);
  return all.filter((index) => wanted.has(view.features[index] as ResolvedColumn));
}

/** Feature rows with some features, as the join knows them. */
async function relationOf(
  session: Connection,
  { view, source, sequenceFieldId }: ViewJoin,
  opened: OpenedScan,
  features: readonly number[],
): Promise<string> {
  const withPlaces = features.length < view.features.length;
  const read = features.flatMap((index) => view.features[index] ?? []);
  const scan = await viewScanSql(session, { ...view, features: read }, source.schema, opened.scan, {
    withPlaces,
    sequenceFieldId,
  });
  return featureRowsSql(view, scan, { features, withPlaces });
}

/**
 * Names the columns of a view's scan as the join knows them: `k0..`, `t`, `c` if there is a created time, `q`, `f0..` of all or the given
 * features, and the places of rows if asked for.
 */
export function featureRowsSql(
  view: ResolvedView,
  scan: string,
  options: { readonly features?: readonly number[]; readonly withPlaces?: boolean } = {},
): string {
  const column = (resolved: ResolvedColumn): string => columnAlias(resolved.sourceFieldId);
  const wanted = options.features === undefined ? undefined : new Set(options.features);
  const outputs = [
    ...view.joinKeys.map((key, index) => `${column(key)} AS k${index}`),
    `${timeSql(column(view.timestamp), view.timestamp.type).time} AS t`,
    ...(view.created === null ? [] : [`${timeSql(column(view.created), view.created.type).time} AS c`]),
    `${SEQUENCE_COLUMN} AS q`,
    ...view.features.flatMap((feature, index) =>
      wanted === undefined || wanted.has(index) ? [`${column(feature)} AS f${index}`] : [],
    ),
    ...(options.withPlaces === true ? ROW_PLACE.map((name) => `${PLACE_COLUMNS[name]} AS ${name}`) : []),
  ];
  return `(SELECT ${outputs.join(', ')} FROM ${scan})`;
}

/** The join that a method is chosen for. */
interface JoinSides {
  readonly frame: EntityFrame;
  readonly join: ViewJoin;
  readonly opened: OpenedScan;
  readonly bounds: ProbeBounds;
  readonly sql: PointInTimeJoin;
}

/** The figures that a method is chosen by: averages, and counts that are looked up where averages do not settle it. */
async function joinShape(context: JoinContext, sides: JoinSides): Promise<JoinShape> {
  const { session } = context;
  const { join, opened, sql } = sides;
  const shape = averageShape(context, sides);
  if (join.method !== undefined) return shape;
  const surer = await withEntities(session, join, opened, shape);
  return dependsOnFrequentPairs(surer) ? { ...surer, frequentPairs: await countFrequentPairs(session, sql) } : surer;
}

function averageShape(context: JoinContext, { frame, join, opened, bounds }: JoinSides): JoinShape {
  const { view } = join;
  return {
    frameRows: frame.rowCount,
    featureRows: opened.rows,
    entities: bounds.entities,
    mostFrameRows: bounds.mostRows,
    frequentPairs: 0,
    keyCount: view.joinKeys.length,
    ttlUs: view.ttlUs,
    spanUs: spanUs(bounds, unitOf(view.timestamp.type)) ?? 0n,
    knownAsOf: join.knownAsOf,
    nestedFeatures: join.selected.some((feature) => !survivesPacking(feature.type)),
    rowBytes: join.selected.reduce((sum, feature) => sum + estimatedBytes(feature.type), 0),
    memoryLimitBytes: context.memoryLimitBytes,
  };
}

/** The frame may hold few of the table's entities: a look at some of the keys is cheap against choosing wrongly. */
async function withEntities(
  session: Connection,
  join: ViewJoin,
  opened: OpenedScan,
  shape: JoinShape,
): Promise<JoinShape> {
  if (shape.keyCount === 0 || chooseJoinMethod(shape) === 'arg-max') return shape;
  const entities = await estimateEntities(session, join, opened);
  return { ...shape, entities: Math.max(shape.entities, entities) };
}

/**
 * Pairs of frame and feature rows of the entities that are frequent in the frame. All files are read, of the keys alone: the rows of one
 * entity may lie in a few of them, which a sample misses.
 */
async function countFrequentPairs(session: Connection, join: PointInTimeJoin): Promise<number> {
  const frequent = `(SELECT * FROM ${joinTables(join).keys} WHERE n > ${FREQUENT_FRAME_ROWS})`;
  const pairs = `${frequent} AS p JOIN ${join.rows.relation} AS s ON ${keyMatch(join, 'p').join(' AND ')}`;
  return Number(await readScalar(session, `SELECT coalesce(sum(p.n), 0)::BIGINT FROM ${pairs}`));
}

/** Distinct entities of the feature rows, from the keys of some files. */
async function estimateEntities(session: Connection, { view, source }: ViewJoin, opened: OpenedScan): Promise<number> {
  const files = sampleFiles(opened.scan.files);
  const keys = view.joinKeys.map((_, index) => `k${index}`).join(', ');
  const scan = await viewScanSql(session, { ...view, features: [] }, source.schema, { ...opened.scan, files });
  const relation = featureRowsSql(view, scan, { features: [] });
  const distinct = await readScalar(session, `SELECT approx_count_distinct(ROW(${keys})) FROM ${relation}`);
  const rows = files.reduce((sum, file) => sum + Number(file.recordCount), 0);
  return distinctOfAll(Number(distinct), rows, opened.rows);
}

/** Bytes of a value in memory, guessed from its type. */
export function estimatedBytes(type: IcebergType): number {
  if (!survivesPacking(type)) return 256;
  return type.kind === 'string' || type.kind === 'binary' || type.kind === 'fixed' ? 40 : 16;
}
