/**
 * SQL from the winning times to the features of the winning rows. A moment is an entity at a winning time; more than one row may be of it,
 * and more than one frame row may want it. Most often few do, and the rows are joined to the frame as they are. Where many frame rows want
 * one moment, joining each of them with each row of it could cost the square of both: one row of each moment is chosen first.
 */
import { type TiedRows, tuple } from '../views/tied-rows.js';
import { ENTITY_NUMBER, fromFeatureRows, numberedFrameRows } from './asof-sql.js';
import {
  inRange,
  isPartial,
  joinTables,
  keyColumns,
  keyMatch,
  known,
  needsCreated,
  type PointInTimeJoin,
  ROW_PLACE,
} from './point-in-time-sql.js';

/** Selects the number of frame rows that want the most wanted moment, after `winnersStatement`. */
export function mostWantedSql(join: PointInTimeJoin): string {
  const moment = [...keyColumns(join.rows.keyCount), 't'].join(', ');
  const wanted = `SELECT count(*) AS n FROM ${joinTables(join).winners} WHERE t IS NOT NULL GROUP BY ${moment}`;
  return `SELECT coalesce(max(n), 0) FROM (${wanted})`;
}

/** Columns of a feature row that a choice among rows of one time needs. */
function carriedColumns({ rows }: PointInTimeJoin): readonly string[] {
  const features = rows.read.map((index) => `f${index}`);
  const place = isPartial(rows) ? ROW_PLACE : [];
  return [...(rows.createdUnit === null ? [] : ['c']), ...(rows.hasSequenceNumber ? ['q'] : []), ...features, ...place];
}

/** Statements that make a table in which ties are left. */
export interface JoinBack {
  readonly statements: readonly string[];
  readonly tied: TiedRows;
}

/**
 * Makes the result table from all rows of the winning times, sorted into the frame's order by its number alone: ties are rare, and a sort
 * by all that decides among them costs several times as much.
 */
export function joinBack(join: PointInTimeJoin): JoinBack {
  const { rows } = join;
  const { winners } = joinTables(join);
  const columns = carriedColumns(join).map((column) => `s.${column}`);
  const on = [...keyMatch(join, 'w'), 'w.t = s.t', ...known(join, 'w')].join(' AND ');
  const matched = `SELECT ${['w.r', ...columns].join(', ')} FROM ${winners} AS w JOIN ${rows.relation} AS s ON ${on}`;
  return inFrameOrder(join, matched, `${winners} WHERE t IS NULL`);
}

/** Makes the result table from every pair of rows: those of the newest time of each frame row. */
export function newestOfPairs(join: PointInTimeJoin): JoinBack {
  const { rows } = join;
  const { probe, pairs } = joinTables(join);
  const carried = carriedColumns(join);
  const columns = ['p.r', 's.t', ...carried.map((column) => `s.${column}`)].join(', ');
  const on = [...keyMatch(join, 'p'), ...inRange(join)].join(' AND ');
  const newest = `(SELECT r, max(t) AS t FROM ${pairs} GROUP BY r)`;
  const matched = `SELECT ${['r', ...carried].join(', ')} FROM ${pairs} SEMI JOIN ${newest} AS n USING (r, t)`;
  const { statements, tied } = inFrameOrder(join, matched, `${probe} ANTI JOIN ${pairs} USING (r)`);
  const all = `CREATE TEMPORARY TABLE ${pairs} AS SELECT ${columns} FROM ${probe} AS p JOIN ${rows.relation} AS s ON ${on}`;
  return { statements: [all, ...statements], tied };
}

function inFrameOrder(join: PointInTimeJoin, matched: string, unmatched: string): JoinBack {
  const { result } = joinTables(join);
  const nothing = `SELECT ${['r', ...carriedColumns(join).map(() => 'NULL')].join(', ')} FROM ${unmatched}`;
  const repeated = `SELECT r FROM (SELECT r, lag(r) OVER () AS above FROM ${result}) WHERE r = above`;
  return {
    statements: [`CREATE TEMPORARY TABLE ${result} AS SELECT * FROM (${matched} UNION ALL ${nothing}) ORDER BY r`],
    tied: { table: result, key: ['r'], repeated },
  };
}

/** Makes a table of the rows of each moment; {@link featuresOfMoments} makes the result of it. */
export function rowsOfMoments(join: PointInTimeJoin): JoinBack {
  const { moments, newest } = joinTables(join);
  const key = momentColumns(join);
  const others = carriedColumns(join).filter((column) => !key.includes(column));
  const columns = [...key.map((column) => `m.${column}`), ...others.map((column) => `s.${column}`)].join(', ');
  const from = `${moments} AS m JOIN ${join.rows.relation} AS s ON ${equal(key, 'm', 's')}`;
  const repeated = `SELECT ${tuple(key)} FROM ${newest} GROUP BY ${key.join(', ')} HAVING count(*) > 1`;
  return {
    statements: [...momentsOfWinners(join), `CREATE TEMPORARY TABLE ${newest} AS SELECT ${columns} FROM ${from}`],
    tied: { table: newest, key, repeated },
  };
}

/** Makes the result table from one row of each moment. */
export function featuresOfMoments(join: PointInTimeJoin): string {
  const { winners, newest, result } = joinTables(join);
  const features = join.rows.selected.map((feature) => `n.f${feature} AS f${feature}`).join(', ');
  const from = `${winners} AS w LEFT JOIN ${newest} AS n ON ${equal(momentColumns(join), 'w', 'n')}`;
  return `CREATE TEMPORARY TABLE ${result} AS SELECT ${features} FROM ${from} ORDER BY w.r`;
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
  const { winners, newest } = joinTables(join);
  const wanted = equal([...keyColumns(join.rows.keyCount), 't'], 'w', 's');
  const rows = `${fromFeatureRows(join)} SEMI JOIN ${winners} AS w ON ${wanted} WHERE s.c IS NOT NULL`;
  const created = `(SELECT ${ENTITY_NUMBER}, s.t, s.c ${rows})`;
  const frame = numberedFrameRows(join, winners, 't');
  return [
    `CREATE TEMPORARY TABLE ${newest} AS SELECT w.* EXCLUDE (e), s.c FROM ${frame} AS w ASOF LEFT JOIN ${created} AS s ON ${equal(['e', 't'], 'w', 's')} AND w.known >= s.c`,
    `DROP TABLE ${winners}`,
    `ALTER TABLE ${newest} RENAME TO ${winners}`,
  ];
}

/** Conditions that two relations are equal in columns. */
export function equal(columns: readonly string[], left: string, right: string): string {
  return columns.map((column) => `${left}.${column} = ${right}.${column}`).join(' AND ');
}
