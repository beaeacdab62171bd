/**
 * The two sides of an ASOF join. DuckDB's finds the last row in the order of keys and times, and then looks whether its keys are the same: it
 * compares bytes up to the first zero, takes nulls for equal, and a null time for the latest (1.5.6). So its keys are numbers, `e`, of which
 * none is null: the places of entities in the table of the frame's keys.
 */
import { joinTables, keyMatch, type PointInTimeJoin } from './point-in-time-sql.js';

/** The number of frame rows that match nothing. */
const NO_ENTITY = -1;

/** A table of frame rows, with `e`. @param time a column of it; rows without one match nothing */
export function numberedFrameRows(join: PointInTimeJoin, table: string, time: string): string {
  const number = `CASE WHEN p.${time} IS NULL THEN ${NO_ENTITY} ELSE coalesce(s.rowid, ${NO_ENTITY}) END AS e`;
  return `(SELECT p.*, ${number} FROM ${table} AS p LEFT JOIN ${joinTables(join).keys} AS s ON ${allOf(keyMatch(join, 'p'))})`;
}

/** `FROM` and the feature rows `s` of the frame's entities `k`. */
export function fromFeatureRows(join: PointInTimeJoin): string {
  return `FROM ${join.rows.relation} AS s JOIN ${joinTables(join).keys} AS k ON ${allOf(keyMatch(join, 'k'))}`;
}

/** SQL of a feature row's `e`, in {@link fromFeatureRows}. */
export const ENTITY_NUMBER = 'k.rowid AS e';

/** Without keys all rows are of one entity. */
const allOf = (conditions: readonly string[]): string => conditions.join(' AND ') || 'true';
