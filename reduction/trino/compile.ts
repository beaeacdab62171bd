/** Reductions as Trino's SQL. Keys are compared for equality and times for order, alone; values pass through. */
import { parseTableName, trinoLiteral, trinoQuoted } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import { currentSchema, type Schema, sameType, snapshotById } from '../../iceberg/index.js';
import {
  type LatestReduction,
  namedColumns,
  type PointInTimeReduction,
  type ReducedColumn,
  type ReducedColumns,
  type ReducedRead,
  type ReducedSource,
  type Reduction,
  type ReductionGroup,
} from '../reduction.js';
import { columnSql } from './column-sql.js';
import { NEWEST_TRINO_FORMAT, refusedFormatThree } from './format-three.js';
import { nameObstacle } from './table-names.js';
import { momentSql } from './trino-types.js';

/** Tables as Trino names them, quoted. */
export interface TrinoTables {
  readonly source: string;
  /** The files of every read, by its number: `r`, `path`, `seq`. */
  readonly files: string;
  /** The probe of a point-in-time reduction. */
  readonly probe: string;
  /** Where the reduced rows go. */
  readonly staged: string;
}

/** Files that a read names, so that Trino opens no others; of more, all are opened and the join leaves rows out. */
const MAX_LISTED_FILES = 200;

/** Reads of a statement, each of which is a stage of a query; what joins and ranks those of each group are a few more. Trino refuses more than 150 (`query.max-stage-count`). */
const MAX_READS = 100;

/** Characters of the reads of a statement. Trino refuses a million (`query.max-length`). */
const MAX_CHARS = 800_000;

/** The reads of a reduction, in the order of their numbers in the table of files. */
export const readsOf = (reduction: Reduction): readonly ReducedRead[] =>
  reduction.kind === 'latest' ? reduction.groups.flatMap(({ reads }) => reads) : [reduction.read];

/**
 * The statements that write the reduced rows, one after the other. Where there are several, each leaves the rows that may win among those of its
 * own reads: all that may win among all, and some more.
 * @throws MoraineError `UNSUPPORTED_FEATURE` naming what Trino does not have
 */
export function compileForTrino(reduction: Reduction, tables: TrinoTables): readonly string[] {
  requireReadable(
    reduction.source,
    readsOf(reduction).map(({ snapshotId }) => snapshotId),
  );
  const names = namedColumns(reduction.columns).map(([name]) => name);
  const columns = [...(reduction.kind === 'latest' ? ['g'] : []), ...names, 'seq'];
  const selects = reduction.kind === 'latest' ? latestSql(reduction, tables) : [pointInTimeSql(reduction, tables)];
  const insert = `INSERT INTO ${tables.staged} (${columns.map(trinoQuoted).join(', ')})`;
  return selects.map((select) => `${insert}\n${select}`);
}

/** Whether Trino can read a table, as far as that is seen before the types of its columns are. @throws MoraineError `UNSUPPORTED_FEATURE` */
export function requireReadable({ name, table }: ReducedSource, snapshotIds: readonly (bigint | null)[] = []): void {
  const { metadata } = table;
  if (metadata.formatVersion > NEWEST_TRINO_FORMAT) throw refusedFormatThree(`Table ${name} has`);
  const obstacle = nameObstacle({ identifier: parseTableName(name).identifier, metadata, snapshotIds });
  if (obstacle === null) return;
  throw new MoraineError('UNSUPPORTED_FEATURE', `Table ${name}: ${obstacle}. Let DuckDB do this: engine duckdb.`);
}

/** A read of a group, as a statement selects its rows. */
interface SelectedRead {
  readonly of: ReductionGroup;
  readonly rows: string;
}

function latestSql({ source, columns, groups }: LatestReduction, tables: TrinoTables): readonly string[] {
  const selected = groups
    .flatMap((of) => of.reads.map((read) => ({ of, read })))
    .map(({ of, read }, number) => ({ of, rows: readSql(source, columns, { ...read, number }, tables) }));
  return batchesOf(selected).map((batch) => {
    const asked = groups.filter((group) => batch.some(({ of }) => of === group));
    return asked.map((group) => groupSql(columns, group, batch, tables)).join('\nUNION ALL\n');
  });
}

/** Reads in order, as many in each batch as one statement may have. */
function batchesOf(reads: readonly SelectedRead[]): readonly (readonly SelectedRead[])[] {
  const batches: SelectedRead[][] = [];
  let chars = 0;
  for (const read of reads) {
    const last = batches.at(-1);
    chars += read.rows.length;
    if (last !== undefined && last.length < MAX_READS && chars <= MAX_CHARS) {
      last.push(read);
      continue;
    }
    batches.push([read]);
    chars = read.rows.length;
  }
  return batches;
}

function groupSql(
  columns: ReducedColumns,
  group: ReductionGroup,
  batch: readonly SelectedRead[],
  tables: TrinoTables,
): string {
  const rows = batch.filter(({ of }) => of === group).map((read) => read.rows);
  const entity = keysOf(columns);
  const place = group.keep === 'newest' ? entity : [...entity, 't'];
  const ranked = rankSql(`(${sequencedSql(columns, rows, tables)})`, place, newestFirst(columns, group.keep === 'all'));
  return `SELECT ${group.group} AS g, ${outputs(columns).join(', ')} FROM (${ranked}) WHERE place = 1`;
}

/**
 * Winning times are looked up first, with the keys and times of both sides alone: sorted together by time, the last feature row before a probe
 * row is its newest one. Rows that were created too late for a probe row make that a join.
 */
function pointInTimeSql(reduction: PointInTimeReduction, tables: TrinoTables): string {
  const { columns } = reduction;
  // They are in the statement twice.
  const read = readSql(reduction.source, columns, { ...reduction.read, number: 0 }, tables, MAX_CHARS / 2);
  const rows = sequencedSql(columns, [read], tables);
  const keys = keysOf(columns);
  const moment = reduction.knownAsOf ? [...keys, 't', 'c', 'seq'] : [...keys, 't'];
  const winners = reduction.knownAsOf ? knownWinnersSql(reduction, rows, tables) : winnersSql(reduction, rows, tables);
  const match = moment.map((column) => `s.${column} = w.${column}`);
  const joined = `SELECT s.* FROM (${rows}) AS s JOIN (SELECT DISTINCT ${moment.join(', ')} FROM (${winners})) AS w ON ${match.join(' AND ')}`;
  if (reduction.knownAsOf) return `SELECT ${outputs(columns).join(', ')} FROM (${joined})`;
  const ranked = rankSql(`(${joined})`, [...keys, 't'], newestFirst(columns, true));
  return `SELECT ${outputs(columns).join(', ')} FROM (${ranked}) WHERE place = 1`;
}

function winnersSql({ columns, hasTtl }: PointInTimeReduction, rows: string, { probe }: TrinoTables): string {
  const keys = keysOf(columns);
  const list = (values: readonly string[]): string => [...keys, ...values].join(', ');
  const both = [
    `SELECT ${list(['t', '0 AS side', 't AS lo'])} FROM (${rows})`,
    `SELECT ${list(['hi AS t', '1 AS side', hasTtl ? 'lo' : 'hi AS lo'])} FROM ${probe}`,
  ].join('\nUNION ALL\n');
  const entity = keys.length === 0 ? '' : `PARTITION BY ${keys.join(', ')} `;
  const newest = `max(IF(side = 0, t)) OVER (${entity}ORDER BY t, side ROWS UNBOUNDED PRECEDING)`;
  const found = `SELECT ${list(['side', 'lo', `${newest} AS newest`])} FROM (${both})`;
  const young = hasTtl ? ' AND newest >= lo' : '';
  return `SELECT ${list(['newest AS t'])} FROM (${found}) WHERE side = 1 AND newest IS NOT NULL${young}`;
}

function knownWinnersSql({ columns, hasTtl }: PointInTimeReduction, rows: string, { probe }: TrinoTables): string {
  const keys = keysOf(columns);
  const match = [
    ...keys.map((key) => `s.${key} = p.${key}`),
    's.t <= p.hi',
    ...(hasTtl ? ['s.t >= p.lo'] : []),
    's.c <= p.known',
  ];
  const pairs = `SELECT p.r, ${keys.map((key) => `s.${key}, `).join('')}s.t, s.c, s.seq FROM ${probe} AS p JOIN (${rows}) AS s ON ${match.join(' AND ')}`;
  return `SELECT * FROM (${rankSql(`(${pairs})`, ['r'], newestFirst(columns, false))}) WHERE place = 1`;
}

/** Rows of reads with the sequence number of the file of each: in one join, since each join is a stage of the query or two. */
function sequencedSql(columns: ReducedColumns, reads: readonly string[], { files }: TrinoTables): string {
  const names = namedColumns(columns).map(([name]) => `u.${name}`);
  const rows = reads.join('\nUNION ALL\n');
  return `SELECT ${names.join(', ')}, f.seq AS seq FROM (${rows}) AS u JOIN ${files} AS f ON f.path = u.path AND f.r = u.r`;
}

/**
 * The rows of a read with the file of each, `path`, and the number of the read, `r`. Rows without an entity or a time are of no use.
 * @param maxChars files are not named where the text would be longer
 */
function readSql(
  { table }: ReducedSource,
  columns: ReducedColumns,
  read: ReducedRead & { readonly number: number },
  tables: TrinoTables,
  maxChars = MAX_CHARS,
): string {
  const { metadata } = table;
  const current = currentSchema(metadata);
  const schema = schemaAt(table, read.snapshotId);
  const named = namedColumns(columns).map(([name, column]) => {
    const value = columnSql(column, schema, current, 's');
    // Other columns are in no filter of this kind: times have one type, and features are in none.
    const isFiltered = columns.joinKeys.includes(column);
    return [name, isFiltered && isPromotedSince(column, schema, current) ? hiddenSql(value) : value] as const;
  });
  const sql = new Map(named);
  const needed = [...keysOf(columns), 't'].map((name) => `${sql.get(name)} IS NOT NULL`);
  const time = columns.timestamp.type;
  const interval = [
    ...(read.startUs === null ? [] : [`${sql.get('t')} >= ${momentSql(time, read.startUs)}`]),
    ...(read.endUs === null ? [] : [`${sql.get('t')} < ${momentSql(time, read.endUs)}`]),
  ];
  const rows = [
    // The path as an expression: Trino 476 fails on a filter that it derives from the join for the hidden column itself.
    `SELECT ${named.map(([name, value]) => `${value} AS ${name}`).join(', ')}, s."$path" || '' AS path, ${read.number} AS r`,
    `FROM ${tables.source} FOR VERSION AS OF ${read.snapshotId} AS s`,
    `WHERE ${[...needed, ...interval].join(' AND ')}`,
  ].join(' ');
  if (read.files.length > MAX_LISTED_FILES) return rows;
  const listed = `${rows} AND s."$path" IN (${read.files.map(({ path }) => trinoLiteral(path)).join(', ')})`;
  return listed.length <= maxChars ? listed : rows;
}

function isPromotedSince({ sourceFieldId }: ReducedColumn, schema: Schema, current: Schema): boolean {
  const [then, now] = [schema, current].map(({ fields }) => fields.find(({ id }) => id === sourceFieldId)?.type);
  return then !== undefined && now !== undefined && !sameType(then, now);
}

/**
 * A value that Trino does not know for that of a column. From a filter on a column, be it one that it derives from a join, it looks at the bounds of
 * files; for a column that was `int` at the state that is read and is `long` now, Trino 476 fails on them (`Error processing metadata`).
 */
const hiddenSql = (value: string): string => `element_at(ARRAY[${value}], 1)`;

/** The schema that Trino shows of a snapshot. */
function schemaAt({ metadata }: ReducedSource['table'], snapshotId: bigint): Schema {
  const { schemaId } = snapshotById(metadata, snapshotId);
  return metadata.schemas.find((schema) => schema.schemaId === schemaId) ?? currentSchema(metadata);
}

const keysOf = ({ joinKeys }: ReducedColumns): readonly string[] => joinKeys.map((_, index) => `k${index}`);

const outputs = (columns: ReducedColumns): readonly string[] => [...namedColumns(columns).map(([name]) => name), 'seq'];

/** The order among rows of one entity as far as it is one of times; rows that tie in it are all kept. */
function newestFirst({ created }: ReducedColumns, isSameTime: boolean): readonly string[] {
  return [...(isSameTime ? [] : ['t DESC']), ...(created === null ? [] : ['c DESC NULLS LAST']), 'seq DESC NULLS LAST'];
}

function rankSql(relation: string, place: readonly string[], order: readonly string[]): string {
  const partition = place.length === 0 ? '' : `PARTITION BY ${place.join(', ')} `;
  return `SELECT *, rank() OVER (${partition}ORDER BY ${order.join(', ')}) AS place FROM ${relation}`;
}
