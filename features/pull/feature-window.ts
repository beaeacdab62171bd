/**
 * Retrieval without entity rows: every feature row of a window of event times, closed at both ends.
 * One view: each of its rows as it is, tied and superseded ones too. Several views: one row for each distinct (join keys, event time)
 * that any of them has in the window, and every view joined as of that time, as `getHistoricalFeatures` joins them.
 * That is what Feast's SQL stores answer without `entity_df` (`postgres.py`, `MULTIPLE_FEATURE_VIEW_POINT_IN_TIME_JOIN`), but for
 * one thing: they look for the other views' rows inside the window only, and here a value from before it is found too. (Feast's Dask
 * and Spark stores give one row per entity as of the end instead, its DuckDB store refuses.)
 */
import type { Connection } from '../../engine/index.js';
import { sqlType } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { BoundExpression, IcebergType, NestedField } from '../../iceberg/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { acceptsType, featureTypeToString, isNanosecondType } from '../definitions/feature-type.js';
import { readReport } from '../read-report.js';
import { type EntityFrame, EVENT_TIMESTAMP, timeSql } from '../retrieval/entity-frame.js';
import type { PlannedView } from '../retrieval/retrieval-plan.js';
import { featureRowsSql, type JoinedView, unitOf } from '../retrieval/view-join.js';
import { readScalar } from '../sql-session.js';
import { newestFirst } from '../views/feature-order.js';
import { viewScanSql } from '../views/view-scan.js';

/** Event times, microseconds since the epoch, both included. */
export interface FeatureWindow {
  /** Unless given: the end minus the longest ttl of the views, or 30 days if none has one. */
  readonly startUs?: bigint;
  /** Now unless given. */
  readonly endUs?: bigint;
}

const DEFAULT_WINDOW_US = 30n * 86_400_000_000n;
const WINDOW_TABLE = 'window_rows';

/** A window with both its ends, as Feast completes it (`utils.py`, `compute_non_entity_date_range`). @throws INVALID_ARGUMENT */
export function wholeWindow(
  window: FeatureWindow,
  ttlsUs: readonly (bigint | null)[],
  nowUs: bigint,
): Required<FeatureWindow> {
  const endUs = window.endUs ?? nowUs;
  const longest = ttlsUs.reduce<bigint>((max, ttl) => (ttl !== null && ttl > max ? ttl : max), 0n);
  const startUs = window.startUs ?? endUs - (longest > 0n ? longest : DEFAULT_WINDOW_US);
  if (startUs <= endUs) return { startUs, endUs };
  throw new MoraineError('INVALID_ARGUMENT', 'The window ends before it starts.');
}

/** Columns of the frame that a window makes: the views' join keys under their names in the frame, and the event time. */
export function windowColumns(views: readonly PlannedView[]): readonly NestedField[] {
  const types = new Map<string, IcebergType>();
  for (const { join } of views) {
    for (const key of join.view.joinKeys) {
      const name = join.joinKeyMap.get(key.name) ?? key.name;
      types.set(name, commonType(name, types.get(name) ?? key.type, key.type));
    }
  }
  const fields = [...types, [EVENT_TIMESTAMP, timeType(views)] as const];
  return fields.map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
}

/** @throws TYPE_MISMATCH */
function commonType(name: string, a: IcebergType, b: IcebergType): IcebergType {
  if (acceptsType(a, b)) return a;
  if (acceptsType(b, a)) return b;
  const [first, second] = [featureTypeToString(a), featureTypeToString(b)];
  throw new MoraineError(
    'TYPE_MISMATCH',
    `Join key '${name}' is of type ${first} in one view and ${second} in another.`,
  );
}

/** The views' own type of event time; where they differ, a zoned one of the finer unit. */
function timeType(views: readonly PlannedView[]): IcebergType {
  const types = views.map(({ join }) => join.view.timestamp.type);
  const [first = { kind: 'timestamptz' }] = types;
  if (types.every((type) => type.kind === first.kind)) return first;
  return { kind: types.some(isNanosecondType) ? 'timestamptz_ns' : 'timestamptz' };
}

/** The frame of a window. */
export interface OpenedWindow {
  readonly frame: EntityFrame;
  /** The only view, if there is one only. */
  readonly joins: ReadonlyMap<string, JoinedView>;
  readonly window: Required<FeatureWindow>;
}

/** Makes the frame of a window in a temporary table; of a single view its features come along. */
export async function openWindow(
  session: Connection,
  views: readonly PlannedView[],
  given: FeatureWindow,
): Promise<OpenedWindow> {
  const nowUs = BigInt(Date.now()) * 1000n;
  const ttls = views.map(({ join }) => join.view.ttlUs);
  const window = wholeWindow(given, ttls, nowUs);
  const columns = windowColumns(views);
  const parts: WindowPart[] = [];
  for (const view of views) parts.push(await openPart(session, view, window));
  const [only] = parts;
  const single = only !== undefined && parts.length === 1;
  const rows = single ? everyRow(only, columns) : distinctRows(parts, columns);
  await session.run(`CREATE TEMPORARY TABLE ${WINDOW_TABLE} AS SELECT row_number() OVER () - 1 AS r, * FROM (${rows})`);
  const rowCount = Number(await readScalar(session, `SELECT count(*) FROM ${WINDOW_TABLE}`));
  const time = timeSql(`c${columns.length - 1}`, timeType(views));
  const joined = single ? [[only.view.requested.alias, only.joined] as const] : [];
  return { frame: { table: WINDOW_TABLE, columns, ...time, rowCount }, joins: new Map(joined), window };
}

/** The rows of one view that are in the window. */
interface WindowPart {
  readonly view: PlannedView;
  /** Stands after FROM; columns as `featureRowsSql` names them. */
  readonly relation: string;
  readonly joined: JoinedView;
}

async function openPart(session: Connection, view: PlannedView, window: Required<FeatureWindow>): Promise<WindowPart> {
  const { source, view: resolved, knownAsOf } = view.join;
  const filter = windowFilter(view, window);
  const opened = await openScan(session, source, await planSource(source, filter), filter);
  const scan = await viewScanSql(session, resolved, source.schema, opened.scan);
  const known = knownAsOf && resolved.created !== null ? ` WHERE ${createdInTime(view)}` : '';
  return {
    view,
    relation: `(SELECT * FROM ${featureRowsSql(resolved, scan)}${known})`,
    joined: {
      table: WINDOW_TABLE,
      method: 'window',
      filesRead: opened.scan.files.length,
      filesSkipped: opened.stats.filesSkipped,
      read: readReport(opened),
      engine: 'duckdb',
    },
  };
}

function windowFilter({ join }: PlannedView, { startUs, endUs }: Required<FeatureWindow>): BoundExpression {
  const { sourceFieldId, sourceColumn, type } = join.view.timestamp;
  const ref = { fieldId: sourceFieldId, path: sourceColumn, type, required: false, nested: false };
  const literal = (us: bigint): bigint => (isNanosecondType(type) ? us * 1000n : us);
  const children: readonly BoundExpression[] = [
    { op: 'gt-eq', ref, literal: literal(startUs) },
    { op: 'lt-eq', ref, literal: literal(endUs) },
  ];
  return { op: 'and', children };
}

/** Rows that were created at or before their own event time; those created at no known time were not. */
function createdInTime({ join }: PlannedView): string {
  const { created, timestamp } = join.view;
  const nanoseconds = (column: string, type: IcebergType | undefined): string =>
    `${column}::HUGEINT * ${type !== undefined && unitOf(type) === 'us' ? 1000 : 1}`;
  return `${nanoseconds('c', created?.type)} <= ${nanoseconds('t', timestamp.type)}`;
}

/** The keys and the time of a part as the frame's columns; a key that the view lacks is null. */
function frameColumns({ view }: WindowPart, columns: readonly NestedField[]): readonly string[] {
  const { joinKeys, timestamp } = view.join.view;
  const names = joinKeys.map((key) => view.join.joinKeyMap.get(key.name) ?? key.name);
  return columns.map((column, index) => {
    if (index === columns.length - 1) return `${timeFromCount(timestamp.type, column.type)} AS c${index}`;
    const key = names.indexOf(column.name);
    return `${key < 0 ? 'NULL' : `k${key}`}::${sqlType(column.type)} AS c${index}`;
  });
}

/** A time of a type, from the count `t` of the view's unit. */
function timeFromCount(from: IcebergType, to: IcebergType): string {
  if (isNanosecondType(to)) return `make_timestamp_ns(t${unitOf(from) === 'us' ? ' * 1000' : ''})`;
  return to.kind === 'timestamptz' ? 'make_timestamptz(t)' : 'make_timestamp(t)';
}

/** Every row, by time and keys; of rows that are equal in both the one that wins ties comes first. */
function everyRow(part: WindowPart, columns: readonly NestedField[]): string {
  const { joinKeys, created, features } = part.view.join.view;
  const order = newestFirst(
    {
      timestamp: 't',
      created: created === null ? undefined : 'c',
      sequenceNumber: 'q',
      features: features.map(({ type }, index) => ({ sql: `f${index}`, type })),
    },
    { sameTime: true },
  );
  const outputs = [...frameColumns(part, columns), ...features.map((_, index) => `f${index}`)];
  const terms = ['t', ...joinKeys.map((_, index) => `k${index} NULLS LAST`), ...order];
  return `SELECT ${outputs.join(', ')} FROM ${part.relation} ORDER BY ${terms.join(', ')}`;
}

/** Each distinct (join keys, time) once, by time and keys. */
function distinctRows(parts: readonly WindowPart[], columns: readonly NestedField[]): string {
  const union = parts
    .map((part) => `SELECT ${frameColumns(part, columns).join(', ')} FROM ${part.relation}`)
    .join(' UNION ');
  const keys = columns.slice(0, -1).map((_, index) => `c${index} NULLS LAST`);
  return `SELECT * FROM (${union}) ORDER BY ${[`c${columns.length - 1}`, ...keys].join(', ')}`;
}
