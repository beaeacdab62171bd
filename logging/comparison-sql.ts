/** SQL of comparing served with retrieved features. Pure. */
import { type Connection, columnAlias, quoteIdentifier, quoteLiteral } from '../engine/index.js';
import type { IcebergType } from '../iceberg/index.js';
import type { DifferenceCause } from './comparison.js';

/** A feature in the tables of a comparison. */
export interface ComparedFeature {
  /** Its place among the service's features. */
  readonly index: number;
  /** Its column in the log. */
  readonly name: string;
  /** Columns of the table of served rows. */
  readonly value: string;
  readonly status: string;
  readonly servedTime: string;
  /** Column of the tables of retrieved rows. */
  readonly offline: string;
  /** There too: event time of the row, in microseconds, and whether it was created after the request. */
  readonly offlineTime: string;
  readonly createdAfter: string;
  readonly type: IcebergType;
}

/** Tables of one comparison, which its connections share: they are not temporary, and have to be dropped. */
export class ComparisonTables {
  readonly #prefix: string;
  readonly #names = new Set<string>();

  /** @param unique tells them from those of other comparisons */
  constructor(unique: string) {
    this.#prefix = `log comparison ${unique}`;
  }

  /** `r` numbers the rows; the log's columns are called by `columnAlias`. */
  served(): string {
    return this.#name('served');
  }

  /** Rows as retrieved, by what was different: see `retrieveLogged`. */
  retrieved(which: string): string {
    return this.#name(`retrieved ${which}`);
  }

  /** Every value that differs. */
  differences(): string {
    return this.#name('differences');
  }

  /** Which states of the sources were current when a row was logged. */
  states(): string {
    return this.#name('states');
  }

  timeline(source: number): string {
    return this.#name(`timeline ${source}`);
  }

  /** The result of retrieving again. */
  causes(): string {
    return this.#name('causes');
  }

  /** Every value that differs with its cause. */
  explained(): string {
    return this.#name('explained');
  }

  async drop(connection: Connection): Promise<void> {
    for (const name of this.#names) await connection.run(`DROP TABLE IF EXISTS ${name}`);
  }

  #name(name: string): string {
    const quoted = quoteIdentifier(`${this.#prefix} ${name}`);
    this.#names.add(quoted);
    return quoted;
  }
}

/** The rows of a log, numbered. */
export function servedSql(tables: ComparisonTables, relation: string, fieldIds: readonly number[]): string {
  const columns = fieldIds.map((id) => columnAlias(id)).join(', ');
  return `CREATE TABLE ${tables.served()} AS SELECT row_number() OVER () - 1 AS r, ${columns} FROM ${relation}`;
}

/**
 * Whether two values that are there are the same: bit by bit, but that every NaN is the same. Nested values are compared with
 * their text too, which tells 0.0 from -0.0.
 */
export function sameValueSql(type: IcebergType, a: string, b: string): string {
  switch (type.kind) {
    case 'float':
    case 'double':
      return `(${a} = ${b} AND (isnan(${a}) OR signbit(${a}) = signbit(${b})))`;
    case 'list':
    case 'map':
    case 'struct':
      return `(${a} IS NOT DISTINCT FROM ${b} AND ${a}::VARCHAR = ${b}::VARCHAR)`;
    default:
      return `(${a} = ${b})`;
  }
}

function outcomeSql({ value, offline, status, type }: ComparedFeature): string {
  return [
    `CASE WHEN s.${status} IS NULL THEN 'not-logged'`,
    `WHEN s.${value} IS NULL AND o.${offline} IS NULL THEN 'match'`,
    `WHEN s.${value} IS NULL THEN 'missing' WHEN o.${offline} IS NULL THEN 'extra'`,
    `WHEN ${sameValueSql(type, `s.${value}`, `o.${offline}`)} THEN 'match' ELSE 'mismatch' END`,
  ].join(' ');
}

const joined = (tables: ComparisonTables): string =>
  `${tables.served()} AS s JOIN ${tables.retrieved('now')} AS o ON s.r = o.r`;

/** One row: the number of rows, then for each feature the number of matches, then of rows without it. */
export function countSql(tables: ComparisonTables, features: readonly ComparedFeature[]): string {
  const counts = features.flatMap((_, index) => [
    `count(*) FILTER (WHERE o${index} = 'match')`,
    `count(*) FILTER (WHERE o${index} = 'not-logged')`,
  ]);
  const outcomes = ['s.r', ...features.map((feature, index) => `${outcomeSql(feature)} AS o${index}`)].join(', ');
  return `SELECT ${['count(*)', ...counts].join(', ')} FROM (SELECT ${outcomes} FROM ${joined(tables)})`;
}

/** Every value that differs, and what is known of it at once. */
export function differencesSql(tables: ComparisonTables, features: readonly ComparedFeature[]) {
  const parts = features.map((feature) => {
    const servedTime = `epoch_us(s.${feature.servedTime})`;
    const offlineTime = `o.${feature.offlineTime}`;
    const columns = [
      's.r',
      `${feature.index} AS feature`,
      `${outcomeSql(feature)} AS difference`,
      `s.${feature.status} AS status`,
      `${offlineTime} IS NOT NULL AS has_row`,
      `(o.${feature.offline} IS NULL AND ${offlineTime} IS NOT NULL) AS is_null`,
      `(${offlineTime} > ${servedTime} OR (${servedTime} IS NULL AND ${offlineTime} IS NOT NULL)) AS is_newer`,
      `coalesce(o.${feature.createdAfter}, false) AS created_after`,
    ];
    return `SELECT ${columns.join(', ')} FROM ${joined(tables)}`;
  });
  const all = `SELECT * FROM (${parts.join(' UNION ALL ')}) WHERE difference NOT IN ('match', 'not-logged')`;
  return `CREATE TABLE ${tables.differences()} AS ${all}`;
}

/** Values for which another state of the sources gives another row. */
export function lateSql(tables: ComparisonTables, which: string, features: readonly ComparedFeature[]): string {
  const parts = features.map(({ index, offline, offlineTime, type }) => {
    const same = sameValueSql(type, `was.${offline}`, `o.${offline}`);
    const both = `((was.${offline} IS NULL AND o.${offline} IS NULL) OR coalesce(${same}, false))`;
    return [
      `SELECT d.r, d.feature, 'late' AS cause FROM ${tables.differences()} AS d`,
      `JOIN ${tables.retrieved(which)} AS was ON d.r = was.r JOIN ${tables.retrieved('now')} AS o ON d.r = o.r`,
      `WHERE d.feature = ${index} AND NOT (${both} AND was.${offlineTime} IS NOT DISTINCT FROM o.${offlineTime})`,
    ].join(' ');
  });
  return `INSERT INTO ${tables.causes()} ${parts.join(' UNION ALL ')}`;
}

/** Served values whose row is retrieved only if no row is too old. */
export function ttlSql(tables: ComparisonTables, which: string, features: readonly ComparedFeature[]): string {
  const parts = features.map(({ index, offlineTime }) =>
    [
      `SELECT d.r, d.feature, 'ttl' AS cause FROM ${tables.differences()} AS d`,
      `JOIN ${tables.retrieved(which)} AS old ON d.r = old.r`,
      `WHERE d.feature = ${index} AND d.difference = 'extra' AND NOT d.has_row AND old.${offlineTime} IS NOT NULL`,
    ].join(' '),
  );
  return `INSERT INTO ${tables.causes()} ${parts.join(' UNION ALL ')}`;
}

/** Differences with their cause; see `CAUSES` for the order. */
export function explainedSql(tables: ComparisonTables): string {
  const found = (cause: DifferenceCause): string =>
    `EXISTS (FROM ${tables.causes()} AS f WHERE f.r = d.r AND f.feature = d.feature AND f.cause = '${cause}')`;
  const cases: readonly (readonly [string, DifferenceCause])[] = [
    ['d.created_after', 'created-after'],
    [found('late'), 'late'],
    [`(d.difference = 'missing' AND d.status = 'OUTSIDE_MAX_AGE') OR ${found('ttl')}`, 'ttl'],
    [`d.status = 'NULL_VALUE' OR d.is_null`, 'null'],
    ['d.is_newer', 'not-materialized'],
  ];
  const when = cases.map(([condition, cause]) => `WHEN ${condition} THEN ${quoteLiteral(cause)}`).join(' ');
  return `SELECT d.r, d.feature, d.difference, CASE ${when} ELSE 'unexplained' END AS cause FROM ${tables.differences()} AS d`;
}
