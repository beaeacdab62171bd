/** SQL that finds, for each frame row, the time of the feature row that wins. Only keys and times are read. */
import { ENTITY_NUMBER, fromFeatureRows, numberedFrameRows } from './asof-sql.js';
import {
  hasTwoUnits,
  inRange,
  type JoinMethod,
  joinTables,
  keyColumns,
  keyMatch,
  nanoseconds,
  needsCreated,
  type PointInTimeJoin,
} from './point-in-time-sql.js';

/** Joins that find times first. */
export type JoinBackMethod = Exclude<JoinMethod, 'arg-max'>;

/** Makes the winners table: `r`, the keys, `t`, which is null if no row counts, and `known` if created times matter. */
export function winnersStatement(join: PointInTimeJoin, method: JoinBackMethod): string {
  const { probe, winners } = joinTables(join);
  const carried = ['r', ...keyColumns(join.rows.keyCount), ...(needsCreated(join) ? ['known'] : [])];
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
  const time = join.ttlUs === null ? 's.t' : 'CASE WHEN s.t >= p.lo THEN s.t END';
  const side = needsCreated(join) ? visibleRows(join) : eventRows(join);
  const frame = numberedFrameRows(join, probe, 'hi');
  return `${time} AS t FROM ${frame} AS p ASOF LEFT JOIN ${side.relation} AS s ON p.e = s.e AND ${side.probeTime} >= s.v`;
}

/** One side of an ASOF join: `v` is the time from which frame rows of entity `e` may have the time `t`. */
interface AsofSide {
  readonly relation: string;
  /** The column of the probe table that is compared with `v`. */
  readonly probeTime: string;
}

function eventRows(join: PointInTimeJoin): AsofSide {
  const relation = `(SELECT ${ENTITY_NUMBER}, s.t, s.t AS v ${fromFeatureRows(join)} WHERE s.t IS NOT NULL)`;
  return { relation, probeTime: 'p.hi' };
}

/**
 * A row is visible from the later of its event and its created time. Both bounds of a frame row are its one time, so that it sees all rows
 * that are visible from then on or before, and the newest event time among these is a running maximum: one inequality is left for ASOF.
 */
function visibleRows(join: PointInTimeJoin): AsofSide {
  const { rows } = join;
  const isMixed = hasTwoUnits(rows);
  const times = isMixed
    ? [nanoseconds('s.t', rows.timeUnit), nanoseconds('s.c', rows.createdUnit ?? rows.timeUnit)]
    : ['s.t', 's.c'];
  const visible = `greatest(${times.join(', ')})`;
  const usable = 's.t IS NOT NULL AND s.c IS NOT NULL';
  const seen = `(SELECT ${ENTITY_NUMBER}, s.t, ${visible} AS v ${fromFeatureRows(join)} WHERE ${usable})`;
  const relation = `(SELECT e, max(t) OVER (PARTITION BY e ORDER BY v) AS t, v FROM ${seen})`;
  return { relation, probeTime: isMixed ? 'p.time_ns' : 'p.hi' };
}
