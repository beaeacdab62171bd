/**
 * The newest row per entity, by the total order of `feature-order.ts`.
 * Rows with a null join key or a null event time belong to no entity or no time: they are never in the answer.
 */
import { randomUUID } from 'node:crypto';
import { quoteIdentifier } from '../../engine/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import { readScalar, type SqlSession } from '../sql-session.js';
import { newestFirst, type OrderColumns, orderTuple, packFields, unpackField } from './feature-order.js';
import { isTied, keepBest, keepFirst, tuple, whileTied } from './tied-rows.js';

/** A column of the relation and its name in the answer. */
export interface NamedColumn {
  readonly column: string;
  readonly as: string;
}

/** Where to find the newest rows, and what to return of them. */
export interface LatestRequest {
  /** Anything that can follow FROM: a table, or a sub-query in parentheses. */
  readonly relation: string;
  /** Join keys; none: the relation is about one thing only. */
  readonly keys: readonly NamedColumn[];
  readonly timestamp: NamedColumn;
  readonly created?: NamedColumn | undefined;
  /** Column with the data sequence number of each row. It decides ties and is not returned. */
  readonly sequenceNumber?: string | undefined;
  /** Features in the view's order, which decides ties. */
  readonly features: readonly (NamedColumn & { readonly type: IcebergType })[];
  /** Further columns of the winning row to return. They do not decide. */
  readonly carried?: readonly NamedColumn[];
}

/**
 * How to compute it. All give the same rows; they differ in cost and memory:
 * `arg-max` reads once and keeps every entity's row in memory, which does not spill;
 * `row-number` sorts every row by entity, and spills; best when there are few rows per entity;
 * `max-join-back` finds the newest time per entity from two narrow columns, then reads the rows of those times; best when there are many;
 * `collect` does the same, keeps these rows in a table, and compares features for tied rows alone; best when there are many features.
 */
export type LatestMethod = 'arg-max' | 'row-number' | 'max-join-back' | 'collect';

/** Facts about the relation that are known before it is read. */
export interface LatestEstimate {
  readonly rows: bigint;
  /** Distinct entities, if known. */
  readonly entities?: bigint;
  /** Features that decide ties; few unless given. */
  readonly features?: number;
}

/** A relation of the newest rows, ready to be selected from. */
export interface LatestRelation {
  readonly method: LatestMethod;
  /** How many rows it has; null where that is not known before they are selected. */
  readonly rows: bigint | null;
  /** A SELECT statement: keys, event time, created, features, carried columns, under their new names. */
  readonly select: string;
  /** Drops what the relation needed. */
  release(): Promise<void>;
}

/** Below so many rows the method does not matter, and the one with a single statement is taken. */
const SMALL_RELATION_ROWS = 200_000n;
/** With fewer rows per entity than this, sorting everything costs less than reading twice. */
const FEW_ROWS_PER_ENTITY = 3n;

/** From so many features, sorting by all of them costs more than all the rest. */
const MANY_FEATURES = 64;

/** The method for a relation of this shape. Never one that fails for lack of memory. */
export function chooseLatestMethod(estimate: LatestEstimate): LatestMethod {
  if ((estimate.features ?? 0) >= MANY_FEATURES) return 'collect';
  if (estimate.rows <= SMALL_RELATION_ROWS) return 'row-number';
  if (estimate.entities !== undefined && estimate.rows < estimate.entities * FEW_ROWS_PER_ENTITY) return 'row-number';
  return 'max-join-back';
}

/**
 * Prepares the newest row per entity on a connection. `max-join-back` runs its first half here and `collect` nearly all, into a temporary table
 * that belongs to this connection; select from the result on the same connection, then release it.
 * @param rows how many rows the relation has: if the first half finds few for each entity, the method becomes `row-number`
 */
export async function prepareLatestPerEntity(
  session: SqlSession,
  request: LatestRequest,
  method: LatestMethod,
  rows?: bigint,
): Promise<LatestRelation> {
  if (method === 'collect') return await collect(session, request);
  if (method !== 'max-join-back') return singleStatement(request, method);
  const winners = `newest_${randomUUID().replaceAll('-', '')}`;
  const drop = (): Promise<void> => session.run(`DROP TABLE IF EXISTS ${winners}`);
  await session.run(`CREATE TEMPORARY TABLE ${winners} AS ${newestTimesSql(request)}`);
  const entities = BigInt(String(await readScalar(session, `SELECT count(*) FROM ${winners}`)));
  if (rows !== undefined && chooseLatestMethod({ rows, entities }) !== method) {
    await drop();
    return singleStatement(request, 'row-number');
  }
  const select = joinBackSql(request, winners, await lowestTime(session, winners));
  return { method, rows: entities, select, release: drop };
}

/**
 * Prepares the rows of each entity's newest time, all of those that tie: a winner among more rows is a winner among these, for a fraction of
 * the cost of finding one here. Where nearly every row has an entity of its own, these are all rows that belong to one.
 * @param rows how many the relation has
 */
export async function prepareNewestTies(
  session: SqlSession,
  request: LatestRequest,
  rows: bigint,
): Promise<Pick<LatestRelation, 'select' | 'release'>> {
  const winners = `newest_${randomUUID().replaceAll('-', '')}`;
  const release = (): Promise<void> => session.run(`DROP TABLE IF EXISTS ${winners}`);
  await session.run(`CREATE TEMPORARY TABLE ${winners} AS ${newestTimesSql(request)}`);
  const entities = BigInt(String(await readScalar(session, `SELECT count(*) FROM ${winners}`)));
  if (rows * 9n < entities * 10n) {
    await release();
    const columns = named([...request.keys, ...values(request)]).join(', ');
    const select = `SELECT ${columns} FROM ${request.relation} AS r WHERE ${belongsToAnEntity(request)}`;
    return { select, release: () => Promise.resolve() };
  }
  const tied = joinedBackSql(request, winners, await lowestTime(session, winners), false);
  return { select: outputSql(request, `(${tied})`), release };
}

async function lowestTime(session: SqlSession, winners: string): Promise<string | null> {
  const lowest = await readScalar(session, `SELECT CAST(min(t) AS VARCHAR) FROM ${winners}`);
  return typeof lowest === 'string' ? lowest : null;
}

/** Keeps the rows of the winning times in a table, of each entity one. */
async function collect(session: SqlSession, request: LatestRequest): Promise<LatestRelation> {
  const name = randomUUID().replaceAll('-', '');
  const [winners, table] = [`newest_${name}`, `collected_${name}`];
  const drop = (): Promise<void> => session.run(`DROP TABLE IF EXISTS ${table}`);
  try {
    await session.run(`CREATE TEMPORARY TABLE ${winners} AS ${newestTimesSql(request)}`);
    const rows = joinedBackSql(request, winners, await lowestTime(session, winners), true);
    await session.run(`CREATE TEMPORARY TABLE ${table} AS ${rows}`);
    await session.run(`DROP TABLE ${winners}`);
    await keepWinners(session, request, table);
    const entities = BigInt(String(await readScalar(session, `SELECT count(*) FROM ${table}`)));
    return { method: 'collect', rows: entities, select: outputSql(request, table), release: drop };
  } catch (error) {
    await session.run(`DROP TABLE IF EXISTS ${winners}`).catch(() => undefined);
    await drop().catch(() => undefined);
    throw error;
  }
}

/** Deletes the rows that lose a tie from the rows of {@link joinedBackSql}. */
async function keepWinners(session: SqlSession, request: LatestRequest, table: string): Promise<void> {
  const keys = request.keys.map((_, index) => `k${index}`);
  // Rows without keys are all of one thing.
  const key = keys.length === 0 ? ['one'] : keys;
  const repeated = `SELECT ${tuple(key)} FROM ${table} GROUP BY ${key.join(', ')} HAVING count(*) > 1`;
  const tied = { table, key, repeated };
  if (!(await isTied(session, tied))) return;
  const column = (place: number): string => `${table}.v${place}`;
  const ofTie = {
    timestamp: column(0),
    created: request.created === undefined ? undefined : column(1),
    sequenceNumber: request.sequenceNumber === undefined ? undefined : `${table}.s`,
  };
  const orderBy = async (order: readonly string[]): Promise<void> => {
    if (order.length > 0) await session.run(keepBest(tied, order));
  };
  await orderBy(newestFirst({ ...ofTie, features: [] }, { sameTime: true }));
  const first = request.created === undefined ? 1 : 2;
  await whileTied(session, tied, request.features.length, async (places) => {
    const features = request.features
      .map(({ type }, index) => ({ sql: column(first + index), type }))
      .filter((_, index) => places.includes(index));
    await orderBy(newestFirst({ timestamp: column(0), features }, { sameTime: true }));
  });
  // Rows that are still tied are equal in everything.
  await session.run(keepFirst(tied, []));
}

function singleStatement(request: LatestRequest, method: 'arg-max' | 'row-number'): LatestRelation {
  return { method, rows: null, select: latestPerEntitySql(request, method), release: () => Promise.resolve() };
}

/** The newest row per entity as one statement. */
export function latestPerEntitySql(request: LatestRequest, method: 'arg-max' | 'row-number'): string {
  return method === 'arg-max' ? argMaxSql(request) : rowNumberSql(request);
}

const inner = (column: NamedColumn): string => `r.${quoteIdentifier(column.column)}`;

function orderColumns(request: LatestRequest): OrderColumns {
  return {
    timestamp: inner(request.timestamp),
    created: request.created === undefined ? undefined : inner(request.created),
    sequenceNumber: request.sequenceNumber === undefined ? undefined : `r.${quoteIdentifier(request.sequenceNumber)}`,
    features: request.features.map((feature) => ({ sql: inner(feature), type: feature.type })),
  };
}

/** Columns that are not keys, in the order of the answer. */
function values(request: LatestRequest): readonly NamedColumn[] {
  const created = request.created === undefined ? [] : [request.created];
  return [request.timestamp, ...created, ...request.features, ...(request.carried ?? [])];
}

function belongsToAnEntity(request: LatestRequest): string {
  return [...request.keys, request.timestamp].map((column) => `${inner(column)} IS NOT NULL`).join(' AND ');
}

function named(columns: readonly NamedColumn[]): readonly string[] {
  return columns.map((column) => `${inner(column)} AS ${quoteIdentifier(column.as)}`);
}

function argMaxSql(request: LatestRequest): string {
  const columns: readonly (NamedColumn & { readonly type?: IcebergType })[] = values(request);
  const row = columns.flatMap((column, index) => packFields(`v${index}`, inner(column), column.type)).join(', ');
  const keys = request.keys.map((key, index) => `${inner(key)} AS k${index}`);
  const winners = [
    `SELECT ${[...keys, `arg_max(struct_pack(${row}), ${orderTuple(orderColumns(request))}) AS newest`].join(', ')}`,
    `FROM ${request.relation} AS r WHERE ${belongsToAnEntity(request)}`,
    keys.length === 0 ? 'HAVING count(*) > 0' : `GROUP BY ${keys.map((_, index) => index + 1).join(', ')}`,
  ].join(' ');
  const output = [
    ...request.keys.map((key, index) => `k${index} AS ${quoteIdentifier(key.as)}`),
    ...columns.map(
      (column, index) => `${unpackField('newest', `v${index}`, column.type)} AS ${quoteIdentifier(column.as)}`,
    ),
  ];
  return `SELECT ${output.join(', ')} FROM (${winners})`;
}

function rowNumberSql(request: LatestRequest): string {
  const partition = request.keys.length === 0 ? '' : `PARTITION BY ${request.keys.map(inner).join(', ')} `;
  return [
    `SELECT ${named([...request.keys, ...values(request)]).join(', ')} FROM ${request.relation} AS r`,
    `WHERE ${belongsToAnEntity(request)}`,
    `QUALIFY row_number() OVER (${partition}ORDER BY ${newestFirst(orderColumns(request)).join(', ')}) = 1`,
  ].join(' ');
}

function newestTimesSql(request: LatestRequest): string {
  const keys = request.keys.map((key, index) => `${inner(key)} AS k${index}`);
  return [
    `SELECT ${[...keys, `max(${inner(request.timestamp)}) AS t`].join(', ')}`,
    `FROM ${request.relation} AS r WHERE ${belongsToAnEntity(request)}`,
    keys.length === 0 ? 'HAVING count(*) > 0' : `GROUP BY ${keys.map((_, index) => index + 1).join(', ')}`,
  ].join(' ');
}

/** Every row of the winning times, sorted by entity with the winner first; the first of each entity is kept in passing. */
function joinBackSql(request: LatestRequest, winners: string, lowest: string | null): string {
  const keyTerms = request.keys.map((_, index) => `w.k${index}`);
  const terms = [...keyTerms, ...newestFirst(orderColumns(request), { sameTime: true })];
  const order = terms.length === 0 ? '' : ` ORDER BY ${terms.join(', ')}`;
  const sorted = `${joinedBackSql(request, winners, lowest, false)}${order}`;
  const changed = request.keys.map((_, index) => `k${index} IS DISTINCT FROM lag(k${index}) OVER ()`);
  // `lag` of a first row is null and keys never are, so the first entity is kept too.
  const first = changed.length === 0 ? 'row_number() OVER () = 1' : `(${changed.join(' OR ')})`;
  return `${outputSql(request, `(${sorted})`)} QUALIFY ${first}`;
}

/**
 * Every row of the winning times, columns `k0..` and `v0..`; for ties, too: `s`, if there are sequence numbers, and `one`, which is the same in all rows.
 * The literal lower bound lets the scan skip files and row groups that are older than every winner.
 */
function joinedBackSql(request: LatestRequest, winners: string, lowest: string | null, forTies: boolean): string {
  const time = inner(request.timestamp);
  const match = [...request.keys.map((key, index) => `${inner(key)} = w.k${index}`), `${time} = w.t`];
  const bound = lowest === null ? 'false' : `${time} >= '${lowest}'`;
  const { sequenceNumber } = orderColumns(request);
  const outputs = [
    ...request.keys.map((_, index) => `w.k${index}`),
    ...values(request).map((column, index) => `${inner(column)} AS v${index}`),
    ...(forTies && sequenceNumber !== undefined ? [`${sequenceNumber} AS s`] : []),
    ...(forTies ? ['1 AS one'] : []),
  ];
  return `SELECT ${outputs.join(', ')} FROM ${request.relation} AS r JOIN ${winners} AS w ON ${match.join(' AND ')} WHERE ${bound}`;
}

/** The rows of {@link joinedBackSql} under the names of the answer. */
function outputSql(request: LatestRequest, from: string): string {
  const output = [
    ...request.keys.map((key, index) => `k${index} AS ${quoteIdentifier(key.as)}`),
    ...values(request).map((column, index) => `v${index} AS ${quoteIdentifier(column.as)}`),
  ];
  return `SELECT ${output.join(', ')} FROM ${from}`;
}
