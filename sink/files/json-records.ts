/** JSON Lines of a stream as records of a sink: fields to columns, and what becomes of a record that is no row. */
import { isUtf8 } from 'node:buffer';
import {
  type BadRecord,
  type Connection,
  type JudgedRecords,
  judgeRecords,
  NUMBER_KINDS,
  type RecordColumn,
  type RecordTime,
  recordObjects,
  writeDefaultSql,
} from '../../engine/index.js';
import { type ErrorCode, MoraineError } from '../../errors/index.js';
import { type IcebergType, isJsonObject, type Schema, type SchemaChange, typeToString } from '../../iceberg/index.js';
import type { EvolvedSchema, OpenedRecords, RejectedRecord, SinkRecords } from '../sink-records.js';
import { isBlank, jsonLine, jsonLines, withoutMark } from './json-line.js';
import { changesForMisfits } from './json-schema-changes.js';
import { jsonTextOf, valueAt } from './json-value.js';
import { type KeptColumns, requireKept, withKept } from './kept-records.js';
import { type AskedChanges, lastingChanges } from './lasting-changes.js';
import { NEWLINE } from './ndjson-chunks.js';

/** How the fields of a record become the columns of a table. */
export interface RecordMapping extends KeptColumns {
  /** Dotted paths by column, such as `device_id: 'uplink.device.id'`; other columns have the field of their own name. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** How points in time are written, by column; ISO 8601 unless given. */
  readonly times?: Readonly<Record<string, RecordTime>> | undefined;
  /** A column of texts for the fields that no other column takes, as JSON: also those beside a path, in the objects that it leads through. */
  readonly rest?: string | undefined;
  /**
   * Makes a JSON object of a record, in UTF-8, before anything else; null leaves the record out. If it throws, the record is bad. Dead letters and messages have the
   * record as it came.
   */
  readonly transform?: ((record: Uint8Array) => Uint8Array | string | null) | undefined;
  /** Fields that no column takes; `fail` by default: the record is bad. */
  readonly extraFields?: 'fail' | 'ignore' | undefined;
  /** A record that is no row: `fail`, by default, stops before its batch; `drop` counts it and goes on. */
  readonly badRecords?: 'fail' | 'drop' | undefined;
}

/** Lines as they came from their source. */
export interface RecordLines {
  readonly bytes: Buffer;
  readonly count: number;
  /** Names the source in messages, such as a file. */
  readonly source: string;
  /** Of the source, where it has positions. */
  readonly partition: string | undefined;
  /** Offset of the first byte. */
  readonly from: bigint;
  /** Of each line what it came from, of a source whose records are not lines. */
  readonly records?: readonly SourceRecord[] | undefined;
}

/** A record as its source has it. */
export interface SourceRecord {
  readonly offset: bigint;
  readonly value: Uint8Array;
}

/**
 * Lines of records that are not lines in their source.
 * @param source names it in messages
 * @param partition of the source
 */
export function recordLines(records: readonly SourceRecord[], source: string, partition: string): RecordLines {
  const bytes = jsonLines(records.map(({ value }) => value));
  return { bytes, count: records.length, source, partition, from: 0n, records };
}

/** Codes of {@link RejectedRecord}s of JSON. */
const CODES = {
  TRANSFORM_FAILED: 'INPUT_UNREADABLE',
  INVALID_UTF8: 'INPUT_UNREADABLE',
  MALFORMED_JSON: 'INPUT_UNREADABLE',
  NOT_AN_OBJECT: 'INPUT_UNREADABLE',
  DUPLICATE_FIELD: 'INPUT_UNREADABLE',
  EXTRA_FIELD: 'COLUMN_NOT_FOUND',
  MISSING_REQUIRED: 'TYPE_MISMATCH',
  WRONG_TYPE: 'TYPE_MISMATCH',
  OUT_OF_RANGE: 'TYPE_MISMATCH',
  INVALID_TIME: 'TYPE_MISMATCH',
} as const satisfies Record<string, ErrorCode>;

type Reason = keyof typeof CODES;

/** Records of lines; the schema is that of the table when their batch is staged. */
export function jsonRecords(given: RecordLines, mapping: RecordMapping): SinkRecords {
  const lines = given.records === undefined && given.from === 0n ? unmarked(given) : given;
  return {
    count: lines.count,
    bytes: lines.bytes.length,
    open: (connection, schema, evolves) => openLines(connection, schema, lines, { ...mapping, evolves }),
    changes: (connection, schema, evolved) => changesForLines(connection, schema, lines, mapping, evolved),
  };
}

/** Lines from the beginning of their source; the first record begins behind a byte order mark. */
function unmarked(lines: RecordLines): RecordLines {
  const bytes = withoutMark(lines.bytes);
  return { ...lines, bytes, from: BigInt(lines.bytes.length - bytes.length) };
}

/** How lines are judged. */
interface JudgedMapping extends RecordMapping {
  /** As {@link SinkRecords.open} takes it. */
  readonly evolves?: boolean | undefined;
}

/** Lines judged. */
interface JudgedLines extends Omit<JudgedRecords, 'bad'> {
  readonly columns: readonly RecordColumn[];
  readonly bad: readonly Bad[];
  /** What was judged: the lines, or what a function made of them. */
  readonly text: Buffer;
  /** Positions of those that the function left out. */
  readonly omitted: readonly bigint[];
}

async function judgeLines(
  connection: Connection,
  schema: Schema,
  lines: RecordLines,
  mapping: JudgedMapping,
): Promise<JudgedLines> {
  const columns = recordColumns(schema, mapping);
  const { transform, evolves: allowsNulls = false } = mapping;
  const { text, invalid, omitted } = transform === undefined ? readable(lines) : transformed(lines, transform);
  const allowsExtra = mapping.rest !== undefined || mapping.extraFields === 'ignore';
  const judged = await judgeRecords(connection, text, { columns, allowsExtra, allowsNulls });
  return { ...judged, columns, bad: [...invalid, ...judged.bad], text, omitted };
}

async function openLines(
  connection: Connection,
  schema: Schema,
  lines: RecordLines,
  mapping: JudgedMapping,
): Promise<OpenedRecords> {
  const { sql, rows, bad, columns, text, omitted, close } = await judgeLines(connection, schema, lines, mapping);
  const rejected = rejections(lines, text, bad, columns);
  const [first] = rejected;
  const { raw, error, badRecords } = mapping;
  if (first !== undefined && error === undefined && badRecords !== 'drop') {
    await close();
    throw rejectionError(first);
  }
  if (raw === undefined) return { sql, rows, rejected, omitted, close };
  const raws = goodRecords(lines, text, bad);
  const kept = await withKept(connection, schema, { raw, error }, { sql, rows, columns, raws, rejected, close });
  return { ...kept, omitted };
}

/** The records that are rows, as they came. */
function goodRecords(lines: RecordLines, text: Buffer, bad: readonly Bad[]): readonly Uint8Array[] {
  const isBad = new Set(bad.map(({ line }) => line));
  const judged = text === lines.bytes ? null : [...linesOf(text)];
  return [...linesOf(lines.bytes)].flatMap(({ line, start, end }) => {
    const own = lines.bytes.subarray(start, end);
    const of = judged?.[line];
    const isRow = !isBad.has(line) && !isBlank(of === undefined ? own : text.subarray(of.start, of.end));
    return isRow ? [lines.records?.[line]?.value ?? own] : [];
  });
}

async function changesForLines(
  connection: Connection,
  schema: Schema,
  lines: RecordLines,
  mapping: RecordMapping,
  evolved?: EvolvedSchema,
): Promise<readonly SchemaChange[]> {
  const asked = { ...mapping, evolves: true };
  const ask = async (current: Schema, left: ReadonlySet<number>): Promise<AskedChanges> => {
    const { bad, columns, text, close } = await judgeLines(connection, current, lines, asked);
    await close();
    const byLine = new Map(bad.filter(({ line }) => !left.has(line)).map((each) => [each.line, each]));
    if (byLine.size === 0) return { changes: [], misfits: [] };
    const misfits = [...linesOf(text)].flatMap(({ line, start, end }) => {
      const found = byLine.get(line);
      return found === undefined ? [] : [{ ...found, raw: text.subarray(start, end) }];
    });
    const changes = await changesForMisfits(connection, columns, misfits);
    // A field with the name of a column that keeps records asks for nothing: the table has that column.
    const kept = [mapping.raw, mapping.error];
    return { changes: changes.filter((change) => change.change !== 'add' || !kept.includes(change.name)), misfits };
  };
  return evolved === undefined ? (await ask(schema, new Set())).changes : await lastingChanges(schema, ask, evolved);
}

const POINTS_IN_TIME: ReadonlySet<IcebergType['kind']> = new Set([
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

/** @throws COLUMN_NOT_FOUND, TYPE_MISMATCH, INVALID_ARGUMENT for a mapping that does not go with the table */
export function recordColumns(schema: Schema, mapping: RecordMapping): readonly RecordColumn[] {
  const { fields } = schema;
  const { fields: paths = {}, times = {}, rest, raw, error, badRecords } = mapping;
  const known = new Map(fields.map((field) => [field.name, field.type]));
  // A column may have the name of what every object has, such as `constructor`.
  const [pathOf, timeOf] = [new Map(Object.entries(paths)), new Map(Object.entries(times))];
  const mapped = new Set([...pathOf.keys(), ...timeOf.keys(), ...given(rest)]);
  for (const name of [...mapped, ...given(raw), ...given(error)])
    if (!known.has(name))
      throw new MoraineError(
        'COLUMN_NOT_FOUND',
        `The table has no column ${JSON.stringify(name)}; it has ${[...known.keys()].join(', ')}.`,
      );
  if (rest !== undefined && known.get(rest)?.kind !== 'string')
    throw new MoraineError(
      'TYPE_MISMATCH',
      `The column ${JSON.stringify(rest)} is to have the other fields as JSON; it must be a string.`,
    );
  const untimed = [...timeOf.keys()].find((name) => !POINTS_IN_TIME.has(known.get(name)?.kind ?? 'unknown'));
  if (untimed !== undefined)
    throw new MoraineError('TYPE_MISMATCH', `The column ${JSON.stringify(untimed)} has no points in time.`);
  requireKept(schema, mapping, mapped);
  if (error !== undefined && badRecords !== undefined)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      'Records that are no rows are either written with their errors, or stop the sink, are dropped or go to a dead-letter table: give one of them.',
    );
  const taken = fields.filter(({ name }) => name !== raw && name !== error);
  const columns = taken.map((field): RecordColumn => {
    const { name, type, required } = field;
    const path = name === rest ? null : (pathOf.get(name)?.split('.') ?? [name]);
    const absent = path === null ? undefined : writeDefaultSql(field);
    const column = { name, type, required, path, time: timeOf.get(name) ?? 'iso' };
    return absent === undefined ? column : { ...column, absent };
  });
  const heads = new Set(columns.flatMap(({ path }) => path?.slice(0, 1) ?? []));
  if (new Set([...heads].map((head) => head.toLowerCase())).size < heads.size)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      'Fields that differ by letter case only cannot be told apart: map columns to other fields.',
    );
  return columns;
}

const given = (column: string | undefined): readonly string[] => (column === undefined ? [] : [column]);

interface Bad extends Omit<BadRecord, 'problem'> {
  readonly problem: BadRecord['problem'] | 'INVALID_UTF8' | 'TRANSFORM_FAILED';
  readonly message?: string;
}

const SPACE = 0x20;

/** Lines to be judged, and those that are bad already: these are blank. */
interface Readable {
  readonly text: Buffer;
  readonly invalid: readonly Bad[];
  readonly omitted: readonly bigint[];
}

/** The lines with those blanked that are no UTF-8. */
function readable({ bytes }: RecordLines): Readable {
  if (isUtf8(bytes)) return { text: bytes, invalid: [], omitted: [] };
  const text = Buffer.from(bytes);
  const invalid: Bad[] = [];
  for (const { line, start, end } of linesOf(text)) {
    if (isUtf8(text.subarray(start, end))) continue;
    text.fill(SPACE, start, end);
    invalid.push({ line, problem: 'INVALID_UTF8', column: null });
  }
  return { text, invalid, omitted: [] };
}

/** What a function makes of the lines, one line of each. */
function transformed(lines: RecordLines, transform: NonNullable<RecordMapping['transform']>): Readable {
  const { bytes, records } = lines;
  const texts: Buffer[] = [];
  const invalid: Bad[] = [];
  const omitted: bigint[] = [];
  for (const { line, start, end } of linesOf(bytes)) {
    const [own, text] = [records?.[line], bytes.subarray(start, end)];
    const isRecord = own !== undefined || !isBlank(text);
    const made = isRecord ? transformedRecord(own?.value ?? text, transform) : null;
    if (isRecord && made === null) omitted.push(offsetOf(lines, line, start));
    const isBad = made !== null && !Buffer.isBuffer(made);
    if (isBad) invalid.push({ line, column: null, ...made });
    texts.push(isBad || made === null ? NO_RECORD : jsonLine(made));
  }
  return { text: Buffer.concat(texts), invalid, omitted };
}

/** Position of a record in its source. */
const offsetOf = ({ records, from }: RecordLines, line: number, start: number): bigint =>
  records?.[line]?.offset ?? from + BigInt(start);

const NO_RECORD = Buffer.of(NEWLINE);

function transformedRecord(
  record: Uint8Array,
  transform: NonNullable<RecordMapping['transform']>,
): Buffer | null | Pick<Bad, 'problem' | 'message'> {
  try {
    const made = transform(record);
    if (made === null) return null;
    const text = Buffer.from(made as Uint8Array);
    return isUtf8(text) ? text : { problem: 'INVALID_UTF8' };
  } catch (error) {
    return { problem: 'TRANSFORM_FAILED', message: error instanceof Error ? error.message : String(error) };
  }
}

function* linesOf(bytes: Buffer): Generator<{ readonly line: number; readonly start: number; readonly end: number }> {
  for (let [line, start] = [0, 0]; start < bytes.length; line += 1) {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found < 0 ? bytes.length : found;
    yield { line, start, end };
    start = end + 1;
  }
}

function rejections(
  lines: RecordLines,
  text: Buffer,
  bad: readonly Bad[],
  columns: readonly RecordColumn[],
): readonly RejectedRecord[] {
  if (bad.length === 0) return [];
  const byLine = new Map(bad.map((record) => [record.line, record]));
  const rejected: RejectedRecord[] = [];
  const judgedLines = text === lines.bytes ? null : [...linesOf(text)];
  for (const { line, start, end } of linesOf(lines.bytes)) {
    const found = byLine.get(line);
    if (found === undefined) continue;
    const own = lines.records?.[line];
    const raw = own === undefined ? lines.bytes.subarray(start, end) : Buffer.from(own.value);
    const column = columns.find(({ name }) => name === found.column);
    const offset = offsetOf(lines, line, start);
    const of = judgedLines?.[line];
    const { reason, message } = describe(
      found,
      of === undefined ? raw : text.subarray(of.start, of.end),
      column,
      columns,
    );
    const position = lines.partition === undefined ? null : { partition: lines.partition, offset };
    rejected.push({
      reason,
      message: `${lines.source}, ${own === undefined ? 'byte' : 'offset'} ${offset}: ${message}`,
      raw,
      position,
    });
  }
  return rejected;
}

function describe(
  { problem, message: reason = '' }: Bad,
  raw: Buffer,
  column: RecordColumn | undefined,
  columns: readonly RecordColumn[],
): { readonly reason: Reason; readonly message: string } {
  switch (problem) {
    case 'INVALID_UTF8':
      return { reason: problem, message: 'it is not UTF-8 text' };
    case 'TRANSFORM_FAILED':
      return { reason: problem, message: `the function that transforms it failed: ${shown(reason)}` };
    case 'MALFORMED_JSON':
      return { reason: problem, message: `${shown(raw.toString())} is not JSON` };
    case 'NOT_AN_OBJECT':
      return { reason: problem, message: `${shown(raw.toString()) || 'no value'} is no JSON object` };
    case 'DUPLICATE_FIELD':
      return { reason: problem, message: 'a field occurs twice' };
    case 'EXTRA_FIELD': {
      const extra = extraFields(raw, columns).map((path) => JSON.stringify(path.join('.')));
      return { reason: problem, message: `no column takes ${shown(extra.join(', '))}` };
    }
    case 'MISSING_REQUIRED':
      return { reason: problem, message: `column ${JSON.stringify(column?.name)} is required, and has no value` };
    case 'VALUE_MISFIT':
      return misfitOf(raw, column);
  }
}

/** Keys to the fields that no column takes. */
function extraFields(raw: Buffer, columns: readonly RecordColumn[]): readonly (readonly string[])[] {
  return recordObjects(columns).flatMap(({ path, keys, isTaken }) => {
    const object = isTaken ? undefined : valueAt(raw, path);
    const names = isJsonObject(object) ? Object.keys(object) : [];
    return names.filter((name) => !keys.includes(name)).map((name) => [...path, name]);
  });
}

const TIMES: ReadonlySet<IcebergType['kind']> = new Set([...POINTS_IN_TIME, 'date', 'time']);

function misfitOf(
  raw: Buffer,
  column: RecordColumn | undefined,
): { readonly reason: Reason; readonly message: string } {
  if (column?.path == null) return { reason: 'WRONG_TYPE', message: 'a value does not fit its column' };
  const { name, type, path, time } = column;
  const outer = path.slice(1).map((_, depth) => path.slice(0, depth + 1));
  const blocking = outer.find((keys) => !isJsonObject(valueAt(raw, keys) ?? {}));
  if (blocking !== undefined) {
    const found = jsonTextOf(valueAt(raw, blocking) ?? null) ?? 'its value';
    const message = `column ${JSON.stringify(name)}: ${shown(found)} at ${blocking.join('.')} is no object`;
    return { reason: 'WRONG_TYPE', message };
  }
  const value = valueAt(raw, path);
  const text = (value === undefined ? undefined : jsonTextOf(value)) ?? 'its value';
  const isNumber = NUMBER_KINDS.has(type.kind) && (typeof value === 'number' || typeof value === 'bigint');
  const reason = TIMES.has(type.kind) ? 'INVALID_TIME' : isNumber ? 'OUT_OF_RANGE' : 'WRONG_TYPE';
  const wanted = time === 'iso' ? typeToString(type) : `${typeToString(type)} as ${time}`;
  return { reason, message: `column ${JSON.stringify(name)}: ${shown(text)} does not fit ${wanted} exactly` };
}

const SHOWN_CHARACTERS = 100;
const shown = (text: string): string => (text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);

function rejectionError({ reason, message, position }: RejectedRecord): MoraineError {
  const details = { reason, ...(position === null ? {} : { offset: String(position.offset) }) };
  return new MoraineError(CODES[reason as Reason], `${message}.`, { details });
}
