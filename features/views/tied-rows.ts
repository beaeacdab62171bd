/** A table in which more than one row may have the same key, and is to have one: the rows that lose are deleted, and the others stay. */
import { readScalar, type SqlSession } from '../sql-session.js';

export interface TiedRows {
  readonly table: string;
  /** Columns in which tied rows are equal. */
  readonly key: readonly string[];
  /** Selects the keys that more than one row has. */
  readonly repeated: string;
}

/** Features that are compared at first; then more and more, since the first that differs decides. */
const FIRST_FEATURES = 2;
const GROWTH = 4;

/** Compares tied rows by a few of their features at a time, until no rows are tied or all features were compared. */
export async function whileTied(
  session: SqlSession,
  tied: TiedRows,
  featureCount: number,
  compare: (features: readonly number[]) => Promise<void>,
): Promise<void> {
  let size = FIRST_FEATURES;
  for (let from = 0; from < featureCount && (await isTied(session, tied)); from += size, size *= GROWTH) {
    const end = Math.min(from + size, featureCount);
    await compare(Array.from({ length: end - from }, (_, index) => from + index));
  }
}

export async function isTied(session: SqlSession, { repeated }: TiedRows): Promise<boolean> {
  return (await readScalar(session, `SELECT count(*) > 0 FROM (${repeated})`)) === true;
}

/** Keeps one row of each key. */
export function keepFirst({ table, key, repeated }: TiedRows, order: readonly string[]): string {
  const by = order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`;
  const ranked = [
    `SELECT rowid AS row, row_number() OVER (PARTITION BY ${key.join(', ')}${by}) AS place`,
    `FROM ${table} WHERE ${tuple(key)} IN (${repeated})`,
  ].join(' ');
  return `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`;
}

/** Keeps the first rows of each key, several if they are equal. */
export function keepBest({ table, key, repeated }: TiedRows, order: readonly string[], from = table): string {
  const ranked = [
    `SELECT ${table}.rowid AS row, rank() OVER (PARTITION BY ${key.join(', ')} ORDER BY ${order.join(', ')}) AS place`,
    `FROM ${from} WHERE ${tuple(key)} IN (${repeated})`,
  ].join(' ');
  return `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`;
}

/** Columns as one value. */
export const tuple = (columns: readonly string[]): string =>
  columns.length === 1 ? (columns[0] ?? '') : `ROW(${columns.join(', ')})`;
