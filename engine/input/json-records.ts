/** Records of a stream as rows: JSON objects in lines, each judged by itself. One bad record leaves its neighbours alone. */
import { access } from 'node:fs/promises';
import type { IcebergType, PrimitiveType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { textReader } from '../scan/file-readers.js';
import { quoteLiteral } from '../sql/sql-text.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';
import { type InputColumn, NUMBER_KINDS } from './input-column.js';
import { jsonColumn } from './input-json.js';
import { misfitSql } from './input-misfits.js';
import { hasJsonMember, jsonMember, jsonText } from './input-nested.js';
import { hasOtherThanDoublesSql, quotedNumbersSql, withNumbersKeptSql } from './json-numbers.js';
import { type RecordObject, recordObjects } from './record-objects.js';

/** How a point in time is written: ISO 8601, or a whole number since 1970. */
export const RECORD_TIMES = ['iso', 'epoch_s', 'epoch_ms', 'epoch_us'] as const;
export type RecordTime = (typeof RECORD_TIMES)[number];

/** A column of the rows. */
export interface RecordColumn {
  readonly name: string;
  readonly type: IcebergType;
  readonly required: boolean;
  /** Keys to its value, from the record inwards; null: it has what no other column takes, as JSON, an empty object of nothing if it is required. */
  readonly path: readonly string[] | null;
  readonly time: RecordTime;
  /** SQL of the value in records that have no such key; unless given, that is null, and missing if it is required. */
  readonly absent?: string;
}

/** What is wrong with a record. */
export type RecordProblem =
  | 'MALFORMED_JSON'
  | 'NOT_AN_OBJECT'
  | 'DUPLICATE_FIELD'
  | 'EXTRA_FIELD'
  | 'MISSING_REQUIRED'
  | 'VALUE_MISFIT';

/** A record that is no row. */
export interface BadRecord {
  /** From 0; empty lines count. */
  readonly line: number;
  readonly problem: RecordProblem;
  /** The column whose value is wrong. */
  readonly column: string | null;
}

/** Records as a temporary table. */
export interface LoadedRecords {
  readonly rows: bigint;
  /** In the order of the lines. */
  readonly bad: readonly BadRecord[];
}

export interface RecordOptions {
  readonly columns: readonly RecordColumn[];
  /** Whether a record may have fields that no column takes. */
  readonly allowsExtra: boolean;
  /** Whether such fields of a record itself may be null where it may have no others. */
  readonly allowsNulls?: boolean;
}

/**
 * Makes the temporary table `table` of the records of a file of lines; {@link goodRowsSql} reads the good ones from it. A value fits its column exactly or the
 * record is bad, by the rules of `readInput`. Empty lines are no records.
 * @param path a file of UTF-8 text that is not compressed
 */
export async function loadJsonRecords(
  connection: Connection,
  path: string,
  table: string,
  options: RecordOptions,
): Promise<LoadedRecords> {
  const { columns } = options;
  // The reader takes a file that is not there for one without lines.
  await access(path);
  await connection.run(`CREATE TEMPORARY TABLE ${table} AS ${judgedSql(path, options)}`);
  const bad = await connection.rows(`SELECT n, problem FROM ${table} WHERE problem IS NOT NULL ORDER BY n`);
  const [[rows] = []] = await connection.rows(`SELECT count(*) FROM ${table} WHERE problem IS NULL`);
  return {
    rows: BigInt(String(rows)),
    bad: bad.map(([n, text]) => {
      const [kind, index] = String(text).split(':');
      return { line: Number(n), problem: kind as RecordProblem, column: columns[Number(index ?? -1)]?.name ?? null };
    }),
  };
}

/** A statement that gives the good records of {@link loadJsonRecords}: their lines `n`, and their columns, `c0` and so on. */
export function goodRowsSql(table: string, columns: readonly RecordColumn[]): string {
  return `SELECT ${['n', ...columns.map((_, index) => `c${index}`)].join(', ')} FROM ${table} WHERE problem IS NULL`;
}

/**
 * The lines with what is wrong with them, `problem`, and the values of the columns, `c0` and so on. Every step adds columns to those of the one before: what two of
 * them need is computed once.
 */
function judgedSql(path: string, options: RecordOptions): string {
  const { columns } = options;
  const objects = recordObjects(columns);
  const values = columns.map((column, index) => valueOf(column, objects, `x${index}`));
  const present = columns.flatMap(({ absent, path }, index) =>
    absent === undefined || path === null ? [] : [`${hasJsonMember('j', path)} AS e${index}`],
  );
  const members = [...values.map(({ member }, index) => `${member} AS x${index}`), ...present];
  const placed = `SELECT n, j, o, q, ${['problem', ...members].join(', ')} FROM (${parsedSql(path, objects, options)})`;
  const typedValues = values.map(({ sql }, index) => {
    const absent = columns[index]?.absent;
    const value = absent === undefined ? sql : `CASE WHEN e${index} THEN ${sql} ELSE ${absent} END`;
    return `${value} AS c${index}`;
  });
  const valued = `SELECT *, ${typedValues.join(', ')} FROM (${placed})`;
  const blocked = objects.slice(1).map(({ path: keys, column }) => {
    return `WHEN json_type(${jsonAt('o', keys)}) NOT IN ('OBJECT', 'NULL') THEN 'VALUE_MISFIT:${column}'`;
  });
  const cases = values.flatMap(({ misfit }, index) => {
    const isNull = `(x${index} IS NULL OR x${index}::VARCHAR = 'null')`;
    const isMissing = columns[index]?.absent === undefined ? isNull : `e${index} AND ${isNull}`;
    return [
      ...(columns[index]?.required === true && misfit !== undefined
        ? [`WHEN ${isMissing} THEN 'MISSING_REQUIRED:${index}'`]
        : []),
      ...(misfit === undefined ? [] : [`WHEN ${misfit(`c${index}`)} THEN 'VALUE_MISFIT:${index}'`]),
    ];
  });
  const problem = `CASE WHEN problem IS NOT NULL THEN problem ${[...blocked, ...cases].join(' ')} END`;
  return `SELECT n, ${[`${problem} AS problem`, ...columns.map((_, index) => `c${index}`)].join(', ')} FROM (${valued})`;
}

/**
 * Lines that are not empty: `n`, `problem` of the record as a whole, its text `j`, and the struct `o` of its members as JSON. Of records with numbers that the
 * parser would round `q` is the struct with all numbers as strings; null for others.
 */
function parsedSql(
  path: string,
  objects: readonly RecordObject[],
  { allowsExtra, allowsNulls = false }: RecordOptions,
): string {
  const heads = objects[0]?.keys ?? [];
  const structure = quoteLiteral(`{${heads.map((head) => `${JSON.stringify(head)}:"JSON"`).join(',')}}`);
  const lines = `SELECT unnest(lines) AS line, generate_subscripts(lines, 1) - 1 AS n FROM (SELECT string_split(content, chr(10)) AS lines FROM ${textReader(path)})`;
  const filled = `SELECT n, line, ltrim(line, ' ' || chr(9) || chr(13)) AS text FROM (${lines})`;
  const valid = `SELECT n, line, json_valid(line) AS valid, json_valid(line) AND starts_with(text, '{') AS object FROM (${filled}) WHERE text <> ''`;
  const read = `SELECT n, valid, CASE WHEN object THEN line END AS j, from_json(CASE WHEN object THEN line END, ${structure}) AS o FROM (${valid})`;
  const inner = objects.slice(1).filter(({ isTaken }) => !isTaken);
  const keys = ['json_keys(j)', ...inner.map(({ path: at }) => `json_keys(${jsonAt('o', at)})`)];
  const keyed = `SELECT *, ${keys.map((sql, index) => `${sql} AS k${index}`).join(', ')} FROM (${read})`;
  const faults = [heads, ...inner.map((object) => object.keys)].map((known, index) => {
    const lacks = (found: string): string =>
      `NOT list_has_all([${known.map(quoteLiteral).join(', ')}]::VARCHAR[], ${found})`;
    // However deep values are: what merges objects goes down into them.
    const members = `map_entries(from_json(j::JSON, '"MAP(VARCHAR, JSON)"'))`;
    const filled = `list_transform(list_filter(${members}, lambda e: e.value IS NOT NULL AND e.value::VARCHAR <> 'null'), lambda e: e.key)`;
    const isExtra = index === 0 && allowsNulls ? `${lacks(`k${index}`)} AND ${lacks(filled)}` : lacks(`k${index}`);
    const extra = `WHEN ${isExtra} THEN 'EXTRA_FIELD'`;
    return `WHEN list_unique(k${index}) < len(k${index}) THEN 'DUPLICATE_FIELD' ${allowsExtra ? '' : extra}`;
  });
  const [own = '', ...inside] = faults;
  // Where as many members are read as there are keys, each key is one of them, once.
  const present = heads.map((head) => `(struct_extract(o, ${quoteLiteral(head)}) IS NOT NULL)::INTEGER`).join(' + ');
  const faultInside = inside.length === 0 ? 'NULL' : `CASE ${inside.join(' ')} END`;
  const problem = `CASE WHEN NOT valid THEN 'MALFORMED_JSON' WHEN j IS NULL THEN 'NOT_AN_OBJECT'
    WHEN len(k0) = ${present === '' ? '0' : present} THEN ${faultInside} ${own} ELSE ${faultInside} END`;
  const exact = `CASE WHEN ${hasOtherThanDoublesSql('j')} THEN from_json(${quotedNumbersSql('j')}, ${structure}) END`;
  return `SELECT n, j, o, ${problem} AS problem, ${exact} AS q FROM (${keyed})`;
}

/** SQL of a column's value. */
interface RecordValue {
  /** The value as JSON. */
  readonly member: string;
  /** The value in the column's type, from the member. */
  readonly sql: string;
  /** Whether it does not fit, given the value. */
  readonly misfit?: (value: string) => string;
}

function valueOf(column: RecordColumn, objects: readonly RecordObject[], member: string): RecordValue {
  const { path, type, required } = column;
  if (path === null) return { member: 'NULL', sql: restSql(objects, required) };
  const [asRead, exact] = [jsonAt('o', path), jsonAt('q', path)];
  if (isPrimitive(type)) {
    const isNumber = NUMBER_KINDS.has(type.kind);
    const { sql, text = 'NULL' } = typed(column, member);
    const misfit = (value: string): string => `${value} IS NULL AND (${text}) IS NOT NULL`;
    return { member: isNumber ? `CASE WHEN q IS NULL THEN ${asRead} ELSE ${exact} END` : asRead, sql, misfit };
  }
  const [plain, quoted] = [typed(column, member), typed(column, exact)];
  // In quotes a number would be a text.
  const misfit = (): string => `(${misfitSql(plain)} OR (q IS NOT NULL AND ${misfitSql(quoted)}))`;
  return { member: asRead, sql: `CASE WHEN q IS NULL THEN ${plain.sql} ELSE ${quoted.sql} END`, misfit };
}

function typed({ name, type, time }: RecordColumn, json: string): InputColumn {
  if (time === 'iso' || !isPrimitive(type)) return jsonColumn(name, type, json);
  const text = jsonText(json);
  return { name, type, text, sql: epochSql(type, text, time) };
}

const MICROSECONDS = { epoch_s: 1_000_000, epoch_ms: 1_000, epoch_us: 1 } as const;
/** About 280,000 years: what DuckDB's points in time reach. */
const MAX_MICROSECONDS = '9223372022400000000';

/** SQL of the point in time of a whole number; null for anything else. */
export function epochSql(type: PrimitiveType, text: string, time: Exclude<RecordTime, 'iso'>): string {
  const micros = `TRY_CAST(TRY_CAST(${text} AS HUGEINT) * ${MICROSECONDS[time]} AS BIGINT)`;
  const instant = `make_timestamp(${micros})`;
  const value = type.kind === 'timestamptz' ? `${instant}::TIMESTAMPTZ` : `TRY_CAST(${instant} AS ${sqlType(type)})`;
  return `CASE WHEN regexp_full_match(${text}, '-?[0-9]{1,20}') AND abs(${micros}) < ${MAX_MICROSECONDS} THEN ${value} END`;
}

/** SQL of a value as JSON. */
function jsonAt(struct: string, [head = '', ...rest]: readonly string[]): string {
  const member = `struct_extract(${struct}, ${quoteLiteral(head)})`;
  return rest.length === 0 ? member : jsonMember(member, ...rest);
}

/** What there is where nothing is left. */
export const EMPTY_REST = quoteLiteral('{}');

/**
 * SQL of the fields that no column takes, those inside of objects in these, as the text of an object, with every digit that they have; if there are none, null, or an empty
 * object where a value is required.
 */
function restSql(objects: readonly RecordObject[], required: boolean): string {
  const [record] = objects;
  const restOf = (json: string): string => (record === undefined ? json : objectRestSql(json, record, objects));
  const rest = `CASE WHEN q IS NULL THEN ${restOf('j')} ELSE ${withNumbersKeptSql('j', restOf)} END`;
  return `CASE WHEN problem IS NULL THEN ${required ? rest : `nullif(${rest}, ${EMPTY_REST})`} END`;
}

/** SQL of the text of an object of a record without what columns take, and without objects of which nothing is left. */
function objectRestSql(record: string, { path, keys }: RecordObject, objects: readonly RecordObject[]): string {
  const taken = quoteLiteral(JSON.stringify(Object.fromEntries(keys.map((key) => [key, null]))));
  const own = path.length === 0 ? record : jsonMember(record, ...path);
  const others = `json_merge_patch((${own})::JSON, ${taken}::JSON)::VARCHAR`;
  const inner = objects.filter((object) => !object.isTaken && isIn(object.path, path));
  const parts = inner.map((object) => {
    const key = quoteLiteral(`${JSON.stringify(object.path.at(-1))}:`);
    const rest = `${key} || nullif(${objectRestSql(record, object, objects)}, ${EMPTY_REST})`;
    return `CASE WHEN json_type(${jsonMember(record, ...object.path)}) = 'OBJECT' THEN ${rest} END`;
  });
  return parts.length === 0
    ? others
    : `'{' || concat_ws(',', ${parts.join(', ')}, nullif((${others})[2:-2], '')) || '}'`;
}

const isIn = (path: readonly string[], outer: readonly string[]): boolean =>
  path.length === outer.length + 1 && outer.every((key, depth) => key === path[depth]);
