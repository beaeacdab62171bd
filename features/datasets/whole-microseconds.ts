/** Entity rows for tables, which have microseconds where Moraine makes them. */
import { sqlType } from '../../engine/index.js';
import type { IcebergType, Schema } from '../../iceberg/index.js';
import { isNanosecondType } from '../definitions/feature-type.js';
import type { SqlSession } from '../sql-session.js';

/** A statement's rows, columns in the order of the schema. */
export interface SelectedRows {
  readonly select: string;
  readonly schema: Schema;
}

/**
 * The rows with times of whole microseconds as microseconds, whatever the unit of their type: many writers have nanoseconds only.
 * @param count columns that are looked at, from the first; a column of which any value would be cut stays as it is
 */
export async function withMicroseconds(session: SqlSession, rows: SelectedRows, count: number): Promise<SelectedRows> {
  const { fields } = rows.schema;
  const names = fields.map((_, index) => `c${index}`);
  const relation = `(${rows.select}) AS e(${names.join(', ')})`;
  const candidates = fields.flatMap(({ type }, index) => (index < count && isNanosecondType(type) ? [index] : []));
  if (candidates.length === 0) return rows;
  const facts = candidates.map((index) => `count(*) FILTER (epoch_ns(c${index}) % 1000 <> 0) = 0`);
  const [whole = []] = await session.rows(`SELECT ${facts.join(', ')} FROM ${relation}`);
  const chosen = new Set(candidates.filter((_, index) => whole[index] === true));
  const typed = fields.map((field, index) =>
    chosen.has(index) ? { ...field, type: microseconds(field.type) } : field,
  );
  const columns = typed.map(({ type }, index) =>
    chosen.has(index) ? `c${index}::TIMESTAMP::${sqlType(type)} AS c${index}` : `c${index}`,
  );
  return { select: `SELECT ${columns.join(', ')} FROM ${relation}`, schema: { ...rows.schema, fields: typed } };
}

const microseconds = (type: IcebergType): IcebergType => ({
  kind: type.kind === 'timestamptz_ns' ? 'timestamptz' : 'timestamp',
});
