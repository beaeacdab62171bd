/** JSON Lines input (also one array of objects). */
import type { DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../../errors/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { duckdb } from '../duckdb.js';
import { jsonObjectsReader, jsonReader, openTextFile, type TextFile } from '../scan/file-readers.js';
import { icebergType } from '../sql/duckdb-type.js';
import { quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';
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
import { jsonText, nestedColumn } from './input-nested.js';
import { refuseRoundedDecimals } from './json-decimal.js';
import { exactNumberType, hasDoubles, hasOtherThanDoubles, hasWideIntegers, quotedNumbersSql } from './json-numbers.js';
import { inferredSql, inferTextTypes } from './text-inference.js';

/** Names of the types that DuckDB guesses from text; they are judged again by our rules, which know zones and cut nothing. */
const GUESSED = new Set(['VARCHAR', 'DATE', 'TIME', 'TIMESTAMP', 'TIMESTAMP_TZ', 'TIMESTAMP_NS', 'UUID']);

/** Every row is looked at, to the bottom. */
const INFERENCE = [
  'records = true, sample_size = -1, maximum_depth = -1, map_inference_threshold = -1',
  'convert_strings_to_integers = false',
];

/**
 * Columns of a JSON Lines file. Types are the wanted ones, or else those of the values: objects become structs; texts inside them
 * stay texts; numbers get a type that holds each as it is written.
 */
export async function inferJson(connection: Connection, path: string, typing: ColumnTyping): Promise<InputRelation> {
  const { targets, eventTime } = typing;
  const file = await openTextFile(path);
  if (eventTime !== undefined && (await hasNoRows(connection, file)))
    return { relation: '(SELECT 1 WHERE false)', columns: [] };
  const { names, types } = await connection.describe(`FROM ${jsonReader(file, INFERENCE)}`);
  await refuseMadeUpNames(connection, file, names);
  const found = names.map((name, index): FoundColumn => {
    const target = textTarget(targets, name) ?? nestedTarget(targets, name);
    if (target !== undefined) return { name, target, readAs: 'JSON' };
    const type = types[index] as DuckDBType;
    return { name, type: withoutGuesses(inputType(path, name, type)), readAs: textForm(type) };
  });
  const { relation, isExact } = await jsonRelation(connection, file, found);
  const texts = found.flatMap(({ readAs }, index) => (readAs === 'VARCHAR' ? [`t${index}`] : []));
  const times = new Set(texts.filter((text) => isTimeColumn(typing, names[Number(text.slice(1))] ?? '', names)));
  const inferred = new Map(
    (await inferTextTypes(connection, relation, texts, times)).map((type, i) => [texts[i], type]),
  );
  const columns: InputColumn[] = [];
  for (const [index, column] of found.entries()) {
    const { name } = column;
    const alias = `t${index}`;
    if ('target' in column) columns.push(jsonColumn(name, column.target, alias));
    else if (isExact[index] === true)
      columns.push(jsonColumn(name, await exactNumberType(connection, relation, column.type, alias), alias));
    else {
      const type = inferredText(inferred.get(alias)) ?? column.type;
      columns.push({ name, type, sql: inferredSql(type, alias) });
    }
  }
  await refuseRoundedDecimals(
    connection,
    file,
    columns.filter((_, index) => isExact[index] !== true),
  );
  return { relation, columns };
}

/** Whether the file has no rows: then the reader finds no columns. */
async function hasNoRows(connection: Connection, file: TextFile): Promise<boolean> {
  return (await connection.rows(`SELECT 1 FROM ${jsonObjectsReader(file)} LIMIT 1`)).length === 0;
}

/** A key of the objects, with the type that its values should have, or that the reader finds. */
type FoundColumn = {
  readonly name: string;
  /** The DuckDB type to read its values as. */
  readonly readAs: string;
} & ({ readonly target: IcebergType } | { readonly type: IcebergType });

/**
 * A relation with the columns `t0`, `t1` and so on. Those whose type has to be found from the digits of their numbers are JSON. If
 * the reader would round any, the text is parsed with its numbers in quotes, which costs more.
 */
async function jsonRelation(
  connection: Connection,
  file: TextFile,
  columns: readonly FoundColumn[],
): Promise<{ readonly relation: string; readonly isExact: readonly boolean[] }> {
  const found = columns.map((column) => ('type' in column ? column.type : undefined));
  const someDoubles = found.some((type) => type !== undefined && hasDoubles(type));
  const rounds = someDoubles && (await hasOtherThanDoubles(connection, file));
  const isExact = found.map((type) => type !== undefined && (hasWideIntegers(type) || (rounds && hasDoubles(type))));
  const readAs = columns.map(
    (column, index): Member => [column.name, isExact[index] === true ? 'JSON' : column.readAs],
  );
  const options = readAs.map(([name, type]) => `${quoteIdentifier(name)}: ${quoteLiteral(type)}`);
  const reader = jsonReader(file, ['records = true', `columns = {${options.join(', ')}}`]);
  const aliases = columns.map((_, index) => `t${index}`).join(', ');
  const relation = `(FROM ${reader} AS input(${aliases}))`;
  if (!rounds) return { relation, isExact };
  // Reads every value once: what the reader refuses is refused here, too.
  await connection.rows(`SELECT ${columns.map((_, index) => `count(t${index})`).join(', ')} FROM ${relation}`);
  const quoted = readAs.filter((_, index) => isExact[index] === true);
  const parsed = `SELECT from_json(json, ${structure(readAs)}) AS o, from_json(${quotedNumbersSql('json')}, ${structure(quoted)}) AS q`;
  const values = readAs.map(([name], i) => `struct_extract(${isExact[i] === true ? 'q' : 'o'}, ${quoteLiteral(name)})`);
  const rows = `SELECT ${values.join(', ')} FROM (${parsed} FROM ${jsonObjectsReader(file)})`;
  return { relation: `(FROM (${rows}) AS input(${aliases}))`, isExact };
}

/** A key, and the DuckDB type of its values. */
type Member = readonly [name: string, type: string];

/** The structure of an object, as `from_json` takes it. */
function structure(members: readonly Member[]): string {
  const texts = members.map(([name, type]) => `${JSON.stringify(name)}:${JSON.stringify(type)}`);
  return quoteLiteral(`{${texts.join(',')}}`);
}

/**
 * The reader makes up names for keys that it cannot use (`C0` for an empty one, `case_1` beside `Case`) and then finds no values
 * for them.
 */
async function refuseMadeUpNames(connection: Connection, file: TextFile, names: readonly string[]): Promise<void> {
  const suspects = names.filter((name) => /_\d+$|^C\d+$|^$/.test(name));
  if (suspects.length === 0) return;
  const rows = await connection.rows(`SELECT DISTINCT unnest(json_keys(json)) FROM ${jsonObjectsReader(file)}`);
  const keys = new Set(rows.map(([key]) => key));
  const made = suspects.find((name) => name === '' || !keys.has(name));
  if (made === undefined) return;
  const { path } = file;
  throw new MoraineError(
    'INPUT_UNREADABLE',
    /^C\d+$|^$/.test(made)
      ? `${path} has a key without a name; rename it.`
      : `${path} has keys that differ by letter case only, like ${JSON.stringify(made.replace(/_\d+$/, ''))}; rename one.`,
    { details: { path } },
  );
}

/** A JSON value read as a wanted type. Numbers and truth values are not texts: how they were written is not kept. */
export function jsonColumn(name: string, type: IcebergType, json: string): InputColumn {
  if (!isPrimitive(type)) return nestedColumn(name, type, json);
  const column = textColumn(name, type, jsonText(json));
  if (type.kind !== 'string') return column;
  return { ...column, sql: `CASE WHEN json_type(${json}) = 'VARCHAR' THEN ${column.sql} END` };
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
  if (GUESSED.has(duckdb.api.DuckDBTypeId[type.typeId])) return 'VARCHAR';
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
