/** Rows of which some do not fit their table, told apart from those that do. */
import { randomUUID } from 'node:crypto';
import { type Connection, jsonOrNullSql, NUMBER_KINDS, quoteLiteral } from '../engine/index.js';
import { type IcebergType, type Schema, typeToString } from '../iceberg/index.js';
import { type KnownColumn, lacksSql, type MatchedRows, missingSql } from './input-columns.js';

/** A row that does not fit. */
export interface BadRow {
  /** Its place among the rows, from 0. */
  readonly row: bigint;
  readonly reason: 'MISSING_REQUIRED' | 'OUT_OF_RANGE' | 'INVALID_TIME' | 'WRONG_TYPE';
  readonly message: string;
  /** The row as an object of JSON, by the names that its columns came with. */
  readonly json: string;
}

export interface JudgedRows {
  /** A statement that gives the others in their order, columns as the table has them; until `close`. */
  readonly sql: string;
  /** In the order of the rows. */
  readonly bad: readonly BadRow[];
  readonly close: () => Promise<void>;
}

/** What may be wrong with a value of a column: its number, after that of the column. The first is that it does not fit. */
const [MISSING, LACKING, KINDS] = [1, 2, 3];

/** @param given the schema of the rows, and what is known of its columns */
export async function judgeRows(
  connection: Connection,
  matched: MatchedRows,
  given: Schema,
  known: readonly KnownColumn[],
): Promise<JudgedRows> {
  const { columns, source } = matched;
  const table = `judged_${randomUUID().replaceAll('-', '_')}`;
  const cases = columns.flatMap((column, index) => {
    const conditions = [column.misfitSql, missingSql(column), lacksSql(column)];
    return conditions.flatMap((sql, kind) => (sql === undefined ? [] : [`WHEN ${sql} THEN ${KINDS * index + kind}`]));
  });
  const placed = `SELECT *, row_number() OVER () - 1 AS n FROM ${source}`;
  const judged = `SELECT *, CASE ${cases.join(' ')} END AS problem FROM (${placed})`;
  const members = given.fields.map(({ name, type }, index) => {
    const { misfit, raw } = known[index] ?? {};
    const value = jsonOrNullSql(type, `i${index}`);
    const isNumber = misfit !== undefined && raw !== undefined;
    const text = isNumber ? `CASE WHEN ${misfit} THEN ${raw}::VARCHAR ELSE ${value} END` : value;
    return `${quoteLiteral(`${JSON.stringify(name)}:`)} || ${text}`;
  });
  const shown = columns.flatMap(({ shownSql }, index) =>
    shownSql === undefined ? [] : [`WHEN ${index} THEN ${shownSql}`],
  );
  // What is an error for a row that does not fit is not computed for it.
  const values = columns.map(({ valueSql }, index) => `CASE WHEN problem IS NULL THEN ${valueSql} END AS v${index}`);
  const ofBad = [`'{' || ${members.join(" || ',' || ")} || '}'`, `CASE problem // ${KINDS} ${shown.join(' ')} END`];
  const [json, text] = ofBad.map((sql) => `CASE WHEN problem IS NOT NULL THEN ${sql} END`);
  await connection.run(
    `CREATE TEMP TABLE ${table} AS SELECT n, problem, ${json} AS json, ${text} AS shown, ${values.join(', ')} FROM (${judged})`,
  );
  const found = await connection.rows(
    `SELECT n, problem, json, shown FROM ${table} WHERE problem IS NOT NULL ORDER BY n`,
  );
  return {
    sql: `SELECT ${columns.map((_, index) => `v${index}`).join(', ')} FROM ${table} WHERE problem IS NULL`,
    bad: found.map(([n, problem, row, value]): BadRow => {
      const [index, kind] = [Math.floor(Number(problem) / KINDS), Number(problem) % KINDS];
      const { name = '', type = { kind: 'unknown' } } = columns[index]?.field ?? {};
      const named = `column ${JSON.stringify(name)}`;
      const place = { row: BigInt(String(n)), json: String(row) };
      const shownValue = cut(String(value));
      if (kind === MISSING)
        return { ...place, reason: 'MISSING_REQUIRED', message: `${named} is required, and has no value` };
      if (kind === LACKING) {
        const message = `${named}: ${shownValue} has a null where a value is required`;
        return { ...place, reason: 'MISSING_REQUIRED', message };
      }
      const message = `${named}: ${shownValue} does not fit ${typeToString(type)} exactly`;
      return { ...place, reason: reasonOf(type), message };
    }),
    close: () => connection.run(`DROP TABLE IF EXISTS ${table}`),
  };
}

const TIMES: ReadonlySet<IcebergType['kind']> = new Set([
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

const reasonOf = ({ kind }: IcebergType): BadRow['reason'] =>
  NUMBER_KINDS.has(kind) ? 'OUT_OF_RANGE' : TIMES.has(kind) ? 'INVALID_TIME' : 'WRONG_TYPE';

const SHOWN_CHARACTERS = 100;
const cut = (text: string): string => (text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
