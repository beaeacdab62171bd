/**
 * Counting the frame rows that a value decides: their winner shares its event time, created time and sequence number with another row.
 * Only keys and times are read, in the same way as the join reads them, so that it costs no more than the join.
 */

import { readScalar, type SqlSession } from '../sql-session.js';
import { equal, momentColumns, momentsOfWinners } from './join-back-sql.js';
import { inRange, type JoinMethod, joinTables, keyMatch, type PointInTimeJoin } from './point-in-time-sql.js';
import { winnersStatement } from './winning-times-sql.js';

/** The number of frame rows whose winner is chosen by value, after `probeStatement`. */
export async function countTies(session: SqlSession, join: PointInTimeJoin, method: JoinMethod): Promise<number> {
  if (method === 'arg-max') return Number(await readScalar(session, twoNewestSql(join)));
  await session.run(winnersStatement(join, method));
  for (const statement of momentsOfWinners(join)) await session.run(statement);
  return Number(await readScalar(session, tiedMomentsSql(join)));
}

/** The order among rows of one event time, before values decide; without nulls. */
function orderSql({ rows }: PointInTimeJoin): readonly string[] {
  return [
    ...(rows.createdUnit === null ? [] : ['s.c IS NOT NULL', 'coalesce(s.c, 0)']),
    ...(rows.hasSequenceNumber ? ['coalesce(s.q, -1)'] : []),
  ];
}

/** The two newest rows in reach of each frame row: a tie if they are equal. */
function twoNewestSql(join: PointInTimeJoin): string {
  const order = `ROW(${['s.t', ...orderSql(join)].join(', ')})`;
  const on = [...keyMatch(join, 'p'), ...inRange(join)].join(' AND ');
  const from = `${joinTables(join).probe} AS p JOIN ${join.rows.relation} AS s ON ${on}`;
  return `SELECT count(*) FROM (SELECT max(${order}, 2) AS two FROM ${from} GROUP BY p.r) WHERE len(two) = 2 AND two[1] = two[2]`;
}

/** Frame rows that want a moment whose newest rows are more than one. */
function tiedMomentsSql(join: PointInTimeJoin): string {
  const { winners, moments } = joinTables(join);
  const key = momentColumns(join);
  const columns = key.map((column) => `m.${column}`).join(', ');
  const from = `${moments} AS m JOIN ${join.rows.relation} AS s ON ${equal(key, 'm', 's')}`;
  const two = `SELECT ${columns}, max(ROW(${['0', ...orderSql(join)].join(', ')}), 2) AS two FROM ${from} GROUP BY ALL`;
  const tied = `SELECT * FROM (${two}) WHERE len(two) = 2 AND two[1] = two[2]`;
  return `SELECT count(*) FROM ${winners} AS w JOIN (${tied}) AS m ON ${equal(key, 'w', 'm')}`;
}
