/** How the columns of an input file become those of a table. */
import { quoteLiteral, sqlType } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type IcebergType, type NestedField, type Schema, typeToString } from '../iceberg/index.js';

/** One column of the table. */
export interface InputColumn {
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

/**
 * Matches columns by name, letter case included. Columns of the table that the input lacks become null.
 *
 * @throws `COLUMN_NOT_FOUND` for a column that the table lacks; `TYPE_MISMATCH` for types that no value of one fits the other,
 * and for a required column that the input lacks
 */
export function matchColumns(input: Schema, table: Schema): readonly InputColumn[] {
  const known = new Set(table.fields.map((field) => field.name));
  const extra = input.fields.filter((field) => !known.has(field.name)).map((field) => field.name);
  if (extra.length > 0) {
    throw new MoraineError(
      'COLUMN_NOT_FOUND',
      `the table has no column ${extra.map((name) => JSON.stringify(name)).join(', ')} of the file; it has ${[...known].join(', ')}`,
      { details: { columns: extra } },
    );
  }
  return table.fields.map((field) => {
    const index = input.fields.findIndex((candidate) => candidate.name === field.name);
    const from = input.fields[index]?.type;
    if (from !== undefined) return convert(field, from, `i${index}`);
    if (!field.required)
      return { field, from, source: undefined, valueSql: `NULL::${sqlType(field.type)}`, misfitSql: undefined };
    throw new MoraineError(
      'TYPE_MISMATCH',
      `the file lacks the column ${JSON.stringify(field.name)}, which is required`,
    );
  });
}

/** Kinds of number that convert into one another, value by value. Text was read with the table's types already. */
const NUMBERS: ReadonlySet<string> = new Set(['int', 'long', 'float', 'double', 'decimal']);
const POINTS_IN_TIME: ReadonlySet<string> = new Set([
  'date',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

function convert(field: NestedField, from: IcebergType, column: string): InputColumn {
  const to = field.type;
  const target = sqlType(to);
  if (shapeOf(from) === shapeOf(to)) return { field, from, source: column, valueSql: column, misfitSql: undefined };
  const valueSql = `CAST(${column} AS ${target})`;
  const parsed = `TRY_CAST(${column} AS ${target})`;
  const sameFamily = [NUMBERS, POINTS_IN_TIME].some((family) => family.has(from.kind) && family.has(to.kind));
  if (!sameFamily) {
    throw new MoraineError(
      'TYPE_MISMATCH',
      `column ${JSON.stringify(field.name)} is ${typeToString(from)} in the file and ${typeToString(to)} in the table`,
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
