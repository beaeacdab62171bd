/** How a table wants its Parquet files. Source: Apache Iceberg documentation, "Configuration", write properties. */
import type { ParquetWrite } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import type { IcebergType, PartitionSpec, Schema, SortField, TableMetadata } from '../iceberg/index.js';

/** Options of a write that a table's properties may set. */
export type ParquetSettings = Pick<ParquetWrite, 'codec' | 'compressionLevel' | 'rowGroupRows' | 'targetFileBytes'>;

const CODECS: ReadonlyMap<string, NonNullable<ParquetWrite['codec']>> = new Map([
  ['zstd', 'zstd'],
  ['snappy', 'snappy'],
  ['gzip', 'gzip'],
  ['brotli', 'brotli'],
  ['lz4', 'lz4_raw'],
  ['lz4_raw', 'lz4_raw'],
  ['uncompressed', 'uncompressed'],
  ['none', 'uncompressed'],
]);

/** The table property of the most rows of a row group. */
export const ROW_GROUP_LIMIT = 'write.parquet.row-group-limit';

/** The engine writes rows in vectors of this many. */
const MIN_ROW_GROUP_ROWS = 2048;
const MAX_ROW_GROUP_ROWS = 10_000_000;

/**
 * Settings of a table's properties: `write.parquet.compression-codec`, `write.parquet.compression-level` (zstd),
 * `write.parquet.row-group-size-bytes` (as rows, by the width of the columns), `write.parquet.row-group-limit` (rows, as PyIceberg has it) and
 * `write.target-file-size-bytes`. Properties that are not set leave the engine's defaults. The engine chooses the sizes of pages itself.
 * @throws MoraineError `INVALID_ARGUMENT` for a value that is none
 */
export function parquetSettings({ properties }: TableMetadata, schema: Schema): ParquetSettings {
  const codec = codecOf(properties);
  const level = codec === 'zstd' ? zstdLevel(properties) : undefined;
  const rowGroupBytes = positive(properties, 'write.parquet.row-group-size-bytes');
  const rowGroupLimit = positive(properties, ROW_GROUP_LIMIT);
  const targetFileBytes = positive(properties, 'write.target-file-size-bytes');
  const ofBytes = rowGroupBytes === undefined ? MAX_ROW_GROUP_ROWS : rowsIn(rowGroupBytes, schema);
  const ofLimit = rowGroupLimit === undefined ? MAX_ROW_GROUP_ROWS : bounded(rowGroupLimit);
  const isSet = rowGroupBytes !== undefined || rowGroupLimit !== undefined;
  return {
    codec,
    ...(level === undefined ? {} : { compressionLevel: level }),
    ...(isSet ? { rowGroupRows: Math.min(ofBytes, ofLimit) } : {}),
    ...(targetFileBytes === undefined ? {} : { targetFileBytes }),
  };
}

/**
 * Ids of the columns that rows are sorted by under the table's default order, if that is one the engine writes: columns themselves, ascending,
 * with nulls, last, in one file only. Undefined: the rows stay as they come, and their files do not claim an order.
 */
export function sortColumns(
  { sortOrders, defaultSortOrderId }: TableMetadata,
  schema: Schema,
  { fields: partitioning }: PartitionSpec,
): readonly number[] | undefined {
  const order = sortOrders.find(({ orderId }) => orderId === defaultSortOrderId);
  if (order === undefined || order.fields.length === 0) return undefined;
  const isUnpartitioned = partitioning.length === 0;
  const isWritten = ({ sourceId, transform, direction, nullOrder }: SortField): boolean => {
    const column = schema.fields.find(({ id }) => id === sourceId);
    const nulls = column?.required === true || (nullOrder === 'nulls-last' && isUnpartitioned);
    return column !== undefined && transform.kind === 'identity' && direction === 'asc' && nulls;
  };
  return order.fields.every(isWritten) ? order.fields.map(({ sourceId }) => sourceId) : undefined;
}

function codecOf(properties: TableMetadata['properties']): NonNullable<ParquetWrite['codec']> {
  const name = properties.get('write.parquet.compression-codec')?.toLowerCase() ?? 'zstd';
  const codec = CODECS.get(name);
  if (codec !== undefined) return codec;
  throw invalid('write.parquet.compression-codec', name, `one of ${[...CODECS.keys()].join(', ')}`);
}

/** Levels below 1, which mean a default or a fast mode elsewhere, become the lowest that the engine has. */
function zstdLevel(properties: TableMetadata['properties']): number | undefined {
  const name = 'write.parquet.compression-level';
  const text = properties.get(name);
  if (text === undefined) return undefined;
  if (!/^\s*-?\d{1,9}\s*$/.test(text)) throw invalid(name, text, 'a whole number');
  return Math.min(22, Math.max(1, Number(text)));
}

function positive(properties: TableMetadata['properties'], name: string): number | undefined {
  const text = properties.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw invalid(name, text, 'a positive whole number');
}

function invalid(name: string, value: string, expected: string): MoraineError {
  const message = `The table property ${name} is ${JSON.stringify(value)}; expected ${expected}.`;
  return new MoraineError('INVALID_ARGUMENT', message, { details: { property: name } });
}

/** Bytes of a value before compression; of texts and nested values a guess. */
const WIDTHS: Readonly<Partial<Record<IcebergType['kind'], number>>> = {
  boolean: 1,
  int: 4,
  float: 4,
  date: 4,
  uuid: 16,
  decimal: 16,
};
const NUMBER_BYTES = 8;
const TEXT_BYTES = 32;
const VARIABLE: ReadonlySet<IcebergType['kind']> = new Set(['string', 'binary', 'struct', 'list', 'map']);

function rowsIn(bytes: number, { fields }: Schema): number {
  const width = fields.reduce(
    (sum, { type }) => sum + (WIDTHS[type.kind] ?? (VARIABLE.has(type.kind) ? TEXT_BYTES : NUMBER_BYTES)),
    0,
  );
  return bounded(Math.floor(bytes / Math.max(1, width)));
}

function bounded(rows: number): number {
  return Math.min(MAX_ROW_GROUP_ROWS, Math.max(MIN_ROW_GROUP_ROWS, rows));
}
