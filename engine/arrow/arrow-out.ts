/** DuckDB's vectors as Arrow record batches: column by column, byte by byte, never through row objects. */
import duckdb from '@duckdb/node-bindings';
import {
  type Schema as ArrowSchema,
  type Data,
  type DataType,
  makeData,
  RecordBatch,
  Struct,
  Table,
} from 'apache-arrow';
import type { IcebergType, Schema } from '../../iceberg/index.js';
import { Turns } from '../../processes/index.js';
import type { Connection } from '../connection.js';
import { arrowSchema, arrowType } from './arrow-types.js';

/** Milliseconds of copying columns after which others have a turn. */
const SLICE_MS = 1;

/** See `arrowBatches`. */
export async function* readBatches(
  connection: Connection,
  sql: string,
  schema: Schema,
): AsyncGenerator<RecordBatch, void, undefined> {
  const arrow = arrowSchema(schema);
  const stream = await connection.stream(`FROM ${sql}`);
  const turns = new Turns(SLICE_MS);
  for (let chunk = await stream.next(); chunk !== null; chunk = await stream.next()) {
    turns.begin();
    const columns: Data[] = [];
    for (const [index, field] of schema.fields.entries()) {
      columns.push(readColumn(duckdb.data_chunk_get_vector(chunk.chunk, index), field.type, all(chunk.rowCount)));
      await turns.give();
    }
    yield recordBatch(arrow, columns, chunk.rowCount);
  }
}

/** See `arrowTable`. */
export async function readTable(connection: Connection, sql: string, schema: Schema): Promise<Table> {
  const batches: RecordBatch[] = [];
  for await (const batch of readBatches(connection, sql, schema)) batches.push(batch);
  return batches.length === 0 ? new Table(arrowSchema(schema)) : new Table(batches);
}

function recordBatch(schema: ArrowSchema, children: Data[], length: number): RecordBatch {
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }));
}

type Vector = Parameters<typeof duckdb.vector_get_data>[0];

/** Which positions of a vector to read: all of the first `count`, or those listed. */
interface Selection {
  readonly count: number;
  readonly positions: Int32Array | null;
  /** How many positions the vector has. */
  readonly extent: number;
}

const all = (count: number): Selection => ({ count, positions: null, extent: count });

function readColumn(vector: Vector, type: IcebergType, rows: Selection): Data {
  const arrow = arrowType(type);
  const nullBitmap = readValidity(vector, rows);
  const common = { type: arrow, length: rows.count, nullCount: countNulls(nullBitmap, rows.count), nullBitmap };
  switch (type.kind) {
    case 'unknown':
      return makeData({ type: arrow as never, length: rows.count });
    case 'boolean':
      return makeData({ ...common, data: packBits(fixedWidth(vector, 1, rows)) } as never);
    case 'string':
    case 'binary':
      return makeData({ ...common, ...readTexts(vector, rows, nullBitmap) } as never);
    case 'fixed':
      return makeData({ ...common, data: readFixed(vector, rows, nullBitmap, type.length) } as never);
    case 'uuid':
      return makeData({ ...common, data: readUuids(vector, rows) } as never);
    case 'decimal':
      return makeData({ ...common, data: readDecimals(vector, rows, type.precision) } as never);
    case 'struct':
      return makeData({
        ...common,
        children: type.fields.map((field, index) =>
          readColumn(duckdb.struct_vector_get_child(vector, index), field.type, rows),
        ),
      } as never);
    case 'list':
    case 'map':
      return readRepeated(vector, type, arrow, rows, nullBitmap);
    default:
      return makeData({ ...common, data: readNumbers(vector, type, rows) } as never);
  }
}

/** The Arrow null bitmap (a set bit is a value), or null when nothing is null. */
function readValidity(vector: Vector, rows: Selection): Uint8Array | null {
  const words = Math.ceil(rows.extent / 64) * 8;
  const bits = duckdb.vector_get_validity(vector, words) as Uint8Array | null;
  if (bits === null || bits === undefined) return null;
  if (rows.positions === null) return new Uint8Array(bits);
  const gathered = new Uint8Array(Math.ceil(rows.count / 64) * 8);
  rows.positions.forEach((position, index) => {
    if (isSet(bits, position)) gathered[index >> 3] = (gathered[index >> 3] as number) | (1 << (index & 7));
  });
  return gathered;
}

const isSet = (bits: Uint8Array, index: number): boolean => (((bits[index >> 3] as number) >> (index & 7)) & 1) === 1;

function countNulls(bitmap: Uint8Array | null, count: number): number {
  if (bitmap === null) return 0;
  let nulls = 0;
  for (let index = 0; index < count; index += 1) if (!isSet(bitmap, index)) nulls += 1;
  return nulls;
}

/** A copy of the values' bytes: DuckDB's own memory goes away with the chunk. */
function fixedWidth(vector: Vector, width: number, rows: Selection): Uint8Array {
  const source = duckdb.vector_get_data(vector, rows.extent * width);
  const target = new Uint8Array(rows.count * width);
  if (rows.positions === null) target.set(source.subarray(0, rows.count * width));
  else {
    rows.positions.forEach((position, index) => {
      target.set(source.subarray(position * width, (position + 1) * width), index * width);
    });
  }
  return target;
}

function packBits(bytes: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(bytes.length / 8));
  bytes.forEach((byte, index) => {
    if (byte !== 0) bits[index >> 3] = (bits[index >> 3] as number) | (1 << (index & 7));
  });
  return bits;
}

function readNumbers(vector: Vector, type: IcebergType, rows: Selection): ArrayBufferView {
  switch (type.kind) {
    case 'int':
    case 'date':
      return new Int32Array(fixedWidth(vector, 4, rows).buffer);
    case 'float':
      return new Float32Array(fixedWidth(vector, 4, rows).buffer);
    case 'double':
      return new Float64Array(fixedWidth(vector, 8, rows).buffer);
    default:
      return new BigInt64Array(fixedWidth(vector, 8, rows).buffer);
  }
}

/** DuckDB keeps a uuid as a little-endian 128-bit integer with the highest bit flipped, so that order is that of the bytes. */
function readUuids(vector: Vector, rows: Selection): Uint8Array {
  const bytes = fixedWidth(vector, 16, rows);
  for (let start = 0; start < bytes.length; start += 16) {
    bytes.subarray(start, start + 16).reverse();
    bytes[start] = (bytes[start] as number) ^ 0x80;
  }
  return bytes;
}

/** DuckDB keeps a decimal in the smallest integer that fits its precision; Arrow takes 128 bits. */
function readDecimals(vector: Vector, rows: Selection, precision: number): Uint32Array {
  const width = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
  const source = fixedWidth(vector, width, rows);
  if (width === 16) return new Uint32Array(source.buffer);
  const target = new Uint8Array(rows.count * 16);
  for (let row = 0; row < rows.count; row += 1) {
    target.set(source.subarray(row * width, (row + 1) * width), row * 16);
    if ((source[(row + 1) * width - 1] as number) >= 0x80) target.fill(0xff, row * 16 + width, (row + 1) * 16);
  }
  return new Uint32Array(target.buffer);
}

/** Texts of at most so many bytes lie in the vector, longer ones behind a pointer. */
const INLINE_BYTES = 12;
/** Half a page of memory. */
const NEAR_BYTES = 2_048;

/** Memory from the first byte of a text to the last one of a later row's. */
interface Stretch {
  /** Its address; one of 47 bits is exact as a number. */
  readonly from: number;
  /** Where the pointer to it is in the vector. */
  readonly pointerAt: number;
  length: number;
}

/**
 * The bytes of texts or binary values, one after the other. Each piece of the engine's memory costs a call and an object, and the texts of rows
 * that were written together lie near one another: a text begins within half a page of the end of the one before, so the bytes
 * between them are on pages that hold one of both, and can be read along.
 */
function readTexts(
  vector: Vector,
  rows: Selection,
  bitmap: Uint8Array | null,
): { valueOffsets: Int32Array; data: Uint8Array } {
  const source = duckdb.vector_get_data(vector, rows.extent * 16);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const startOf = (row: number): number => (rows.positions?.[row] ?? row) * 16;
  const valueOffsets = new Int32Array(rows.count + 1);
  const stretches: Stretch[] = [];
  /** Of each row with a long text: its stretch and its place there. */
  const [stretchOf, placeOf] = [new Int32Array(rows.count), new Int32Array(rows.count)];
  let end = 0;
  for (let row = 0; row < rows.count; row += 1) {
    const isValue = bitmap === null || isSet(bitmap, row);
    const length = isValue ? view.getUint32(startOf(row), true) : 0;
    if (length > INLINE_BYTES) {
      const at = startOf(row) + 8;
      const address = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      let last = stretches.at(-1);
      const gap = last === undefined ? -1 : address - last.from - last.length;
      if (last === undefined || gap < 0 || gap > NEAR_BYTES) {
        last = { from: address, pointerAt: source.byteOffset + at, length: 0 };
        stretches.push(last);
      }
      stretchOf[row] = stretches.length - 1;
      placeOf[row] = address - last.from;
      last.length = address - last.from + length;
    }
    end += length;
    valueOffsets[row + 1] = end;
  }
  const memory = stretches.map(({ pointerAt, length }) =>
    duckdb.get_data_from_pointer(source.buffer as ArrayBuffer, pointerAt, length),
  );
  const data = new Uint8Array(end);
  for (let row = 0; row < rows.count; row += 1) {
    const at = valueOffsets[row] as number;
    const length = (valueOffsets[row + 1] as number) - at;
    if (length > INLINE_BYTES) {
      const place = placeOf[row] as number;
      data.set((memory[stretchOf[row] as number] as Uint8Array).subarray(place, place + length), at);
    } else {
      const start = startOf(row) + 4;
      for (let byte = 0; byte < length; byte += 1) data[at + byte] = source[start + byte] as number;
    }
  }
  return { valueOffsets, data };
}

function readFixed(vector: Vector, rows: Selection, bitmap: Uint8Array | null, width: number): Uint8Array {
  const { valueOffsets, data } = readTexts(vector, rows, bitmap);
  const target = new Uint8Array(rows.count * width);
  for (let row = 0; row < rows.count; row += 1) {
    target.set(data.subarray(valueOffsets[row], valueOffsets[row + 1]), row * width);
  }
  return target;
}

/** A list vector's rows may share or skip elements (a constant list does), so elements are gathered row by row. */
function readRepeated(
  vector: Vector,
  type: Extract<IcebergType, { kind: 'list' | 'map' }>,
  arrow: DataType,
  rows: Selection,
  bitmap: Uint8Array | null,
): Data {
  const bytes = new Uint8Array(duckdb.vector_get_data(vector, rows.extent * 16));
  const entries = new BigUint64Array(bytes.buffer, 0, rows.extent * 2);
  const valueOffsets = new Int32Array(rows.count + 1);
  const positions: number[] = [];
  for (let row = 0; row < rows.count; row += 1) {
    if (bitmap === null || isSet(bitmap, row)) {
      const position = rows.positions?.[row] ?? row;
      const start = Number(entries[position * 2]);
      const length = Number(entries[position * 2 + 1]);
      for (let index = start; index < start + length; index += 1) positions.push(index);
    }
    valueOffsets[row + 1] = positions.length;
  }
  const child = duckdb.list_vector_get_child(vector);
  const selection: Selection = {
    count: positions.length,
    positions: Int32Array.from(positions),
    extent: duckdb.list_vector_get_size(vector),
  };
  const element =
    type.kind === 'list' ? readColumn(child, type.element, selection) : readEntries(child, type, selection, arrow);
  const nullCount = countNulls(bitmap, rows.count);
  return makeData({
    type: arrow,
    length: rows.count,
    nullCount,
    nullBitmap: bitmap,
    valueOffsets,
    child: element,
  } as never);
}

function readEntries(
  vector: Vector,
  type: Extract<IcebergType, { kind: 'map' }>,
  rows: Selection,
  arrow: DataType,
): Data {
  return makeData({
    type: arrow.children[0]?.type as DataType,
    length: rows.count,
    nullCount: 0,
    children: [
      readColumn(duckdb.struct_vector_get_child(vector, 0), type.key, rows),
      readColumn(duckdb.struct_vector_get_child(vector, 1), type.value, rows),
    ],
  } as never);
}
