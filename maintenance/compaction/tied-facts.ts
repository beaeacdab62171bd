/** Rows of a group that tie, with each other or with rows beside it, as a registered view sees them. */
import { randomUUID } from 'node:crypto';
import { type Connection, columnAlias, readableScanSql, type Scan } from '../../engine/index.js';
import { findField } from '../../iceberg/index.js';
import type { TieView } from './compact-plan.js';

/** Facts about the rows of a group in one view, and about those beside it that tie with them: a temporary table. */
export class TiedFacts {
  readonly view: TieView;
  readonly #connection: Connection;
  readonly #table = `moraine_ties_${randomUUID().replaceAll('-', '')}`;
  readonly #tied: readonly string[];

  private constructor(connection: Connection, view: TieView) {
    this.view = view;
    this.#connection = connection;
    this.#tied = tiedIds(view).map(columnAlias);
  }

  /** @param own the rows of the group */
  static async of(connection: Connection, view: TieView, own: Scan): Promise<TiedFacts> {
    const facts = new TiedFacts(connection, view);
    const rows = await rowsSql(connection, view, own, true);
    await connection.run(`CREATE TEMPORARY TABLE ${facts.#table} AS ${facts.#summarySql(rows)}`);
    return facts;
  }

  /** Adds those rows of files beside the group that tie with rows of the group. */
  async add(scan: Scan, isRewritten: boolean): Promise<void> {
    const ties = this.#tied.map((column) => `r.${column} IS NOT DISTINCT FROM o.${column}`).join(' AND ');
    const beside = await rowsSql(this.#connection, this.view, scan, isRewritten);
    const rows = `SELECT r.* FROM (${beside}) AS r SEMI JOIN ${this.#table} AS o ON ${ties}`;
    await this.#connection.run(`INSERT INTO ${this.#table} ${this.#summarySql(rows)}`);
  }

  /** Whether rows that tie, and are not served alike, are ordered otherwise after the rewrite. */
  async areChanged(): Promise<boolean> {
    const isChanged = 'min(least_class) <> max(greatest_class) AND min(least_facts) <> max(greatest_facts)';
    const sql = `SELECT 1 FROM ${this.#table} GROUP BY ${this.#tied.join(', ')} HAVING ${isChanged} LIMIT 1`;
    return (await this.#connection.rows(sql)).length > 0;
  }

  async drop(): Promise<void> {
    await this.#connection.run(`DROP TABLE IF EXISTS ${this.#table}`);
  }

  #summarySql(rows: string): string {
    const tied = this.#tied.join(', ');
    const bounds = ['class', 'facts'].map(
      (column) => `min(${column}) AS least_${column}, max(${column}) AS greatest_${column}`,
    );
    return `SELECT ${tied}, ${bounds.join(', ')} FROM (${rows}) GROUP BY ${tied}`;
  }
}

/** The columns of which rows that tie have the same values. */
const tiedIds = ({ keyIds, eventTimeId, createdId }: TieView): readonly number[] => [
  ...new Set([...keyIds, eventTimeId, ...(createdId === null ? [] : [createdId])]),
];

/**
 * The ties of a row, its class, and a hash of everything that is served of it. Rows of two classes are told apart otherwise after the
 * rewrite.
 */
async function rowsSql(connection: Connection, view: TieView, scan: Scan, isRewritten: boolean): Promise<string> {
  const { keyIds, eventTimeId, featureIds } = view;
  const tied = tiedIds(view);
  const columns = [...new Set([...tied, ...featureIds])];
  const extras = { sequenceNumber: 'm_seq' };
  const rows = await readableScanSql(connection, { ...scan, columns, naming: 'id', extras });
  const facts = featureIds.flatMap((id) => {
    const kind = findField(scan.schema, id)?.type.kind;
    const column = columnAlias(id);
    return kind === 'float' || kind === 'double' ? [column, `signbit(${column})`] : [column];
  });
  const rowClass = isRewritten ? '2 * m_seq' : '2 * m_seq + 1';
  const present = [...keyIds, eventTimeId].map((id) => `${columnAlias(id)} IS NOT NULL`).join(' AND ');
  return `SELECT ${tied.map(columnAlias).join(', ')}, ${rowClass} AS class, hash(${['0', ...facts].join(', ')}) AS facts FROM ${rows} WHERE ${present}`;
}
