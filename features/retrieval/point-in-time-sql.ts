/**
 * SQL of the point-in-time join: for each row of an entity frame, the feature row that was newest at its time.
 * Times are 64-bit counts of the feature table's own unit, with which the frame's times are compared exactly: the
 * last feature time at or before T is `floor(T)` in that unit, the first at or after `T - ttl` is `ceil(T - ttl)`.
 */
import type { IcebergType } from '../../iceberg/index.js';
import { type OrderColumns, orderTuple, packFields, unpackField } from '../views/feature-order.js';

/** Resolution of a timestamp column. */
export type TimeUnit = 'us' | 'ns';

/**
 * How to join. All give the same rows:
 * `arg-max`: hash join on the keys with the time range as a residual, keeping the largest row; cheapest while few pairs match, does not spill;
 * `max-join-back`: the same join for the newest time only, then the rows of those times;
 * `asof-join-back`: an ASOF join of keys and times, then the rows of those times; sorts both sides, however many pairs share their keys.
 */
export type JoinMethod = 'arg-max' | 'max-join-back' | 'asof-join-back';

/**
 * Feature rows as a relation with columns `k0..`, `t`, `c` if there is a created time, `q` if there are sequence numbers, `f0..` as far as
 * they are read, and {@link ROW_PLACE} if some are not.
 */
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
  /** Indexes of the features that the relation has, in order: all, or the selected ones. */
  readonly read: readonly number[];
}

/** Columns that name a row of the source: its file and its position there. */
export const ROW_PLACE = ['file_place', 'row_place'] as const;

/** Whether features that may decide a tie are not in the relation. */
export function isPartial({ read, featureTypes }: Pick<FeatureRows, 'read' | 'featureTypes'>): boolean {
  return read.length < featureTypes.length;
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

const UNKNOWN: IcebergType = { kind: 'unknown' };
const NS_PER_US = 1000n;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Names of the temporary tables of a join. */
export function joinTables({ prefix }: Pick<PointInTimeJoin, 'prefix'>): JoinTables {
  const names = ['probe', 'keys', 'pairs', 'winners', 'moments', 'newest', 'places', 'result'] as const;
  return Object.fromEntries(names.map((name) => [name, `${prefix}_${name}`])) as unknown as JoinTables;
}

/** Temporary tables of a join. */
export interface JoinTables {
  /** Frame rows with their keys and times. */
  readonly probe: string;
  /** Distinct keys of the frame's rows that can match, and how many of these each has. Its place there (`rowid`) is an entity's number. */
  readonly keys: string;
  /** Every pair of a frame row and a feature row that counts for it. */
  readonly pairs: string;
  /** Frame rows with the time of the feature row that wins. */
  readonly winners: string;
  /** Distinct keys and times of the winners. */
  readonly moments: string;
  /** One feature row of each moment. */
  readonly newest: string;
  /** Ranks of rows that are tied. */
  readonly places: string;
  /** Features in the frame's order. */
  readonly result: string;
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
  if (needsCreated(join)) {
    columns.push(`${floorTo(time, frame.timeUnit, rows.createdUnit ?? rows.timeUnit)} AS known`);
    if (hasTwoUnits(rows)) columns.push(`${nanoseconds(time, frame.timeUnit)} AS time_ns`);
  }
  return `CREATE TEMPORARY TABLE ${joinTables(join).probe} AS SELECT ${columns.join(', ')} FROM ${frame.table}`;
}

/** Whether event and created times are counts of different units. */
export function hasTwoUnits({ timeUnit, createdUnit }: FeatureRows): boolean {
  return createdUnit !== null && createdUnit !== timeUnit;
}

/** A count of a unit as one of nanoseconds, of 128 bits. */
export function nanoseconds(time: string, unit: TimeUnit): string {
  return unit === 'us' ? `${time}::HUGEINT * ${NS_PER_US}` : `${time}::HUGEINT`;
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

/** Statements that drop what a join made except its result. */
export function dropStatements(join: PointInTimeJoin): readonly string[] {
  const { probe, keys, pairs, winners, moments, newest } = joinTables(join);
  return [probe, keys, pairs, winners, moments, newest].map((table) => `DROP TABLE IF EXISTS ${table}`);
}

/** Names of the key columns. */
export function keyColumns(keyCount: number): readonly string[] {
  return Array.from({ length: keyCount }, (_, index) => `k${index}`);
}

/** Conditions that rows `s` are of the entity of a row of `left`. */
export function keyMatch(join: PointInTimeJoin, left: string): readonly string[] {
  return keyColumns(join.rows.keyCount).map((key) => `${left}.${key} = s.${key}`);
}

/** Conditions that rows `s` count for a row of the probe table, `p`. */
export function inRange(join: PointInTimeJoin): readonly string[] {
  return ['s.t <= p.hi', ...(join.ttlUs === null ? [] : ['s.t >= p.lo']), ...known(join, 'p')];
}

/** Whether rows have to be created in time. A view without created times does not say when its rows were written: all count. */
export function needsCreated({ knownAsOf, rows }: Pick<PointInTimeJoin, 'knownAsOf' | 'rows'>): boolean {
  return knownAsOf && rows.createdUnit !== null;
}

/** Conditions that rows `s` were created in time for a row of `left`. */
export function known(join: PointInTimeJoin, left: string): readonly string[] {
  return needsCreated(join) ? [`s.c <= ${left}.known`] : [];
}

/** The order among feature rows, as columns with a prefix; with the given features, all by default. */
export function orderColumns(
  rows: FeatureRows,
  prefix: string,
  features: readonly number[] = rows.featureTypes.map((_, index) => index),
): OrderColumns {
  return {
    timestamp: `${prefix}t`,
    created: rows.createdUnit === null ? undefined : `${prefix}c`,
    sequenceNumber: rows.hasSequenceNumber ? `${prefix}q` : undefined,
    features: features.map((index) => ({ sql: `${prefix}f${index}`, type: rows.featureTypes[index] ?? UNKNOWN })),
  };
}

/**
 * The statement of `arg-max`, after {@link probeStatement}. It makes the result table: the selected features as `f0..`, one row per frame
 * row, in the frame's order.
 */
export function argMaxStatement(join: PointInTimeJoin): string {
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
