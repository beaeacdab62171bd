/**
 * SQL from the winning times to the features of the winning rows. A moment is an entity at a winning time; more than one row may be of it,
 * and more than one frame row may want it. Most often few do, and the rows are joined to the frame as they are. Where many frame rows want
 * one moment, joining each of them with each row of it could cost the square of both: one row of each moment is chosen first.
 */
import { newestFirst } from './feature-order.js';
import {
  joinTables,
  keyColumns,
  keyMatch,
  known,
  needsCreated,
  orderColumns,
  type PointInTimeJoin,
} from './point-in-time-sql.js';

/** Selects the number of frame rows that want the most wanted moment, after `winnersStatement`. */
export function mostWantedSql(join: PointInTimeJoin): string {
  const moment = [...keyColumns(join.rows.keyCount), 't'].join(', ');
  const wanted = `SELECT count(*) AS n FROM ${joinTables(join).winners} WHERE t IS NOT NULL GROUP BY ${moment}`;
  return `SELECT coalesce(max(n), 0) FROM (${wanted})`;
}

/** Columns of a feature row that a choice among rows of one time needs. */
function carriedColumns({ rows }: PointInTimeJoin): readonly string[] {
  const features = rows.featureTypes.map((_, index) => `f${index}`);
  return [...(rows.createdUnit === null ? [] : ['c']), ...(rows.hasSequenceNumber ? ['q'] : []), ...features];
}

/**
 * Makes the result table from all rows of the winning times, sorted into the frame's order by its number alone: ties are rare, and a sort
 * by all that decides among them costs several times as much.
 */
export function joinBackStatements(join: PointInTimeJoin): readonly string[] {
  const { rows } = join;
  const { winners, result } = joinTables(join);
  const carried = carriedColumns(join);
  const on = [...keyMatch(join, 'w'), 'w.t = s.t', ...known(join, 'w')].join(' AND ');
  const matched = `SELECT ${['w.r', ...carried.map((column) => `s.${column}`)].join(', ')} FROM ${winners} AS w JOIN ${rows.relation} AS s ON ${on}`;
  const unmatched = `SELECT ${['r', ...carried.map(() => 'NULL')].join(', ')} FROM ${winners} WHERE t IS NULL`;
  const repeated = `SELECT r FROM (SELECT r, lag(r) OVER () AS above FROM ${result}) WHERE r = above`;
  return [
    `CREATE TEMPORARY TABLE ${result} AS SELECT * FROM (${matched} UNION ALL ${unmatched}) ORDER BY r`,
    tieStatement(join, { table: result, key: ['r'], repeated }),
  ];
}

/** Makes the result table from one row of each moment. */
export function momentStatements(join: PointInTimeJoin): readonly string[] {
  const { rows } = join;
  const { winners, moments, newest, result } = joinTables(join);
  const key = momentColumns(join);
  const others = carriedColumns(join).filter((column) => !key.includes(column));
  const columns = [...key.map((column) => `m.${column}`), ...others.map((column) => `s.${column}`)].join(', ');
  const repeated = `SELECT ${tuple(key)} FROM ${newest} GROUP BY ${key.join(', ')} HAVING count(*) > 1`;
  const features = rows.selected.map((feature) => `n.f${feature} AS f${feature}`).join(', ');
  return [
    ...momentsOfWinners(join),
    `CREATE TEMPORARY TABLE ${newest} AS SELECT ${columns} FROM ${moments} AS m JOIN ${rows.relation} AS s ON ${equal(key, 'm', 's')}`,
    tieStatement(join, { table: newest, key, repeated }),
    `CREATE TEMPORARY TABLE ${result} AS SELECT ${features} FROM ${winners} AS w LEFT JOIN ${newest} AS n ON ${equal(key, 'w', 'n')} ORDER BY w.r`,
  ];
}

/** Columns that name a moment: its rows are the same for all frame rows that want it. */
export function momentColumns(join: PointInTimeJoin): readonly string[] {
  return [...keyColumns(join.rows.keyCount), 't', ...(needsCreated(join) ? ['c'] : [])];
}

/**
 * Makes the moments table. Where created times matter the winners table is made again with the newest created time that each frame row may
 * know: an ASOF join, since a moment may have as many created times as it has rows.
 */
export function momentsOfWinners(join: PointInTimeJoin): readonly string[] {
  const { winners, moments } = joinTables(join);
  const distinct = `CREATE TEMPORARY TABLE ${moments} AS SELECT DISTINCT ${momentColumns(join).join(', ')} FROM ${winners} WHERE t IS NOT NULL`;
  return needsCreated(join) ? [...createdOfWinners(join), distinct] : [distinct];
}

function createdOfWinners(join: PointInTimeJoin): readonly string[] {
  const { rows } = join;
  const { winners, newest } = joinTables(join);
  const keys = [...keyColumns(rows.keyCount), 't'];
  const columns = [...keys, 'c'].map((column) => `s.${column}`).join(', ');
  const created = `(SELECT ${columns} FROM ${rows.relation} AS s SEMI JOIN ${winners} AS w ON ${equal(keys, 'w', 's')} WHERE s.c IS NOT NULL)`;
  return [
    `CREATE TEMPORARY TABLE ${newest} AS SELECT w.*, s.c FROM ${winners} AS w ASOF LEFT JOIN ${created} AS s ON ${equal(keys, 'w', 's')} AND w.known >= s.c`,
    `DROP TABLE ${winners}`,
    `ALTER TABLE ${newest} RENAME TO ${winners}`,
  ];
}

/** Rows of which more than one may have the same key. */
interface TiedRows {
  readonly table: string;
  /** Columns in which tied rows are equal. */
  readonly key: readonly string[];
  /** Selects the keys that more than one row has. */
  readonly repeated: string;
}

/** Deletes the rows that lose a tie; the others stay where they are. */
function tieStatement(join: PointInTimeJoin, { table, key, repeated }: TiedRows): string {
  const order = newestFirst(orderColumns(join.rows, ''), { sameTime: true }).join(', ');
  const ranked = [
    `SELECT rowid AS row, row_number() OVER (PARTITION BY ${key.join(', ')} ORDER BY ${order}) AS place`,
    `FROM ${table} WHERE ${tuple(key)} IN (${repeated})`,
  ].join(' ');
  return `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`;
}

/** Conditions that two relations are equal in columns. */
export function equal(columns: readonly string[], left: string, right: string): string {
  return columns.map((column) => `${left}.${column} = ${right}.${column}`).join(' AND ');
}

const tuple = (columns: readonly string[]): string =>
  columns.length === 1 ? (columns[0] ?? '') : `ROW(${columns.join(', ')})`;
