/**
 * SQL of the point-in-time join: for each row of an entity frame, the feature row that was newest at its time.
 * Times are 64-bit counts of the feature table's own unit, with which the frame's times are compared exactly: the
 * last feature time at or before T is `floor(T)` in that unit, the first at or after `T - ttl` is `ceil(T - ttl)`.
 */
import type { IcebergType } from '../iceberg/index.js';
import { newestFirst, type OrderColumns, orderTuple, packFields, unpackField } from './feature-order.js';

/** Resolution of a timestamp column. */
export type TimeUnit = 'us' | 'ns';

/**
 * How to join. All give the same rows:
 * `arg-max`: hash join on the keys with the time range as a residual, keeping the largest row; cheapest while few pairs match, does not spill;
 * `max-join-back`: the same join for the newest time only, then the rows of those times;
 * `asof-join-back`: an ASOF join of keys and times, then the rows of those times; its cost does not depend on how many pairs match.
 */
export type JoinMethod = 'arg-max' | 'max-join-back' | 'asof-join-back';

/** Feature rows as a relation with columns `k0..`, `t`, `c` if there is a created time, `q` if there are sequence numbers, `f0..`. */
export interface FeatureRows {
  /** Anything that can follow FROM. */
  readonly relation: string;
  readonly keyCount: number;
  readonly timeUnit: TimeUnit;
  readonly createdUnit: TimeUnit | null;
  readonly hasSequenceNumber: boolean;
  /** Types of all features of the view, in its order. */
  readonly featureTypes: readonly IcebergType[];
  /** Indexes of the features to return. */
  readonly selected: readonly number[];
}

/** The entity frame's side of a join. */
export interface FrameRows {
  /** A table with a column `r`, the row's number. */
  readonly table: string;
  /** SQL of each join key, already of the feature table's type. Null matches nothing. */
  readonly keys: readonly string[];
  /** SQL of the row's time as a 64-bit count of `timeUnit`. */
  readonly time: string;
  readonly timeUnit: TimeUnit;
}

/** One view's join. */
export interface PointInTimeJoin {
  readonly frame: FrameRows;
  readonly rows: FeatureRows;
  /** Null: no lower bound. */
  readonly ttlUs: bigint | null;
  /** Only rows created at or before the frame row's time count; rows without a created time do not. */
  readonly knownAsOf: boolean;
  /** Prefix of the temporary tables' names. */
  readonly prefix: string;
}

const NS_PER_US = 1000n;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Names of the temporary tables of a join. */
export function joinTables(join: PointInTimeJoin): {
  readonly probe: string;
  readonly winners: string;
  readonly result: string;
} {
  return { probe: `${join.prefix}_probe`, winners: `${join.prefix}_winners`, result: `${join.prefix}_result` };
}

/** Makes the probe table: one row per frame row with its keys and the closed range `lo..hi` of feature times that count. */
export function probeStatement(join: PointInTimeJoin): string {
  const { frame, rows } = join;
  const time = `(${frame.time})::HUGEINT`;
  const columns = ['r', ...frame.keys.map((key, index) => `${key} AS k${index}`)];
  columns.push(`${floorTo(time, frame.timeUnit, rows.timeUnit)} AS hi`);
  if (join.ttlUs !== null) {
    const ttl = frame.timeUnit === 'ns' ? join.ttlUs * NS_PER_US : join.ttlUs;
    columns.push(`${ceilTo(`(${time} - ${ttl}::HUGEINT)`, frame.timeUnit, rows.timeUnit)} AS lo`);
  }
  if (join.knownAsOf && rows.createdUnit !== null) {
    columns.push(`${floorTo(time, frame.timeUnit, rows.createdUnit)} AS known`);
  }
  return `CREATE TEMPORARY TABLE ${joinTables(join).probe} AS SELECT ${columns.join(', ')} FROM ${frame.table}`;
}

/** The largest value of a unit that is not after `time`, clamped to 64 bits. */
function floorTo(time: string, from: TimeUnit, to: TimeUnit): string {
  if (from === to) return clamp(time);
  return clamp(from === 'us' ? `${time} * ${NS_PER_US}` : floorThousandth(time));
}

/** The smallest value of a unit that is not before `time`, clamped to 64 bits. */
function ceilTo(time: string, from: TimeUnit, to: TimeUnit): string {
  if (from === to) return clamp(time);
  return clamp(from === 'us' ? `${time} * ${NS_PER_US}` : `-${floorThousandth(`(-${time})`)}`);
}

/** Integer division by 1000 that rounds down for negative numbers too. */
function floorThousandth(time: string): string {
  return `((${time} - ((${time} % ${NS_PER_US}) + ${NS_PER_US}) % ${NS_PER_US}) // ${NS_PER_US})`;
}

/** Into 64 bits. `least` and `greatest` pass over nulls, and a frame row without a time must match nothing. */
function clamp(value: string): string {
  const inside = `greatest(least(${value}, ${INT64_MAX}::HUGEINT), '${INT64_MIN}'::HUGEINT)::BIGINT`;
  return `CASE WHEN ${value} IS NOT NULL THEN ${inside} END`;
}

/**
 * The statements of a join, after {@link probeStatement}. They make the result table: the selected features as `f0..`, and perhaps
 * other columns, one row per frame row, in the frame's order.
 */
export function joinStatements(join: PointInTimeJoin, method: JoinMethod): readonly string[] {
  if (method === 'arg-max') return [argMaxStatement(join)];
  return [winnersStatement(join, method), joinBackStatement(join), tieStatement(join)];
}

/** Statements that drop what a join made except its result. */
export function dropStatements(join: PointInTimeJoin): readonly string[] {
  const { probe, winners } = joinTables(join);
  return [`DROP TABLE IF EXISTS ${winners}`, `DROP TABLE IF EXISTS ${probe}`];
}

function keyMatch(join: PointInTimeJoin, left: string): readonly string[] {
  return Array.from({ length: join.rows.keyCount }, (_, index) => `${left}.k${index} = s.k${index}`);
}

function inRange(join: PointInTimeJoin): readonly string[] {
  return ['s.t <= p.hi', ...(join.ttlUs === null ? [] : ['s.t >= p.lo']), ...known(join, 'p')];
}

function known(join: PointInTimeJoin, left: string): readonly string[] {
  if (!join.knownAsOf) return [];
  // A view without created times knows nothing of when rows were written: nothing is left out.
  return join.rows.createdUnit === null ? [] : [`s.c <= ${left}.known`];
}

function orderColumns(rows: FeatureRows, prefix: string): OrderColumns {
  return {
    timestamp: `${prefix}t`,
    created: rows.createdUnit === null ? undefined : `${prefix}c`,
    sequenceNumber: rows.hasSequenceNumber ? `${prefix}q` : undefined,
    features: rows.featureTypes.map((type, index) => ({ sql: `${prefix}f${index}`, type })),
  };
}

function argMaxStatement(join: PointInTimeJoin): string {
  const { rows } = join;
  const { probe, result } = joinTables(join);
  const typeOf = (feature: number) => rows.featureTypes[feature];
  const row = rows.selected
    .flatMap((feature) => packFields(`f${feature}`, `s.f${feature}`, typeOf(feature)))
    .join(', ');
  const output = rows.selected.map(
    (feature) => `${unpackField('m.newest', `f${feature}`, typeOf(feature))} AS f${feature}`,
  );
  return [
    `CREATE TEMPORARY TABLE ${result} AS SELECT ${output.join(', ')} FROM ${probe} AS e LEFT JOIN (`,
    `SELECT p.r, arg_max(struct_pack(${row}), ${orderTuple(orderColumns(rows, 's.'))}) AS newest`,
    `FROM ${probe} AS p JOIN ${rows.relation} AS s ON ${[...keyMatch(join, 'p'), ...inRange(join)].join(' AND ')}`,
    'GROUP BY p.r) AS m ON e.r = m.r ORDER BY e.r',
  ].join(' ');
}

function winnersStatement(join: PointInTimeJoin, method: 'max-join-back' | 'asof-join-back'): string {
  const { probe, winners } = joinTables(join);
  const carried = ['r', ...Array.from({ length: join.rows.keyCount }, (_, index) => `k${index}`)];
  if (join.knownAsOf && join.rows.createdUnit !== null) carried.push('known');
  const columns = carried.map((column) => `p.${column}`).join(', ');
  const from = method === 'max-join-back' ? newestByAggregate(join, probe) : newestByAsof(join, probe);
  return `CREATE TEMPORARY TABLE ${winners} AS SELECT ${columns}, ${from}`;
}

function newestByAggregate(join: PointInTimeJoin, probe: string): string {
  const on = [...keyMatch(join, 'p'), ...inRange(join)].join(' AND ');
  const newest = `SELECT p.r, max(s.t) AS t FROM ${probe} AS p JOIN ${join.rows.relation} AS s ON ${on} GROUP BY p.r`;
  return `n.t FROM ${probe} AS p LEFT JOIN (${newest}) AS n ON p.r = n.r`;
}

/** ASOF finds the right time whichever of the tied rows it takes; only times are kept. */
function newestByAsof(join: PointInTimeJoin, probe: string): string {
  const keys = Array.from({ length: join.rows.keyCount }, (_, index) => `k${index}`);
  const narrow = `(SELECT ${[...keys, 't'].join(', ')} FROM ${join.rows.relation} WHERE t IS NOT NULL)`;
  const time = join.ttlUs === null ? 's.t' : 'CASE WHEN s.t >= p.lo THEN s.t END';
  return `${time} AS t FROM ${probe} AS p ASOF LEFT JOIN ${narrow} AS s ON ${[...keyMatch(join, 'p'), 'p.hi >= s.t'].join(' AND ')}`;
}

/**
 * Brings every row of the winning times, sorted into the frame's order by its number alone: ties are rare, and a sort by all that
 * decides among them costs several times as much.
 */
function joinBackStatement(join: PointInTimeJoin): string {
  const { rows } = join;
  const { winners, result } = joinTables(join);
  const features = rows.featureTypes.map((_, index) => `f${index}`);
  const carried = [...(rows.createdUnit === null ? [] : ['c']), ...(rows.hasSequenceNumber ? ['q'] : []), ...features];
  const on = [...keyMatch(join, 'w'), 'w.t = s.t', ...known(join, 'w')].join(' AND ');
  const matched = `SELECT ${['w.r', ...carried.map((column) => `s.${column}`)].join(', ')} FROM ${winners} AS w JOIN ${rows.relation} AS s ON ${on}`;
  const unmatched = `SELECT ${['r', ...carried.map(() => 'NULL')].join(', ')} FROM ${winners} WHERE t IS NULL`;
  return `CREATE TEMPORARY TABLE ${result} AS SELECT * FROM (${matched} UNION ALL ${unmatched}) ORDER BY r`;
}

/** Deletes the rows that lose a tie; the others stay where they are. */
function tieStatement(join: PointInTimeJoin): string {
  const { result } = joinTables(join);
  const tied = `SELECT r FROM (SELECT r, lag(r) OVER () AS above FROM ${result}) WHERE r = above`;
  const order = newestFirst(orderColumns(join.rows, ''), { sameTime: true }).join(', ');
  const ranked = [
    `SELECT rowid AS row, row_number() OVER (PARTITION BY r ORDER BY ${order}) AS place`,
    `FROM ${result} WHERE r IN (${tied})`,
  ].join(' ');
  return `DELETE FROM ${result} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`;
}
