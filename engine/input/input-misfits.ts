/** Values of an input file that their column's type cannot hold: found by one pass over the file, before anything is written. */
import { MoraineError } from '../../errors/index.js';
import { typeToString } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import type { InputColumn, InputRelation } from './input-column.js';

/** The place of the row of an index from 0, such as `line 3`. */
export type PlaceOfRow = (row: number) => Promise<string>;

const SHOWN_CHARACTERS = 100;

/** SQL that is true for a value that does not fit its column. */
export const misfitSql = (column: InputColumn): string =>
  column.reason === undefined
    ? `(${column.text}) IS NOT NULL AND (${column.sql}) IS NULL`
    : `(${column.reason}) IS NOT NULL`;

/** @throws TYPE_MISMATCH naming for every such column the first value that does not fit, and its place */
export async function refuseMisfits(
  connection: Connection,
  { relation, columns }: InputRelation,
  placeOf: PlaceOfRow,
): Promise<void> {
  const texts = columns.filter(({ text, sql, reason }) => reason !== undefined || (text !== undefined && text !== sql));
  if (texts.length === 0) return;
  const counts = texts.map((column) => `count(*) FILTER (WHERE ${misfitSql(column)})`);
  const [found = []] = await connection.rows(`SELECT ${counts.join(', ')} FROM ${relation}`);
  const problems: string[] = [];
  for (const [index, column] of texts.entries()) {
    const count = Number(found[index]);
    if (count > 0) problems.push(await describe(connection, relation, column, count, placeOf));
  }
  if (problems.length > 0) throw new MoraineError('TYPE_MISMATCH', problems.join('\n'));
}

async function describe(
  connection: Connection,
  relation: string,
  column: InputColumn,
  count: number,
  placeOf: PlaceOfRow,
): Promise<string> {
  // The relation keeps the order of the file.
  const shownSql = column.reason ?? column.text;
  const numbered = `SELECT row_number() OVER () - 1 AS n, ${shownSql} AS v, ${misfitSql(column)} AS misfit FROM ${relation}`;
  const [[row, value] = []] = await connection.rows(`SELECT n, v FROM (${numbered}) WHERE misfit ORDER BY n LIMIT 1`);
  const more = count === 1 ? '' : ` (${count} such values)`;
  const where = `column ${JSON.stringify(column.name)}, ${await placeOf(Number(row))}`;
  if (column.reason !== undefined) return `${where}: ${String(value).trimStart()}${more}`;
  const text = String(value);
  const shown = JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
  return `${where}: ${shown} does not fit ${typeToString(column.type)} exactly${more}`;
}
