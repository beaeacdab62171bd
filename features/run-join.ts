/** Running a join whose method is chosen. */
import { joinBackStatements, momentStatements, mostWantedSql } from './join-back-sql.js';
import { argMaxStatement, type JoinMethod, type PointInTimeJoin } from './point-in-time-sql.js';
import { readScalar, type SqlSession } from './sql-session.js';
import { winnersStatement } from './winning-times-sql.js';

/** Frame rows that may want one moment before its rows are reduced to one: so often at most each of them is joined. */
const MAX_WANTED = 8;

/**
 * Makes the result table from the probe table: the selected features as `f0..`, and perhaps other columns, one row per frame row, in the
 * frame's order.
 */
export async function runJoin(session: SqlSession, join: PointInTimeJoin, method: JoinMethod): Promise<void> {
  if (method === 'arg-max') return await session.run(argMaxStatement(join));
  await session.run(winnersStatement(join, method));
  const wanted = Number(await readScalar(session, mostWantedSql(join)));
  const statements = wanted > MAX_WANTED ? momentStatements(join) : joinBackStatements(join);
  for (const statement of statements) await session.run(statement);
}
