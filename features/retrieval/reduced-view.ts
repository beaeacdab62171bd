/**
 * Reducing the rows of views before there are entity rows: parts read the files of a view's source, each other ones, and leave the rows
 * that can count, by the shard of the entity rows that they can count for.
 */
import { type Connection, columnAlias } from '../../engine/index.js';
import type { BoundExpression, IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import { chooseEngine, namedColumns, schemaOf } from '../../reduction/index.js';
import { openScan, planSource } from '../../scans/index.js';
import type { ScanPlan } from '../../tables/index.js';
import { sameType } from '../definitions/feature-type.js';
import { SEQUENCE_COLUMN, viewScanSql } from '../views/view-scan.js';
import { type ExpectedFrame, timeFilter } from './expected-join.js';
import type { HistoricalDeps, HistoricalRequest } from './historical-features.js';
import { type PlannedView, planRetrieval } from './retrieval-plan.js';
import { selectivePart } from './selective-filter.js';
import { shardOfKeysSql } from './shard-of-keys.js';
import { featuresToRead, type ViewJoin } from './view-join.js';

/** A view whose rows can be split as the entity rows are. */
export interface ReducibleView {
  /** Its name in the request. */
  readonly alias: string;
  readonly join: ViewJoin;
  /** Files that can match. */
  readonly plan: ScanPlan;
  /** What rows in reach of the entity rows' times meet. */
  readonly filter: BoundExpression | undefined;
}

/** Views that can be split alike. */
export interface ReducibleViews {
  readonly views: readonly ReducibleView[];
  /** Columns of the entity rows that all of these views are joined on: they decide on the shard. */
  readonly columns: readonly string[];
}

type Request = Omit<HistoricalRequest, 'entities'>;

/**
 * The views of a retrieval that DuckDB reads as a whole and that are joined on some column in common. Of other views the shards read the
 * source: it has no keys to be split by; or few of its features are wanted, and all of them would have to be staged, since they decide ties.
 * @param frame the entity rows' columns, and their times as far as they are known
 * @param only the name of the one view that is wanted; all unless given
 */
export async function reducibleViews(
  deps: HistoricalDeps,
  request: Request,
  frame: Pick<ExpectedFrame, 'timesUs'> & { readonly columns: readonly NestedField[] },
  only?: string,
): Promise<ReducibleViews> {
  const { views } = await planRetrieval(deps, request);
  const found: (ReducibleView & { readonly names: readonly string[] })[] = [];
  for (const { requested, join } of views) {
    if (only !== undefined && requested.alias !== only) continue;
    const names = keyNames({ requested, join }, frame.columns);
    if (names.length === 0 || featuresToRead(join).length < join.view.features.length) continue;
    const filter = timeFilter(join.view, frame);
    const plan = await planSource(join.source, filter);
    const asks = { run: request.engine, view: join.view.engine };
    const read = { source: join.source.table, bytes: plan.stats.bytes };
    const isRead = plan.files.length > 0 && chooseEngine(deps.engines, read, asks).engine === 'duckdb';
    if (isRead) found.push({ alias: requested.alias, join, plan, filter, names });
  }
  const [first] = found;
  const columns = (first?.names ?? []).filter((name) => found.every(({ names }) => names.includes(name)));
  return columns.length === 0 ? { views: [], columns } : { views: found, columns };
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

/**
 * The rows of some files of a view, in the columns of {@link reducedViewSchema}, to be read on the connection.
 * @param split the shards, and the columns of the entity rows that they are split by
 */
export async function openReducedView(
  connection: Connection,
  { join: { view, source, joinKeyMap }, plan, filter }: ReducibleView,
  split: { readonly shards: number; readonly columns: readonly string[] },
) {
  const files = plan.files.map(({ file }) => file);
  const worthwhile = filter === undefined ? undefined : selectivePart(filter, files);
  const opened = await openScan(connection, source, plan, worthwhile);
  const scan = await viewScanSql(connection, view, source.schema, opened.scan);
  const keys = view.joinKeys.map((key) => columnAlias(key.sourceFieldId));
  const names = view.joinKeys.map(({ name }) => joinKeyMap.get(name) ?? name);
  const shard = shardOfKeysSql(
    split.columns.flatMap((column) => keys[names.indexOf(column)] ?? []),
    split.shards,
  );
  const columns = namedColumns(view).map(([name, { sourceFieldId }]) => `${columnAlias(sourceFieldId)} AS ${name}`);
  const counts = [...keys, columnAlias(view.timestamp.sourceFieldId)].map((column) => `${column} IS NOT NULL`);
  const select = [
    `SELECT (${shard})::INTEGER AS shard, ${columns.join(', ')}, ${SEQUENCE_COLUMN} AS seq`,
    `FROM ${scan} WHERE ${counts.join(' AND ')}`,
  ].join(' ');
  return { opened: [opened.scan], select };
}
