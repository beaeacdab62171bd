/** JSON Lines input (also one array of objects). */
import type { DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../errors/index.js';
import type { PrimitiveType } from '../iceberg/index.js';
import type { Connection } from './connection.js';
import { DuckDBTypeId } from './duckdb.js';
import { icebergType } from './duckdb-type.js';
import { jsonObjectsReader, jsonReader, openTextFile, type TextFile } from './file-readers.js';
import {
  type ColumnTyping,
  type InputColumn,
  type InputRelation,
  inputType,
  isTimeColumn,
  nestedTarget,
  provisionalIds,
  textColumn,
  textTarget,
} from './input-column.js';
import { nestedColumn } from './input-nested.js';
import { refuseRoundedDecimals } from './json-decimal.js';
import { quoteIdentifier, quoteLiteral } from './sql-text.js';
import { isPrimitive, sqlType } from './sql-type.js';
import { inferredSql, inferTextTypes } from './text-inference.js';

/** Types that DuckDB guesses from text; they are judged again by our rules, which know zones and cut nothing. */
const GUESSED = new Set([
  DuckDBTypeId.VARCHAR,
  DuckDBTypeId.DATE,
  DuckDBTypeId.TIME,
  DuckDBTypeId.TIMESTAMP,
  DuckDBTypeId.TIMESTAMP_TZ,
  DuckDBTypeId.TIMESTAMP_NS,
  DuckDBTypeId.UUID,
]);

/** Every row is looked at, to the bottom. */
const INFERENCE = [
  'records = true, sample_size = -1, maximum_depth = -1, map_inference_threshold = -1',
  'convert_strings_to_integers = false',
];

/**
 * Columns of a JSON Lines file. Types are the wanted ones, or else those of the values: objects become structs; texts inside them
 * stay texts.
 */
export async function inferJson(connection: Connection, path: string, typing: ColumnTyping): Promise<InputRelation> {
  const { targets, eventTime } = typing;
  const file = await openTextFile(path);
  if (eventTime !== undefined && (await hasNoRows(connection, file)))
    return { relation: '(SELECT 1 WHERE false)', columns: [] };
  const { names, types } = await connection.describe(`FROM ${jsonReader(file, INFERENCE)}`);
  await refuseMadeUpNames(connection, file, names);
  const known = names.map((name) => textTarget(targets, name) ?? nestedTarget(targets, name));
  const stored = types.map((type, index) => (known[index] === undefined ? textForm(type) : 'JSON'));
  const readAs = names.map((name, index) => `${quoteIdentifier(name)}: ${quoteLiteral(stored[index] as string)}`);
  const reader = jsonReader(file, ['records = true', `columns = {${readAs.join(', ')}}`]);
  const relation = `(FROM ${reader} AS input(${names.map((_, index) => `t${index}`).join(', ')}))`;
  const texts = names.flatMap((_, index) => (stored[index] === 'VARCHAR' ? [`t${index}`] : []));
  const times = new Set(texts.filter((text) => isTimeColumn(typing, names[Number(text.slice(1))] ?? '', names)));
  const inferred = new Map(
    (await inferTextTypes(connection, relation, texts, times)).map((type, i) => [texts[i], type]),
  );
  const wide = names.flatMap((_, index) => (known[index] === undefined && isWide(types[index]) ? [`t${index}`] : []));
  const longs = await fittingLong(connection, relation, wide);
  const columns = names.map((name, index): InputColumn => {
    const alias = `t${index}`;
    const target = known[index];
    if (target !== undefined)
      return isPrimitive(target) ? jsonColumn(name, target, alias) : nestedColumn(name, target, alias);
    const found = longs.has(alias) ? LONG : inferredText(inferred.get(alias));
    const type = found ?? withoutGuesses(inputType(path, name, types[index] as DuckDBType));
    return { name, type, sql: inferredSql(type, alias) };
  });
  await refuseRoundedDecimals(connection, file, columns);
  return { relation, columns };
}

/** The reader finds no columns where there are no rows. */
async function hasNoRows(connection: Connection, file: TextFile): Promise<boolean> {
  return (await connection.rows(`SELECT 1 FROM ${jsonObjectsReader(file)} LIMIT 1`)).length === 0;
}

/**
 * The reader makes up names for keys that it cannot use (`C0` for an empty one, `case_1` beside `Case`) and then finds no values
 * for them.
 */
async function refuseMadeUpNames(connection: Connection, file: TextFile, names: readonly string[]): Promise<void> {
  const suspects = names.filter((name) => /_\d+$|^C\d+$/.test(name));
  if (suspects.length === 0) return;
  const rows = await connection.rows(`SELECT DISTINCT unnest(json_keys(json)) FROM ${jsonObjectsReader(file)}`);
  const keys = new Set(rows.map(([key]) => key));
  const made = suspects.find((name) => !keys.has(name));
  if (made === undefined) return;
  const { path } = file;
  throw new MoraineError(
    'INPUT_UNREADABLE',
    /^C\d+$/.test(made)
      ? `${path} has a key without a name; rename it.`
      : `${path} has keys that differ by letter case only, like ${JSON.stringify(made.replace(/_\d+$/, ''))}; rename one.`,
    { details: { path } },
  );
}

/** A JSON value read as a wanted type. Numbers and truth values are no texts: how they were written is not kept. */
function jsonColumn(name: string, type: PrimitiveType, json: string): InputColumn {
  const column = textColumn(name, type, `(${json} ->> '$')`);
  if (type.kind !== 'string') return column;
  return { ...column, sql: `CASE WHEN json_type(${json}) = 'VARCHAR' THEN ${column.sql} END` };
}

const LONG = { kind: 'long' } as const;

const isWide = (type: DuckDBType | undefined): boolean =>
  type?.typeId === DuckDBTypeId.HUGEINT || type?.typeId === DuckDBTypeId.UBIGINT;

/** Columns of wide integers (DuckDB takes a large positive number for unsigned) whose values all fit 64 bits. */
async function fittingLong(
  connection: Connection,
  relation: string,
  columns: readonly string[],
): Promise<ReadonlySet<string>> {
  if (columns.length === 0) return new Set();
  const fits = columns.map((column) => `bool_and(${column} IS NULL OR TRY_CAST(${column} AS BIGINT) IS NOT NULL)`);
  const [row = []] = await connection.rows(`SELECT ${fits.join(', ')} FROM ${relation}`);
  return new Set(columns.filter((_, index) => row[index] === true));
}

const JSON_TEXT_KINDS: ReadonlySet<string> = new Set([
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'unknown',
]);

/** A JSON text of digits is a text all the same: only dates and times have no other way to be written. */
function inferredText(type: ReturnType<typeof icebergType>): ReturnType<typeof icebergType> {
  if (type === undefined) return undefined;
  const isKept = JSON_TEXT_KINDS.has(type.kind);
  return isKept ? type : { kind: 'string' };
}

/** The type to read a value as, with every guess inside it undone. */
function textForm(type: DuckDBType): string {
  if (GUESSED.has(type.typeId)) return 'VARCHAR';
  const iceberg = icebergType(type, provisionalIds());
  const isNested = iceberg !== undefined && ['struct', 'list', 'map'].includes(iceberg.kind);
  return isNested ? sqlType(withoutGuesses(iceberg)) : String(type);
}

type Iceberg = NonNullable<ReturnType<typeof icebergType>>;

function withoutGuesses(type: Iceberg): Iceberg {
  switch (type.kind) {
    case 'struct':
      return { ...type, fields: type.fields.map((field) => ({ ...field, type: withoutGuesses(field.type) })) };
    case 'list':
      return { ...type, element: withoutGuesses(type.element) };
    case 'map':
      return { ...type, key: withoutGuesses(type.key), value: withoutGuesses(type.value) };
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'uuid':
      return { kind: 'string' };
    default:
      return type;
  }
}
