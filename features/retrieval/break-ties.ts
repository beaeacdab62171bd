/**
 * Deciding among rows of one event time: by created time and sequence number, then by the values of all features of the view. Features that were
 * not read are read for the rows that are still tied alone, a few at a time in the view's order, since the first that differs decides.
 */

import { readScalar, type SqlSession } from '../sql-session.js';
import { newestFirst } from '../views/feature-order.js';
import { type TiedRows, tuple } from './join-back-sql.js';
import { isPartial, joinTables, orderColumns, type PointInTimeJoin, ROW_PLACE } from './point-in-time-sql.js';

/** A relation with some features of a view, by their indexes, and {@link ROW_PLACE}. */
export type ReadFeatures = (features: readonly number[]) => Promise<string>;

/** Features that are read at first; then more and more. */
const FIRST_FEATURES = 2;
const GROWTH = 4;

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
  let size = FIRST_FEATURES;
  for (let from = 0; from < rows.featureTypes.length && (await isTied(session, tied)); from += size, size *= GROWTH) {
    const end = Math.min(from + size, rows.featureTypes.length);
    const features = Array.from({ length: end - from }, (_, index) => from + index);
    await rankByFeatures(session, join, tied, { features, relation: await readFeatures(features) });
  }
  // What is tied now is equal in everything.
  await session.run(keepFirst(tied, []));
}

async function isTied(session: SqlSession, { repeated }: TiedRows): Promise<boolean> {
  return (await readScalar(session, `SELECT count(*) > 0 FROM (${repeated})`)) === true;
}

/** Keeps one row of each key. */
function keepFirst({ table, key, repeated }: TiedRows, order: readonly string[]): string {
  const by = order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`;
  const ranked = [
    `SELECT rowid AS row, row_number() OVER (PARTITION BY ${key.join(', ')}${by}) AS place`,
    `FROM ${table} WHERE ${tuple(key)} IN (${repeated})`,
  ].join(' ');
  return `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`;
}

/** Keeps the first rows of each key, several if they are equal. */
function keepBest({ table, key, repeated }: TiedRows, order: readonly string[], from = table): string {
  const ranked = [
    `SELECT ${table}.rowid AS row, rank() OVER (PARTITION BY ${key.join(', ')} ORDER BY ${order.join(', ')}) AS place`,
    `FROM ${from} WHERE ${tuple(key)} IN (${repeated})`,
  ].join(' ');
  return `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`;
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
