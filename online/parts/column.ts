/** Decoded values of one column: typed arrays that are read by row. Pure. */
import type { PlainValue } from '../../engine/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import { copyOf, measureValue, sameValue } from './nested-values.js';

export type Numbers = Uint8Array | Int32Array | Float32Array | Float64Array | BigInt64Array;

/** Values of one width. */
interface FixedColumn {
  readonly storage: 'fixed';
  readonly values: Numbers;
  /** Elements of `values` that make one value. */
  readonly width: number;
  /** A set bit is a value; null: every row has one. */
  readonly validity: Uint8Array | null;
}

/** Texts in UTF-8, and binary values. */
interface BytesColumn {
  readonly storage: 'bytes';
  readonly data: Buffer;
  /** Where each value begins, and the end of the last. */
  readonly offsets: Int32Array;
  readonly validity: Uint8Array | null;
}

/** Lists, structs and maps, as JavaScript has them. */
interface PlainColumn {
  readonly storage: 'plain';
  readonly values: readonly PlainValue[];
  readonly bytes: number;
}

export type Column = FixedColumn | BytesColumn | PlainColumn;

/** Some rows of a column. */
export interface Piece<C extends Column = Column> {
  readonly column: C;
  /** Null: the first ones, as many as there are. */
  readonly rows: Int32Array | null;
  readonly count: number;
}

/** The same rows, one piece after the other, in arrays of their own. */
export function gather(pieces: readonly Piece[], count: number): Column {
  const [first] = pieces;
  if (first === undefined) throw new RangeError('There is nothing to gather.');
  switch (first.column.storage) {
    case 'fixed':
      return gatherFixed(pieces as readonly Piece<FixedColumn>[], count, first.column);
    case 'bytes':
      return gatherBytes(pieces as readonly Piece<BytesColumn>[], count);
    default: {
      const values: PlainValue[] = [];
      for (const { column, rows, count: ofPiece } of pieces)
        for (let place = 0; place < ofPiece; place += 1)
          values.push((column as PlainColumn).values[rows === null ? place : (rows[place] as number)] ?? null);
      return { storage: 'plain', values, bytes: values.reduce((sum: number, value) => sum + measureValue(value), 0) };
    }
  }
}

function gatherFixed(
  pieces: readonly Piece<FixedColumn>[],
  count: number,
  { values: like, width }: FixedColumn,
): FixedColumn {
  const values = new (like.constructor as new (length: number) => Numbers)(count * width);
  let at = 0;
  for (const { column, rows, count: ofPiece } of pieces) {
    const source = column.values;
    if (rows === null) {
      values.set(source.subarray(0, ofPiece * width) as never, at);
      at += ofPiece * width;
      continue;
    }
    const end = at + ofPiece * width;
    copyRows(elementsOf(source), elementsOf(values.subarray(at, end)), rows);
    at = end;
  }
  return { storage: 'fixed', values, width, validity: gatherValidity(pieces, count) };
}

type Elements = Int32Array | Uint8Array;

/** The bits of numbers. Copying 64-bit integers as what they are would make an object of each. */
function elementsOf(numbers: Numbers): Elements {
  if (numbers instanceof Uint8Array) return numbers;
  return new Int32Array(numbers.buffer, numbers.byteOffset, numbers.byteLength / Int32Array.BYTES_PER_ELEMENT);
}

function copyRows(from: Elements, to: Elements, rows: Int32Array): void {
  const width = to.length / rows.length;
  let at = 0;
  for (let place = 0; place < rows.length; place += 1) {
    let source = (rows[place] as number) * width;
    for (const end = at + width; at < end; at += 1) to[at] = from[source++] as number;
  }
}

function gatherBytes(pieces: readonly Piece<BytesColumn>[], count: number): BytesColumn {
  const offsets = new Int32Array(count + 1);
  let at = 0;
  let end = 0;
  for (const { column, rows, count: ofPiece } of pieces) {
    for (let place = 0; place < ofPiece; place += 1) {
      const row = rows === null ? place : (rows[place] as number);
      end += (column.offsets[row + 1] as number) - (column.offsets[row] as number);
      offsets[++at] = end;
    }
  }
  const data = Buffer.from(new ArrayBuffer(end));
  at = 0;
  for (const { column, rows, count: ofPiece } of pieces) {
    if (rows === null) {
      data.set(column.data.subarray(column.offsets[0], column.offsets[ofPiece]), offsets[at]);
      at += ofPiece;
      continue;
    }
    for (let place = 0; place < ofPiece; place += 1)
      copyBytes(column, rows[place] as number, data, offsets[at++] as number);
  }
  return { storage: 'bytes', data, offsets, validity: gatherValidity(pieces, count) };
}

/** From so many bytes on the engine's own copy is faster than one of byte by byte. */
const MANY_BYTES = 64;

function copyBytes({ data: from, offsets }: BytesColumn, row: number, to: Buffer, first: number): void {
  const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
  if (end - start >= MANY_BYTES) return void from.copy(to, first, start, end);
  let at = first;
  for (let byte = start; byte < end; byte += 1) to[at++] = from[byte] as number;
}

function gatherValidity(pieces: readonly Piece<FixedColumn | BytesColumn>[], count: number): Uint8Array | null {
  if (pieces.every(({ column }) => column.validity === null)) return null;
  const validity = new Uint8Array(Math.ceil(count / 8)).fill(0xff);
  let at = 0;
  for (const { column, rows, count: ofPiece } of pieces) {
    if (column.validity === null) {
      at += ofPiece;
      continue;
    }
    for (let place = 0; place < ofPiece; place += 1) {
      if (isNull(column, rows === null ? place : (rows[place] as number)))
        validity[at >> 3] = (validity[at >> 3] as number) & ~(1 << (at & 7));
      at += 1;
    }
  }
  return validity;
}

export function isNull(column: Column, row: number): boolean {
  if (column.storage === 'plain') return column.values[row] === null;
  const { validity } = column;
  return validity !== null && (((validity[row >> 3] as number) >> (row & 7)) & 1) === 0;
}

/** The value of a row, exactly as the engine's `plainValue` gives it. Callers may keep and change what they get. */
export function valueAt(type: IcebergType, column: Column, row: number): PlainValue {
  if (isNull(column, row)) return null;
  if (column.storage === 'bytes') {
    const [start, end] = [column.offsets[row] as number, column.offsets[row + 1] as number];
    return type.kind === 'string'
      ? column.data.toString('utf8', start, end)
      : Buffer.from(column.data.subarray(start, end));
  }
  if (column.storage === 'plain') return copyOf(column.values[row] ?? null);
  const { values, width } = column;
  switch (type.kind) {
    case 'boolean':
      return values[row] === 1;
    case 'decimal':
      return ((values[row * 2 + 1] as bigint) << 64n) | BigInt.asUintN(64, values[row * 2] as bigint);
    case 'uuid':
      return uuidText(values as Uint8Array, row * width);
    case 'fixed':
      return Buffer.from((values as Uint8Array).subarray(row * width, (row + 1) * width));
    default:
      return values[row] as number | bigint;
  }
}

/** Whether two rows have the same value, bit by bit. */
export function sameAt(left: Column, leftRow: number, right: Column, rightRow: number): boolean {
  if (isNull(left, leftRow) || isNull(right, rightRow)) return isNull(left, leftRow) && isNull(right, rightRow);
  if (left.storage === 'plain' && right.storage === 'plain')
    return sameValue(left.values[leftRow] ?? null, right.values[rightRow] ?? null);
  return bytesAt(left, leftRow).equals(bytesAt(right, rightRow));
}

function bytesAt(column: Column, row: number): Buffer {
  if (column.storage === 'bytes') return column.data.subarray(column.offsets[row], column.offsets[row + 1]);
  if (column.storage === 'plain') throw new TypeError('A nested value has no bytes of its own.');
  const { values, width } = column;
  const size = width * values.BYTES_PER_ELEMENT;
  return Buffer.from(values.buffer, values.byteOffset + row * size, size);
}

/** Bytes of memory of a typed array beside its content, measured on Node 20 and 24. */
const ARRAY_BYTES = 200;

/** Bytes of memory that a column takes. */
export function columnBytes(column: Column): number {
  if (column.storage === 'plain') return column.bytes + 8 * column.values.length + ARRAY_BYTES;
  const validity = column.validity === null ? 0 : column.validity.byteLength + ARRAY_BYTES;
  if (column.storage === 'fixed') return column.values.byteLength + ARRAY_BYTES + validity;
  return column.data.byteLength + column.offsets.byteLength + 2 * ARRAY_BYTES + validity;
}

function uuidText(bytes: Uint8Array, start: number): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + start, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
