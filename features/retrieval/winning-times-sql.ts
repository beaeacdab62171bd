/** SQL that finds, for each frame row, the time of the feature row that wins. Only keys and times are read. */
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
  const on = [...keyMatch(join, 'p'), `${side.probeTime} >= s.v`].join(' AND ');
  return `${time} AS t FROM ${probe} AS p ASOF LEFT JOIN ${side.relation} AS s ON ${on}`;
}

/** One side of an ASOF join: `v` is the time from which frame rows may have the time `t`. */
interface AsofSide {
  readonly relation: string;
  /** The column of the probe table that is compared with `v`. */
  readonly probeTime: string;
}

function eventRows({ rows }: PointInTimeJoin): AsofSide {
  const columns = [...keyColumns(rows.keyCount), 't', 't AS v'].join(', ');
  return { relation: `(SELECT ${columns} FROM ${rows.relation} WHERE t IS NOT NULL)`, probeTime: 'p.hi' };
}

/**
 * A row is visible from the later of its event and its created time. Both bounds of a frame row are its one time, so that it sees all rows
 * that are visible from then on or before, and the newest event time among these is a running maximum: one inequality is left for ASOF.
 */
function visibleRows({ rows }: PointInTimeJoin): AsofSide {
  const keys = keyColumns(rows.keyCount);
  const isMixed = hasTwoUnits(rows);
  const times = isMixed
    ? [nanoseconds('t', rows.timeUnit), nanoseconds('c', rows.createdUnit ?? rows.timeUnit)]
    : ['t', 'c'];
  const visible = `greatest(${times.join(', ')})`;
  const partition = keys.length === 0 ? '' : `PARTITION BY ${keys.join(', ')} `;
  const newest = `max(t) OVER (${partition}ORDER BY v)`;
  const usable = ['t', 'c', ...keys].map((column) => `${column} IS NOT NULL`).join(' AND ');
  const columns = [...keys, 't', `${visible} AS v`].join(', ');
  const seen = `(SELECT ${columns} FROM ${rows.relation} WHERE ${usable})`;
  const relation = `(SELECT ${[...keys, `${newest} AS t`, 'v'].join(', ')} FROM ${seen})`;
  return { relation, probeTime: isMixed ? 'p.time_ns' : 'p.hi' };
}
