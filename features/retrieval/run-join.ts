/** Running a join whose method is chosen. */

import { readScalar, type SqlSession } from '../sql-session.js';
import { breakTies, type ReadFeatures } from './break-ties.js';
import {
  featuresOfMoments,
  type JoinBack,
  joinBack,
  mostWantedSql,
  newestOfPairs,
  rowsOfMoments,
} from './join-back-sql.js';
import { argMaxStatement, isPartial, type JoinMethod, type PointInTimeJoin } from './point-in-time-sql.js';
import { winnersStatement } from './winning-times-sql.js';

/** Frame rows that may want one moment before its rows are reduced to one: so often at most each of them is joined. */
const MAX_WANTED = 8;

/**
 * Makes the result table from the probe table: the selected features as `f0..`, and perhaps other columns, one row per frame row, in the
 * frame's order.
 */
export async function runJoin(
  session: SqlSession,
  join: PointInTimeJoin,
  method: JoinMethod,
  readFeatures: ReadFeatures,
): Promise<void> {
  const finish = async ({ statements, tied }: JoinBack): Promise<void> => {
    for (const statement of statements) await session.run(statement);
    await breakTies(session, join, tied, readFeatures);
  };
  if (method === 'arg-max') {
    if (isPartial(join.rows)) await finish(newestOfPairs(join));
    else await session.run(argMaxStatement(join));
    return;
  }
  await session.run(winnersStatement(join, method));
  const wanted = Number(await readScalar(session, mostWantedSql(join)));
  if (wanted <= MAX_WANTED) return await finish(joinBack(join));
  await finish(rowsOfMoments(join));
  await session.run(featuresOfMoments(join));
}
