/** How the columns of rows that a user gives become those of a table. */
import {
  type Connection,
  lacksInsideSql,
  NUMBER_KINDS,
  quoteLiteral,
  sqlType,
  writeDefaultSql,
} from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type IcebergType, type NestedField, type Schema, typeToString } from '../iceberg/index.js';

/** Rows that a user gives. */
export interface InputRows {
  readonly schema: Schema;
  /** A statement that gives the rows, columns in the order of the schema and of its types. */
  readonly sql: string;
  /** What is known of the columns beside their types, in the order of the schema. */
  readonly known?: readonly KnownColumn[];
}

/** What is known of a column of the input. */
export interface KnownColumn {
  /** Whether it has any, inside of its values included. */
  readonly hasNulls: boolean;
  /** A further column of the statement: true for values that are none of their own type, which are null. */
  readonly misfit?: string;
  /** A further column of the statement, in which these values are numbers. */
  readonly raw?: string;
}

/** What messages call the two sides. */
export interface InputNames {
  readonly input: string;
  readonly target: string;
}

export const FILE_AND_TABLE: InputNames = { input: 'the file', target: 'the table' };

/**
 * A statement that gives the rows in the columns and types of the target, matched by name, letter case included. Columns that the rows
 * lack have their write default, or are null. Every value is looked at before the statement is given.
 * @throws `COLUMN_NOT_FOUND` for a column that the target lacks; `TYPE_MISMATCH` for a value that has no exact counterpart in its column's type, for
 * types that no value of one fits the other, and for nulls in a required column, or in a required field inside of one
 */
export async function exactRows(
  connection: Connection,
  rows: InputRows,
  target: Schema,
  names: InputNames,
): Promise<string> {
  const matched = matchRows(rows, target, names);
  const problems = await findMisfits(connection, matched);
  if (problems.length > 0) throw new MoraineError('TYPE_MISMATCH', problems.join('\n'));
  return selectSql(matched);
}

/** Rows whose columns are matched with those of a target. */
export interface MatchedRows {
  /** In the order of the target. */
  readonly columns: readonly InputColumn[];
  /** Stands after FROM: the input's columns `i0` and so on, and its further ones. */
  readonly source: string;
}

/** @throws `COLUMN_NOT_FOUND`, `TYPE_MISMATCH` for columns, whatever their values are */
export function matchRows({ schema, sql, known = [] }: InputRows, target: Schema, names: InputNames): MatchedRows {
  const aliases = schema.fields.map((_, index) => `i${index}`);
  const further = known.flatMap(({ misfit, raw }) => [misfit, raw].filter((name) => name !== undefined));
  return {
    columns: matchColumns(schema, target, names, known),
    source: `(${sql}) AS input(${[...aliases, ...further].join(', ')})`,
  };
}

/** A statement that gives the rows in the columns and types of the target, if all fit. */
export const selectSql = ({ columns, source }: MatchedRows): string =>
  `SELECT ${columns.map((column) => column.valueSql).join(', ')} FROM ${source}`;

/** A statement that gives no rows in the columns and types of a schema. */
export function noRows({ fields }: Schema): string {
  return `SELECT ${fields.map(({ type }) => `NULL::${sqlType(type)}`).join(', ')} WHERE false`;
}

/** One column of the target. */
export interface InputColumn {
  readonly field: NestedField;
  /** The input's column, `i0..`; undefined if it has none. */
  readonly source: string | undefined;
  /** SQL of its value in the table's type, for a value that fits. */
  readonly valueSql: string;
  /** SQL that is true for an input value that has no exact counterpart in the table's type; undefined if all have. */
  readonly misfitSql: string | undefined;
  /** Type of the input's column. */
  readonly from: IcebergType | undefined;
  /** SQL of what the input has, for people. */
  readonly shownSql: string | undefined;
  readonly hasNulls: boolean;
}

function matchColumns(
  input: Schema,
  table: Schema,
  names: InputNames,
  facts: readonly KnownColumn[],
): readonly InputColumn[] {
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
    if (isGiven) return withKnown(convert(field, from, `i${index}`, names), facts[index]);
    const writeDefault = from === undefined ? writeDefaultSql(field) : undefined;
    if (!field.required || writeDefault !== undefined) {
      const none = { source: undefined, misfitSql: undefined, shownSql: undefined, hasNulls: true };
      return { field, from, valueSql: writeDefault ?? `NULL::${sqlType(field.type)}`, ...none };
    }
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

function withKnown(column: InputColumn, known: KnownColumn | undefined): InputColumn {
  if (known === undefined) return column;
  const { misfit, raw, hasNulls } = known;
  if (misfit === undefined) return { ...column, hasNulls };
  const misfitSql = [misfit, ...(column.misfitSql === undefined ? [] : [column.misfitSql])].map((sql) => `(${sql})`);
  const shownSql = raw === undefined ? column.shownSql : `coalesce(${raw}::VARCHAR, ${column.shownSql ?? 'NULL'})`;
  return { ...column, misfitSql: misfitSql.join(' OR '), shownSql, hasNulls };
}

function convert(field: NestedField, from: IcebergType, column: string, names: InputNames): InputColumn {
  const to = field.type;
  const target = sqlType(to);
  const same = { field, from, source: column, shownSql: `${column}::VARCHAR`, hasNulls: true };
  if (shapeOf(from) === shapeOf(to)) return { ...same, valueSql: column, misfitSql: undefined };
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
    ...same,
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

/** Looks for values that would be changed or lost, and for nulls in required columns, before anything is written. @returns what is wrong with each column, in words */
export async function findMisfits(
  connection: Connection,
  { columns, source }: MatchedRows,
): Promise<readonly string[]> {
  const checks = columns.flatMap(checksOf);
  if (checks.length === 0) return [];
  const looks = checks.flatMap(({ condition, value }) => [
    `count(*) FILTER (WHERE ${condition})`,
    `first(${value}) FILTER (WHERE ${condition})`,
  ]);
  const [found = []] = await connection.rows(`SELECT ${looks.join(', ')} FROM ${source}`);
  return checks.flatMap(({ say }, index) => {
    const count = Number(found[index * 2]);
    return count > 0 ? [say(count, String(found[index * 2 + 1]))] : [];
  });
}

/** SQL that is true for a null in a required column; undefined: there is none. A value that fits no type is not one. */
export function missingSql({ field, source, misfitSql, hasNulls }: InputColumn): string | undefined {
  if (!field.required || source === undefined || !hasNulls) return undefined;
  return misfitSql === undefined ? `${source} IS NULL` : `${source} IS NULL AND NOT coalesce(${misfitSql}, false)`;
}

/** SQL that is true for a value with a null inside where one is required; undefined: there is none. */
export function lacksSql({ field, source, hasNulls }: InputColumn): string | undefined {
  return source === undefined || !hasNulls ? undefined : lacksInsideSql(field.type, source);
}

interface Check {
  /** SQL that is true for a bad value. */
  readonly condition: string;
  /** SQL of its text. */
  readonly value: string;
  readonly say: (count: number, first: string) => string;
}

function checksOf(column: InputColumn): Check[] {
  const { field, from, misfitSql, shownSql = 'NULL' } = column;
  const named = `column ${JSON.stringify(field.name)}`;
  const checks: Check[] = [];
  if (misfitSql !== undefined && from !== undefined) {
    const say = (count: number, first: string): string =>
      `${named}: ${first} (${typeToString(from)}) does not fit ${typeToString(field.type)} exactly${others(count)}`;
    checks.push({ condition: misfitSql, value: shownSql, say });
  }
  const missing = missingSql(column);
  if (missing !== undefined) {
    const say = (count: number): string => `${named}: ${count} nulls, but the column is required`;
    checks.push({ condition: missing, value: 'NULL::VARCHAR', say });
  }
  const lacks = lacksSql(column);
  if (lacks !== undefined) {
    const say = (count: number, first: string): string =>
      `${named}: ${first} has a null where a value is required${others(count)}`;
    checks.push({ condition: lacks, value: shownSql, say });
  }
  return checks;
}

const others = (count: number): string => (count === 1 ? '' : ` (${count} such values)`);
