/** Parquet files of table worlds, written by DuckDB with field ids. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { DataFile, IcebergType, NestedField, PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import { serializeValue } from '../../iceberg/index.js';
import { compareValue } from './order.js';
import type { Random } from './random.js';
import { quoteName, typeSql, type Value, valueSql } from './values.js';

/** Ids of the columns of row lineage. Source: Apache Iceberg specification, "Reserved Field IDs". */
export const ROW_ID: NestedField = { id: 2147483540, name: '_row_id', required: false, type: { kind: 'long' } };
export const LAST_UPDATED: NestedField = {
  id: 2147483539,
  name: '_last_updated_sequence_number',
  required: false,
  type: { kind: 'long' },
};

/** Writes rows as one Parquet file, in their order, with field ids or without. */
export async function writeParquet(
  duckdb: DuckDBConnection,
  path: string,
  fields: readonly NestedField[],
  rows: readonly (readonly Value[])[],
  options = '',
  hasFieldIds = true,
): Promise<void> {
  const row = (values: readonly Value[]): string =>
    `(${fields.map((field, index) => valueSql(field.type, values[index] ?? null)).join(', ')})`;
  const names = fields.map((field) => quoteName(field.name));
  const nulls = fields.map((field, index) => `NULL::${typeSql(field.type)} AS ${names[index]}`);
  const select =
    rows.length === 0
      ? `SELECT ${nulls.join(', ')} WHERE false`
      : `SELECT * FROM (VALUES ${rows.map(row).join(', ')}) AS t(${names.join(', ')})`;
  const ids = fields.map((field) => `${quoteName(field.name)}: ${fieldIds(field.id, field.type)}`);
  // Zeros of both signs are one entry of DuckDB's dictionaries.
  const dictionary = rows.some((values) => values.some((value) => Object.is(value, -0)))
    ? ', DICTIONARY_SIZE_LIMIT 0'
    : '';
  const format = `FORMAT parquet${hasFieldIds ? `, FIELD_IDS {${ids.join(', ')}}` : ''}${dictionary}${options}`;
  await duckdb.run(`COPY (${select}) TO '${path}' (${format})`);
  await giveZones(path, fields);
}

function fieldIds(id: number, type: IcebergType): string {
  const nested = (children: readonly string[]): string => `{__duckdb_field_id: ${id}, ${children.join(', ')}}`;
  if (type.kind === 'struct') return nested(type.fields.map((f) => `${quoteName(f.name)}: ${fieldIds(f.id, f.type)}`));
  if (type.kind === 'list') return nested([`element: ${fieldIds(type.elementId, type.element)}`]);
  if (type.kind !== 'map') return String(id);
  return nested([`key: ${fieldIds(type.keyId, type.key)}`, `value: ${fieldIds(type.valueId, type.value)}`]);
}

/**
 * DuckDB writes nanoseconds without a zone only. In the footer a column of them is, in Thrift's compact form, the logical type
 * `timestamp { 1: isAdjustedToUTC, 2: unit { 3: nanos {} } }`; its flag is one byte, and columns are in their order.
 */
async function giveZones(path: string, fields: readonly NestedField[]): Promise<void> {
  const nanoseconds = fields.filter(({ type }) => type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns');
  if (!nanoseconds.some(({ type }) => type.kind === 'timestamptz_ns')) return;
  const bytes = await readFile(path);
  let at = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  for (const { type } of nanoseconds) {
    at = bytes.indexOf(Buffer.of(0x12, 0x1c, 0x3c, 0x00, 0x00, 0x00), at);
    if (at < 0) throw new Error(`${path} has no further column of nanoseconds`);
    if (type.kind === 'timestamptz_ns') bytes[at] = 0x11;
    at += 1;
  }
  await writeFile(path, bytes);
}

const CODECS = ['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4_raw', 'brotli'] as const;

/** How a file is laid out. Of a page without values DuckDB makes one of version 2 that Arrow cannot read. */
export function randomLayout(random: Random, rows: readonly (readonly Value[])[]): string {
  const isPlain = (value: Value): boolean =>
    value !== null && (typeof value !== 'object' || value instanceof Uint8Array);
  const pages = random.chance(0.5) && rows.every((row) => row.every(isPlain)) ? ', PARQUET_VERSION v2' : '';
  return `, COMPRESSION ${random.pick(CODECS)}${pages}`;
}

type Metrics = Pick<DataFile, 'valueCounts' | 'nullValueCounts' | 'nanValueCounts' | 'lowerBounds' | 'upperBounds'>;

/** Statistics of top-level primitive columns: all, counts only, or none; bounds of text cut short as writers do. */
export function randomMetrics(
  random: Random,
  fields: readonly NestedField[],
  rows: readonly (readonly Value[])[],
): Metrics {
  const kind = random.weighted([
    [6, 'all'],
    [1, 'counts'],
    [2, 'none'],
  ] as const);
  if (kind === 'none') return {};
  const cut = random.chance(0.5);
  const columns = fields.flatMap((field, index) => {
    const { type } = field;
    if (type.kind === 'list' || type.kind === 'map' || type.kind === 'struct') return [];
    const values = rows.map((row) => row[index] ?? null) as (PrimitiveValue | null)[];
    return [{ id: field.id, type: type as PrimitiveType, values }];
  });
  const count = (of: (value: PrimitiveValue | null) => boolean) =>
    new Map(columns.map(({ id, values }) => [id, BigInt(values.filter(of).length)]));
  const counts = { valueCounts: count(() => true), nullValueCounts: count((value) => value === null) };
  if (kind === 'counts') return counts;
  const bounds = columns.map(({ id, type, values }) => ({ id, ...boundsOf(type, values, cut) }));
  const known = (side: 'lower' | 'upper') =>
    new Map(bounds.flatMap((bound) => (bound[side] === undefined ? [] : [[bound.id, bound[side]]])));
  return { ...counts, nanValueCounts: count(Number.isNaN), lowerBounds: known('lower'), upperBounds: known('upper') };
}

function boundsOf(type: PrimitiveType, values: readonly (PrimitiveValue | null)[], cut: boolean) {
  const bounded = values.filter((value) => value !== null && !Number.isNaN(value)) as PrimitiveValue[];
  bounded.sort(compareValue);
  const [first] = bounded;
  const last = bounded.at(-1);
  if (first === undefined || last === undefined) return { lower: undefined, upper: undefined };
  const isFloat = type.kind === 'float' || type.kind === 'double';
  const lower = isFloat && first === 0 ? -0 : cut && typeof first === 'string' ? firstCharacter(first) : first;
  const upper = isFloat && last === 0 ? 0 : cut && typeof last === 'string' ? aboveFirstCharacter(last) : last;
  if (type.kind === 'uuid' && cut) return { lower: undefined, upper: undefined };
  return { lower: serializeValue(type, lower), upper: serializeValue(type, upper) };
}

const firstCharacter = (text: string): string => [...text][0] ?? '';

/** A text of one character that is not below a text: itself, or the next character. */
function aboveFirstCharacter(text: string): string {
  const [first, second] = [...text];
  if (first === undefined || second === undefined) return text;
  return String.fromCodePoint((first.codePointAt(0) as number) + 1);
}

/** The size that a manifest entry has to state. */
export async function fileSize(path: string): Promise<bigint> {
  return BigInt((await stat(path)).size);
}
