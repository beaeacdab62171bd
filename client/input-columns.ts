/** How the columns of rows that a user gives become those of a table. */
import { type Connection, NUMBER_KINDS, quoteLiteral, sqlType } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type IcebergType, type NestedField, type Schema, typeToString } from '../iceberg/index.js';

/** Rows that a user gives. */
export interface InputRows {
  readonly schema: Schema;
  /** A statement that gives the rows, columns in the order of the schema and of its types. */
  readonly sql: string;
}

/** What messages call the two sides. */
export interface InputNames {
  readonly input: string;
  readonly target: string;
}

export const FILE_AND_TABLE: InputNames = { input: 'the file', target: 'the table' };

/**
 * A statement that gives the rows in the columns and types of the target, matched by name, letter case included. Columns that the rows
 * lack are null. Every value is looked at before the statement is given.
 * @throws `COLUMN_NOT_FOUND` for a column that the target lacks; `TYPE_MISMATCH` for a value that has no exact counterpart in its column's type, for
 * types that no value of one fits the other, and for nulls in a required column
 */
export async function exactRows(
  connection: Connection,
  rows: InputRows,
  target: Schema,
  names: InputNames,
): Promise<string> {
  const columns = matchColumns(rows.schema, target, names);
  const aliases = rows.schema.fields.map((_, index) => `i${index}`).join(', ');
  const source = `(${rows.sql}) AS input(${aliases})`;
  await refuseMisfits(connection, columns, source);
  return `SELECT ${columns.map((column) => column.valueSql).join(', ')} FROM ${source}`;
}

/** A statement that gives no rows in the columns and types of a schema. */
export function noRows({ fields }: Schema): string {
  return `SELECT ${fields.map(({ type }) => `NULL::${sqlType(type)}`).join(', ')} WHERE false`;
}

/** One column of the target. */
interface InputColumn {
  readonly field: NestedField;
  /** The input's column, `i0..`; undefined if it has none. */
  readonly source: string | undefined;
  /** SQL of its value in the table's type. */
  readonly valueSql: string;
  /** SQL that is true for an input value that has no exact counterpart in the table's type; undefined if all have. */
  readonly misfitSql: string | undefined;
  /** Type of the input's column. */
  readonly from: IcebergType | undefined;
}

function matchColumns(input: Schema, table: Schema, names: InputNames): readonly InputColumn[] {
  const known = new Set(table.fields.map((field) => field.name));
  const extra = input.fields.filter((field) => !known.has(field.name)).map((field) => field.name);
  if (extra.length > 0) {
    throw new MoraineError(
      'COLUMN_NOT_FOUND',
      `${names.target} has no column ${extra.map((name) => JSON.stringify(name)).join(', ')} of ${names.input}; it has ${[...known].join(', ')}`,
      { details: { columns: extra } },
    );
  }
  return table.fields.map((field) => {
    const index = input.fields.findIndex((candidate) => candidate.name === field.name);
    const from = input.fields[index]?.type;
    const isGiven = from !== undefined && from.kind !== 'unknown';
    if (isGiven) return convert(field, from, `i${index}`, names);
    if (!field.required)
      return { field, from, source: undefined, valueSql: `NULL::${sqlType(field.type)}`, misfitSql: undefined };
    throw new MoraineError(
      'TYPE_MISMATCH',
      `${names.input} lacks the column ${JSON.stringify(field.name)}, which is required`,
    );
  });
}

/** Kinds that convert into one another, value by value, as those of numbers do. Text was read with the table's types already. */
const POINTS_IN_TIME: ReadonlySet<IcebergType['kind']> = new Set([
  'date',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

function convert(field: NestedField, from: IcebergType, column: string, names: InputNames): InputColumn {
  const to = field.type;
  const target = sqlType(to);
  if (shapeOf(from) === shapeOf(to)) return { field, from, source: column, valueSql: column, misfitSql: undefined };
  const valueSql = `CAST(${column} AS ${target})`;
  const parsed = `TRY_CAST(${column} AS ${target})`;
  const sameFamily = [NUMBER_KINDS, POINTS_IN_TIME].some((family) => family.has(from.kind) && family.has(to.kind));
  if (!sameFamily) {
    throw new MoraineError(
      'TYPE_MISMATCH',
      `column ${JSON.stringify(field.name)} is ${typeToString(from)} in ${names.input} and ${typeToString(to)} in ${names.target}`,
    );
  }
  // A decimal fraction has no exact float: there rounding is what the type is for.
  const rounds = to.kind === 'float' && from.kind === 'double';
  const back = `TRY_CAST(${parsed} AS ${sqlType(from)}) IS DISTINCT FROM ${column}`;
  return {
    field,
    from,
    source: column,
    valueSql,
    misfitSql: `${column} IS NOT NULL AND ${rounds ? `${parsed} IS NULL` : `(${back})`}`,
  };
}

/** A type without its field ids: what has the same shape needs no conversion. */
function shapeOf(type: IcebergType): string {
  switch (type.kind) {
    case 'struct':
      return `struct<${type.fields.map((field) => `${quoteLiteral(field.name)} ${shapeOf(field.type)}`).join(', ')}>`;
    case 'list':
      return `list<${shapeOf(type.element)}>`;
    case 'map':
      return `map<${shapeOf(type.key)}, ${shapeOf(type.value)}>`;
    default:
      return typeToString(type);
  }
}

/** Looks for values that would be changed or lost, and for nulls in required columns, before anything is written. */
async function refuseMisfits(connection: Connection, columns: readonly InputColumn[], source: string): Promise<void> {
  const checks = columns.flatMap(checksOf);
  if (checks.length === 0) return;
  const looks = checks.flatMap(({ condition, value }) => [
    `count(*) FILTER (WHERE ${condition})`,
    `first(${value}::VARCHAR) FILTER (WHERE ${condition})`,
  ]);
  const [found = []] = await connection.rows(`SELECT ${looks.join(', ')} FROM ${source}`);
  const problems = checks.flatMap(({ say }, index) => {
    const count = Number(found[index * 2]);
    return count > 0 ? [say(count, String(found[index * 2 + 1]))] : [];
  });
  if (problems.length > 0) throw new MoraineError('TYPE_MISMATCH', problems.join('\n'));
}

interface Check {
  /** SQL that is true for a bad value. */
  readonly condition: string;
  readonly value: string;
  readonly say: (count: number, first: string) => string;
}

function checksOf({ field, from, misfitSql, source }: InputColumn): Check[] {
  if (source === undefined) return [];
  const named = `column ${JSON.stringify(field.name)}`;
  const checks: Check[] = [];
  if (misfitSql !== undefined && from !== undefined) {
    const say = (count: number, first: string): string =>
      `${named}: ${first} (${typeToString(from)}) does not fit ${typeToString(field.type)} exactly${others(count)}`;
    checks.push({ condition: misfitSql, value: source, say });
  }
  if (field.required) {
    const say = (count: number): string => `${named}: ${count} nulls, but the column is required`;
    checks.push({ condition: `${source} IS NULL`, value: source, say });
  }
  return checks;
}

const others = (count: number): string => (count === 1 ? '' : ` (${count} such values)`);
