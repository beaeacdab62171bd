/**
 * Rows by key: an open-addressing hash table over typed keys. The rows of a key are in the order in which they win: the newest event time,
 * then the newest `created`, then the higher data sequence number. Pure.
 */
import type { IcebergType, PrimitiveValue } from '../../iceberg/index.js';
import { type Column, isNull } from './column.js';

/** A key as it is compared: words of 32 bits, or bytes. Two keys of one type are equal if and only if these are. */
export interface LookupKey {
  readonly hash: number;
  readonly words: Int32Array | null;
  readonly bytes: Buffer | null;
}

/** The key of a value of a column of this type; null for one that no row can have. */
export function lookupKey(type: IcebergType, value: PrimitiveValue): LookupKey | null {
  if (typeof value === 'number') return ofWords(Int32Array.of(value));
  if (typeof value === 'bigint') {
    const wide = type.kind === 'decimal';
    if (BigInt.asIntN(wide ? 128 : 64, value) !== value) return null;
    const halves = wide ? BigInt64Array.of(value, value >> 64n) : BigInt64Array.of(value);
    return ofWords(new Int32Array(halves.buffer));
  }
  if (type.kind === 'uuid') {
    const bytes = new Uint8Array(16);
    Buffer.from(bytes.buffer).write(String(value).replaceAll('-', ''), 'hex');
    return ofWords(new Int32Array(bytes.buffer));
  }
  if (typeof value === 'string') return LONE_SURROGATE.test(value) ? null : ofBytes(Buffer.from(value));
  return value instanceof Uint8Array ? ofBytes(Buffer.from(value.buffer, value.byteOffset, value.length)) : null;
}

/** Such a text is not in any file: UTF-8 has no form of it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const ofWords = (words: Int32Array): LookupKey => ({ hash: hashWords(words, 0, words.length), words, bytes: null });
const ofBytes = (bytes: Buffer): LookupKey => ({ hash: hashBytes(bytes, 0, bytes.length), words: null, bytes });

/** The columns that order the rows of one key. */
export interface OrderingColumns {
  readonly key: Column;
  readonly eventTimestamp: Column;
  readonly created: Column;
  readonly sequenceNumber: Column;
}

/** Rows of a segment by key. */
export class KeyIndex {
  /** Places of the table: the number of a key from 1, or 0. */
  readonly #table: Int32Array;
  /** By number of the key: where its rows begin in `#rows`; at the end, how many there are. */
  readonly #starts: Int32Array;
  readonly #rows: Int32Array;
  readonly #keys: ComparableKeys;

  /** Rows without a key or an event time are in no answer, and not in the index. */
  constructor(columns: OrderingColumns, rowCount: number) {
    this.#keys = comparableKeys(columns.key, rowCount);
    this.#table = new Int32Array(tableSize(rowCount));
    const numbers = new Int32Array(rowCount);
    const firsts: number[] = [];
    const counts: number[] = [];
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(columns.key, row) || isNull(columns.eventTimestamp, row)) continue;
      const place = this.#placeOfRow(row, firsts);
      let number = this.#table[place] as number;
      if (number === 0) {
        number = firsts.push(row);
        counts.push(0);
        this.#table[place] = number;
      }
      numbers[row] = number;
      counts[number - 1] = (counts[number - 1] as number) + 1;
    }
    this.#starts = startsOf(counts);
    this.#rows = sortedRows(numbers, this.#starts, columns);
  }

  get bytes(): number {
    return this.#table.byteLength + this.#starts.byteLength + this.#rows.byteLength;
  }

  /** The number of keys; the first one has the number 1. */
  get keyCount(): number {
    return this.#starts.length - 1;
  }

  /** Number of the key, to be given to {@link rowOf}; 0: no row has it. */
  find(key: LookupKey): number {
    const mask = this.#table.length - 1;
    for (let place = key.hash & mask; ; place = (place + 1) & mask) {
      const number = this.#table[place] as number;
      if (number === 0) return 0;
      if (this.#keys.isKey(this.#rows[this.#starts[number - 1] as number] as number, key)) return number;
    }
  }

  /** How many rows a key has. */
  countOf(number: number): number {
    return (this.#starts[number] as number) - (this.#starts[number - 1] as number);
  }

  /** The row of a key that is at a place in the order, from 0. */
  rowOf(number: number, place: number): number {
    return this.#rows[(this.#starts[number - 1] as number) + place] as number;
  }

  #placeOfRow(row: number, firsts: readonly number[]): number {
    const mask = this.#table.length - 1;
    for (let place = this.#keys.hashOf(row) & mask; ; place = (place + 1) & mask) {
      const number = this.#table[place] as number;
      if (number === 0 || this.#keys.same(firsts[number - 1] as number, row)) return place;
    }
  }
}

/** A power of two with room for twice as many. */
function tableSize(rowCount: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(4, rowCount * 2)));
}

function startsOf(counts: readonly number[]): Int32Array {
  const starts = new Int32Array(counts.length + 1);
  for (let number = 0; number < counts.length; number += 1)
    starts[number + 1] = (starts[number] as number) + (counts[number] as number);
  return starts;
}

function sortedRows(numbers: Int32Array, starts: Int32Array, columns: OrderingColumns): Int32Array {
  const rows = new Int32Array(starts.at(-1) ?? 0);
  const next = starts.slice();
  for (let row = 0; row < numbers.length; row += 1) {
    const number = numbers[row] as number;
    if (number === 0) continue;
    rows[next[number - 1] as number] = row;
    next[number - 1] = (next[number - 1] as number) + 1;
  }
  for (let number = 1; number < starts.length; number += 1) {
    const [start, end] = [starts[number - 1] as number, starts[number] as number];
    if (end - start > 1) rows.subarray(start, end).sort((a, b) => compareRows(columns, a, columns, b));
  }
  return rows;
}

/** Negative if the left row wins over the right one of the same key, 0 if only their features can decide. */
export function compareRows(left: OrderingColumns, a: number, right: OrderingColumns, b: number): number {
  return (
    descending(longAt(left.eventTimestamp, a), longAt(right.eventTimestamp, b)) ||
    descending(longAt(left.created, a), longAt(right.created, b)) ||
    descending(longAt(left.sequenceNumber, a), longAt(right.sequenceNumber, b))
  );
}

/** A null loses. */
function descending(left: bigint | null, right: bigint | null): number {
  if (left === right) return 0;
  if (left === null) return 1;
  return right === null || left > right ? -1 : 1;
}

/** The 64-bit integer of a row. */
export function longAt(column: Column, row: number): bigint | null {
  if (isNull(column, row)) return null;
  return (column as { readonly values: BigInt64Array }).values[row] as bigint;
}

interface ComparableKeys {
  hashOf(row: number): number;
  same(left: number, right: number): boolean;
  isKey(row: number, key: LookupKey): boolean;
}

function comparableKeys(column: Column, rowCount: number): ComparableKeys {
  if (column.storage === 'plain') throw new TypeError('A nested value cannot be a key.');
  if (column.storage === 'bytes') return new ByteKeys(column.data, column.offsets);
  const { values } = column;
  const words = new Int32Array(values.buffer, values.byteOffset, values.byteLength / 4);
  return new WordKeys(words, rowCount === 0 ? 1 : words.length / rowCount);
}

class WordKeys implements ComparableKeys {
  readonly #words: Int32Array;
  readonly #width: number;

  constructor(words: Int32Array, width: number) {
    this.#words = words;
    this.#width = width;
  }

  hashOf(row: number): number {
    return hashWords(this.#words, row * this.#width, this.#width);
  }

  same(left: number, right: number): boolean {
    const width = this.#width;
    for (let word = 0; word < width; word += 1)
      if (this.#words[left * width + word] !== this.#words[right * width + word]) return false;
    return true;
  }

  isKey(row: number, { words }: LookupKey): boolean {
    const width = this.#width;
    if (words?.length !== width) return false;
    for (let word = 0; word < width; word += 1) if (this.#words[row * width + word] !== words[word]) return false;
    return true;
  }
}

class ByteKeys implements ComparableKeys {
  readonly #data: Buffer;
  readonly #offsets: Int32Array;

  constructor(data: Buffer, offsets: Int32Array) {
    this.#data = data;
    this.#offsets = offsets;
  }

  hashOf(row: number): number {
    return hashBytes(this.#data, this.#offsets[row] as number, this.#offsets[row + 1] as number);
  }

  same(left: number, right: number): boolean {
    const [start, end] = [this.#offsets[right] as number, this.#offsets[right + 1] as number];
    return this.#isAt(left, this.#data, start, end);
  }

  isKey(row: number, { bytes }: LookupKey): boolean {
    return bytes !== null && this.#isAt(row, bytes, 0, bytes.length);
  }

  #isAt(row: number, bytes: Buffer, start: number, end: number): boolean {
    const from = this.#offsets[row] as number;
    const length = (this.#offsets[row + 1] as number) - from;
    if (length !== end - start) return false;
    for (let at = 0; at < length; at += 1) if (this.#data[from + at] !== bytes[start + at]) return false;
    return true;
  }
}

function hashWords(words: Int32Array, start: number, width: number): number {
  let hash = width;
  for (let word = start; word < start + width; word += 1) hash = Math.imul(hash ^ (words[word] as number), 0x9e3779b1);
  return mixed(hash);
}

function hashBytes(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return mixed(hash);
}

/** The end of murmur3's mixing, so that the low bits depend on all others. */
function mixed(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
