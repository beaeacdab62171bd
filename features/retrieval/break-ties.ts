/**
 * Deciding among rows of one event time: by created time and sequence number, then by the values of all features of the view. Features that were
 * not read are read for the rows that are still tied alone, a few at a time in the view's order, since the first that differs decides.
 */

import type { SqlSession } from '../sql-session.js';
import { newestFirst } from '../views/feature-order.js';
import { isTied, keepBest, keepFirst, type TiedRows, tuple, whileTied } from '../views/tied-rows.js';
import { isPartial, joinTables, orderColumns, type PointInTimeJoin, ROW_PLACE } from './point-in-time-sql.js';

/** A relation with some features of a view, by their indexes, and {@link ROW_PLACE}. */
export type ReadFeatures = (features: readonly number[]) => Promise<string>;

/** Deletes the rows that lose a tie; the others stay where they are. */
export async function breakTies(
  session: SqlSession,
  join: PointInTimeJoin,
  tied: TiedRows,
  readFeatures: ReadFeatures,
): Promise<void> {
  const { rows } = join;
  if (!isPartial(rows))
    return await session.run(keepFirst(tied, newestFirst(orderColumns(rows, ''), { sameTime: true })));
  if (!(await isTied(session, tied))) return;
  const order = newestFirst(orderColumns(rows, '', []), { sameTime: true });
  if (order.length > 0) await session.run(keepBest(tied, order));
  await whileTied(session, tied, rows.featureTypes.length, async (features) =>
    rankByFeatures(session, join, tied, { features, relation: await readFeatures(features) }),
  );
  // Rows that are still tied are equal in everything.
  await session.run(keepFirst(tied, []));
}

/** Keeps the rows of each key that are the largest in some features. */
async function rankByFeatures(
  session: SqlSession,
  join: PointInTimeJoin,
  tied: TiedRows,
  { features, relation }: { readonly features: readonly number[]; readonly relation: string },
): Promise<void> {
  const { places } = joinTables(join);
  const order = newestFirst(
    { timestamp: 't', features: orderColumns(join.rows, '', features).features },
    { sameTime: true },
  );
  if (order.length === 0) return;
  const place = ROW_PLACE.join(', ');
  const rows = `SELECT DISTINCT ${place} FROM ${tied.table} WHERE ${tuple(tied.key)} IN (${tied.repeated})`;
  await session.run(
    `CREATE TEMPORARY TABLE ${places} AS SELECT ${place}, rank() OVER (ORDER BY ${order.join(', ')}) AS place FROM ${relation} SEMI JOIN (${rows}) USING (${place})`,
  );
  await session.run(keepBest(tied, ['place'], `${tied.table} JOIN ${places} USING (${place})`));
  await session.run(`DROP TABLE ${places}`);
}
