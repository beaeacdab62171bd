/** Random entity frames: times near the edges that matter, duplicates, nulls, further columns, in every form that they can be given. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { entitySource } from '../../client/entities.js';
import { type EntityRow, type EntitySource, type EntityValue } from '../../features/index.js';
import { type IcebergType, type NestedField, type Schema, UNPARTITIONED } from '../../iceberg/index.js';
import type { Project } from '../../project/index.js';
import { type Clock, isNanoseconds, type KeyDomain } from './columns.js';
import { fileSize, writeParquet } from './data-file.js';
import { writeArrow } from './frame-arrow.js';
import { writeCsv, writeJsonLines } from './frame-text.js';
import type { Random } from './random.js';
import { TableWriter } from './table-writer.js';
import { isoDate, isoTime } from './text.js';
import { decimalText, quoteName, typeSql, type Value, valueSql } from './values.js';
import { oracleRows } from './view.js';
import type { RequestedView } from './world.js';

/** A row as the oracle takes it. */
export interface FrameRow {
  /** Keys by the name of their column, as wide as they can be. */
  readonly keys: ReadonlyMap<string, Value>;
  readonly timeNs: bigint | null;
}

export interface Frame {
  readonly kind: FrameKind;
  /** The columns and types that an answer repeats. */
  readonly columns: readonly NestedField[];
  /** The values that an answer repeats. */
  readonly values: readonly (readonly Value[])[];
  readonly rows: readonly FrameRow[];
  readonly source: EntitySource;
  /** The metadata file of the table that the frame is, if it is one. */
  readonly location: string | undefined;
}

/** `csv` and `jsonl` are files of text, whose types are told by the values and the views' keys. */
export type FrameKind = 'objects' | 'relation' | 'table' | 'query' | 'csv' | 'jsonl' | 'arrow';

/** The name of the table that a frame may be. */
export const FRAME_TABLE = 'demo.frame';

interface Column {
  readonly name: string;
  readonly type: IcebergType;
  readonly values: readonly Value[];
}

/** @param frequent draws a row that the frame has many times, if there is to be one */
export async function randomFrame(
  random: Random,
  clock: Clock,
  requested: readonly RequestedView[],
  folder: string,
  duckdb: DuckDBConnection,
  frequent?: Random,
): Promise<Frame> {
  const domains = frameKeys(requested);
  const chosen = randomKind(random, domains);
  const timeType = randomTimeType(random, chosen);
  const drawn = randomRows(random, clock, requested, domains, timeType);
  const rows = frequent === undefined ? drawn : withFrequentRow(frequent, drawn);
  // Text without values has no type.
  const hasTypes = rows.some(({ timeNs }) => timeNs !== null) && fitsText(requested, rows);
  const kind = !hasTypes && TEXT_KINDS.has(chosen) ? 'relation' : chosen;
  const keys = [...domains].map(([name, domain]) =>
    isFile(kind) ? textKey(requested, name, rows) : keyColumn(random, kind, name, domain, rows),
  );
  const hasOtherTimes = keys.some(({ type }) => type.kind.startsWith('timestamp'));
  const time: Column = {
    name: hasOtherTimes || timeType.kind === 'date' || random.chance(0.7) ? 'event_timestamp' : 'when',
    type: timeType,
    values: rows.map(({ timeNs }) => timeValue(timeNs, timeType)),
  };
  const others = random.some(furtherColumns(random, kind, time.name, rows.length), 0, 3);
  const columns = random.shuffle([...keys, time, ...others]);
  const fields = columns.map(({ name, type }, index): NestedField => ({ id: index + 1, name, required: false, type }));
  const values = rows.map((_, row) => columns.map((column) => column.values[row] ?? null));
  const given = { random, fields, values, folder, duckdb };
  const location = kind === 'table' || kind === 'query' ? await writeTable(given, kind === 'query') : undefined;
  // SQL knows nanoseconds without a zone only.
  const answered = kind === 'query' ? fields.map(withoutZone) : fields;
  return { kind, columns: answered, values, rows, source: await sourceOf(kind, given), location };
}

/** Kinds whose types are those of the values. */
const TEXT_KINDS: ReadonlySet<FrameKind> = new Set(['objects', 'csv', 'jsonl']);
const isFile = (kind: FrameKind): kind is 'csv' | 'jsonl' => kind === 'csv' || kind === 'jsonl';

/** A query has an engine of its own, which takes its time to start: there are few. */
function randomKind(random: Random, domains: ReadonlyMap<string, KeyDomain>): FrameKind {
  const hasDecimals = [...domains.values()].some(({ kind }) => kind === 'decimal');
  return random.weighted<FrameKind>([
    [hasDecimals ? 0 : 3, 'objects'],
    [2, 'relation'],
    [3, 'table'],
    [0.8, 'query'],
    [2, 'csv'],
    [2, 'jsonl'],
    [2.5, 'arrow'],
  ]);
}

function withoutZone(field: NestedField): NestedField {
  return field.type.kind === 'timestamptz_ns' ? { ...field, type: { kind: 'timestamp_ns' } } : field;
}

/** The type that the views have for a key: of several, the last one's. */
function keyTypeIn(requested: readonly RequestedView[], name: string): IcebergType {
  const fields = requested.flatMap(({ view, joinKeyMap }) =>
    view.keys.filter(({ domain }) => (joinKeyMap.get(domain.name) ?? domain.name) === name).map(({ field }) => field),
  );
  return fields.at(-1)?.type ?? { kind: 'string' };
}

/** Text of a file is read as the type of the views' key: a number that is none of its values is refused. */
function fitsText(requested: readonly RequestedView[], rows: readonly FrameRow[]): boolean {
  return rows.every(({ keys }) =>
    [...keys].every(([name, key]) => key !== 3_000_000_000n || keyTypeIn(requested, name).kind !== 'int'),
  );
}

/** Keys are held as wide as they can be. */
const asWide = (key: Value, { kind }: IcebergType): Value => (kind === 'int' && key !== null ? Number(key) : key);

function textKey(requested: readonly RequestedView[], name: string, rows: readonly FrameRow[]): Column {
  const type = keyTypeIn(requested, name);
  return { name, type, values: rows.map(({ keys }) => asWide(keys.get(name) ?? null, type)) };
}

/** The key columns that the views of a request need. */
function frameKeys(requested: readonly RequestedView[]): ReadonlyMap<string, KeyDomain> {
  const domains = new Map<string, KeyDomain>();
  for (const { view, joinKeyMap } of requested) {
    for (const { domain } of view.keys) domains.set(joinKeyMap.get(domain.name) ?? domain.name, domain);
  }
  return domains;
}

/** Objects give times as text; only nine digits of a fraction make them nanoseconds. */
function randomTimeType(random: Random, kind: FrameKind): IcebergType {
  if (kind === 'objects') return { kind: random.pick(['timestamptz', 'timestamptz_ns']) };
  if (isFile(kind)) return { kind: random.pick(['timestamptz', 'timestamptz', 'timestamp', 'date'] as const) };
  const weight = kind === 'arrow' ? 3 : 1;
  return random.weighted([
    [1, { kind: 'timestamp' }],
    [1, { kind: 'timestamptz' }],
    [1, { kind: 'timestamp_ns' }],
    [weight, { kind: 'timestamptz_ns' }],
    [1, { kind: 'date' }],
  ] as const);
}

/** About two in three rows are of an entity and time where a row of a view begins or ceases to count. */
function randomRows(
  random: Random,
  clock: Clock,
  requested: readonly RequestedView[],
  domains: ReadonlyMap<string, KeyDomain>,
  timeType: IcebergType,
): FrameRow[] {
  const sources = requested.map((request) => ({ request, rows: oracleRows(request.view) }));
  const rows: FrameRow[] = [];
  for (let count = random.int(8, 16); count > 0; count--) {
    if (rows.length > 0 && random.chance(0.1)) {
      rows.push(random.pick(rows));
      continue;
    }
    const keys = new Map<string, Value>();
    for (const [name, domain] of domains) {
      keys.set(name, random.chance(0.06) ? null : random.pick<Value>([...domain.values, ...strangers(domain)]));
    }
    const { request, rows: candidates } = random.pick(sources);
    const row = candidates.length > 0 && random.chance(0.7) ? random.pick(candidates) : undefined;
    for (const [index, { domain }] of request.view.keys.entries()) {
      if (row !== undefined) keys.set(request.joinKeyMap.get(domain.name) ?? domain.name, row.key[index] ?? null);
    }
    const near = row?.timeNs ?? clock.time(random, 'ns');
    const ttlNs = BigInt(request.view.ttlMs ?? 0) * 1_000_000n;
    const exact = near + random.pick([0n, ttlNs, ttlNs]) + random.pick([0n, 0n, 0n, 1n, -1n, 1000n, -1000n]);
    const timeNs = random.chance(0.04)
      ? null
      : wholeUnits(random.chance(0.8) ? exact : clock.time(random, 'ns'), timeType);
    rows.push({ keys, timeNs });
  }
  return random.chance(0.02) ? [] : rows;
}

/** More frame rows of one entity and time than a join compares one by one. */
function withFrequentRow(random: Random, rows: readonly FrameRow[]): FrameRow[] {
  if (rows.length === 0) return [];
  const row = random.pick(rows);
  return random.shuffle([...rows, ...Array.from({ length: random.int(9, 12) }, () => row)]);
}

/** Keys that no feature row has. */
function strangers(domain: KeyDomain): readonly Value[] {
  return domain.kind === 'integer' ? [3_000_000_000n] : [];
}

const unitNs = (type: IcebergType): bigint =>
  isNanoseconds(type) ? 1n : type.kind === 'date' ? 86_400_000_000_000n : 1000n;

function wholeUnits(ns: bigint, type: IcebergType): bigint {
  const unit = unitNs(type);
  return ns - (((ns % unit) + unit) % unit);
}

function timeValue(ns: bigint | null, type: IcebergType): Value {
  if (ns === null) return null;
  const count = ns / unitNs(type);
  return type.kind === 'date' ? Number(count) : count;
}

/** A key column, now and then of another type whose values are the view's exactly. */
function keyColumn(
  random: Random,
  kind: FrameKind,
  name: string,
  domain: KeyDomain,
  rows: readonly FrameRow[],
): Column {
  const values = rows.map(({ keys }) => keys.get(name) ?? null);
  const of = (type: IcebergType, value: (key: Value) => Value = (key) => key): Column => {
    return { name, type, values: values.map((key) => (key === null ? null : value(key))) };
  };
  const isText = kind === 'objects' || kind === 'arrow' || random.chance(0.3);
  switch (domain.kind) {
    case 'integer':
      if (kind === 'objects' || values.includes(3_000_000_000n) || random.chance(0.5)) return of({ kind: 'long' });
      return of({ kind: 'int' }, Number);
    case 'date':
      return isText ? of({ kind: 'string' }, (key) => isoDate(key as number)) : of({ kind: 'date' });
    case 'uuid':
      return isText ? of({ kind: 'string' }, (key) => (key as string).toUpperCase()) : of({ kind: 'uuid' });
    case 'decimal':
      return of({ kind: 'decimal', precision: random.pick([7, 9, 12]), scale: 2 });
    case 'timestamp':
      return of({ kind: kind === 'objects' ? 'timestamptz' : random.pick(['timestamp', 'timestamptz']) });
    default:
      return of({ kind: 'string' });
  }
}

/** Columns that the answer only repeats. */
function furtherColumns(random: Random, kind: FrameKind, timeName: string, count: number): readonly Column[] {
  const column = (name: string, type: IcebergType, choices: readonly Value[]): Column => {
    const values = Array.from({ length: count }, () => random.pick(choices));
    const isUntyped = isFile(kind) && values.every((value) => value === null);
    return { name, type: isUntyped ? { kind: 'string' } : type, values };
  };
  const plain = [
    column('label', { kind: 'string' }, ['x', "o'clock", null, '']),
    column('__proto__', { kind: 'double' }, [0.5, -1.25, null]),
    column('select "amount"', { kind: 'boolean' }, [true, false]),
  ];
  if (kind === 'objects' || timeName !== 'event_timestamp') return plain;
  return [...plain, column('other_time', { kind: 'timestamp' }, [0n, 1n, null])];
}

interface Given {
  readonly random: Random;
  readonly fields: readonly NestedField[];
  readonly values: readonly (readonly Value[])[];
  readonly folder: string;
  readonly duckdb: DuckDBConnection;
}

async function sourceOf(kind: FrameKind, given: Given): Promise<EntitySource> {
  const { random, fields, values, folder } = given;
  if (kind === 'table') return { table: FRAME_TABLE };
  if (kind === 'objects') return { rows: asObjects(given) };
  if (kind === 'query') return { query: { sql: querySql(fields), tables: new Map([['f', FRAME_TABLE]]) } };
  if (kind !== 'relation') {
    await mkdir(folder, { recursive: true });
    const write = { csv: writeCsv, jsonl: writeJsonLines, arrow: writeArrow }[kind];
    return fileSource(await write(random, join(folder, `frame.${kind}`), fields, values));
  }
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields };
  return { open: () => Promise.resolve({ relation: relationSql(fields, values), schema }) };
}

/** The entity rows of a file, as applications give it. */
async function fileSource(file: string): Promise<EntitySource> {
  // Only logged features need a project.
  const source = await entitySource({} as Project, { file });
  if ('window' in source) throw new Error('a file is no window');
  return source;
}

/** The rows of the table in their order: their number is its last column. */
const querySql = (fields: readonly NestedField[]): string =>
  `SELECT ${fields.map(({ name }) => quoteName(name)).join(', ')} FROM f ORDER BY ${quoteName(ROW_NUMBER)}`;

function relationSql(fields: readonly NestedField[], rows: readonly (readonly Value[])[]): string {
  const row = (values: readonly Value[]): string =>
    `(${fields.map(({ type }, index) => valueSql(type, values[index] ?? null)).join(', ')})`;
  const nulls = fields.map(({ name, type }) => `NULL::${typeSql(type)} AS ${quoteName(name)}`);
  if (rows.length === 0) return `(SELECT ${nulls.join(', ')} WHERE false)`;
  return `(SELECT * FROM (VALUES ${rows.map(row).join(', ')}))`;
}

/** Times as text with any offset, or as dates where nothing is lost; whole numbers of either kind. */
function asObjects({ random, fields, values }: Given): readonly EntityRow[] {
  return values.map((row) => {
    const entries = fields.map(({ name, type }, index): readonly [string, EntityValue] => {
      return [name, objectValue(random, type, row[index] ?? null)];
    });
    return new Map(entries);
  });
}

function objectValue(random: Random, type: IcebergType, value: Value): EntityValue {
  if (value === null) return random.chance(0.5) ? null : undefined;
  if (type.kind === 'timestamptz_ns') return isoTime(random, value as bigint, 9);
  if (type.kind === 'timestamptz') {
    const us = value as bigint;
    if (us % 1000n === 0n && random.chance(0.2)) return new Date(Number(us / 1000n));
    return isoTime(random, us * 1000n, 6);
  }
  if (type.kind === 'long') return random.chance(0.5) ? (value as bigint) : Number(value);
  return type.kind === 'decimal' ? decimalText(value as bigint, type.scale) : (value as EntityValue);
}

const ROW_NUMBER = 'number of the row';

/** One file: the frame's order is its order. */
async function writeTable(given: Given, isNumbered: boolean): Promise<string> {
  const { random, folder, duckdb } = given;
  const number: NestedField = { id: given.fields.length + 1, name: ROW_NUMBER, required: false, type: { kind: 'int' } };
  const fields = isNumbered ? [...given.fields, number] : given.fields;
  const values = isNumbered ? given.values.map((row, index) => [...row, index]) : given.values;
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields };
  await mkdir(folder, { recursive: true });
  const writer = new TableWriter(random, folder, 3, schema, UNPARTITIONED);
  await writer.prepare();
  const filePath = writer.path('data', 'frame.parquet');
  await writeParquet(duckdb, filePath, fields, values);
  const file = {
    content: 'data',
    filePath,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: BigInt(values.length),
    fileSizeInBytes: await fileSize(filePath),
  } as const;
  await writer.commit('append', [{ file }], new Set());
  return await writer.finish();
}
