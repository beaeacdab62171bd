/**
 * Sets of row positions as Roaring bitmaps, in the portable 64-bit form.
 * Source: RoaringFormatSpec, "General layout" and "Extension for 64-bit implementations".
 */
import { MoraineError } from '../../errors/index.js';

const COOKIE_WITHOUT_RUNS = 12346;
const COOKIE_WITH_RUNS = 12347;
/** Bitmaps with runs write offsets only from this many containers on. */
const OFFSETS_FROM_CONTAINERS = 4;
const CONTAINER_VALUES = 65_536;
const BITMAP_BYTES = CONTAINER_VALUES / 8;
const MAX_ARRAY_VALUES = 4096;
/** The highest bit of a position must be 0. */
const MAX_KEY = 0x7fff_ffff;

/** The positions that share all but their lowest 16 bits. */
export interface PositionContainer {
  /** The offset of each value; a multiple of 65,536. */
  readonly base: bigint;
  /** The lowest 16 bits of the positions, ascending, each once. */
  readonly values: Uint16Array;
}

function corrupt(reason: string): MoraineError {
  return new MoraineError('DELETE_FILE_CORRUPT', `It is not a Roaring bitmap: ${reason}.`);
}

/** Reads little-endian numbers, never past the end. */
class Cursor {
  position = 0;
  readonly #view: DataView;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Steps over the next bytes and returns where they begin. */
  skip(length: number): number {
    const start = this.position;
    if (length > this.bytes.length - start) throw corrupt(`it ends after ${this.bytes.length} bytes`);
    this.position += length;
    return start;
  }

  uint16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.skip(8), true);
  }
}

/**
 * Reads a bitmap one container at a time, in ascending order; nothing but the container at hand is expanded.
 * @throws MoraineError `DELETE_FILE_CORRUPT` where the bytes stop being a bitmap, also when some are left over
 */
export function* decodePositions(bytes: Uint8Array): Generator<PositionContainer> {
  const cursor = new Cursor(bytes);
  const bitmaps = cursor.uint64();
  // Each takes twelve bytes at least: an impossible count ends in an error before long.
  for (let index = 0n, previous = -1; index < bitmaps; index++) {
    const key = cursor.uint32();
    if (key > MAX_KEY) throw corrupt('a position is negative');
    if (key <= previous) throw corrupt('its keys do not ascend');
    previous = key;
    yield* decodeBitmap32(cursor, BigInt(key) << 32n);
  }
  if (cursor.position !== bytes.length) throw corrupt(`${bytes.length - cursor.position} bytes are left over`);
}

interface ContainerHeader {
  readonly key: number;
  readonly cardinality: number;
  readonly isRun: boolean;
}

function* decodeBitmap32(cursor: Cursor, base: bigint): Generator<PositionContainer> {
  for (const { key, cardinality, isRun } of readHeaders(cursor)) {
    const values = isRun
      ? readRuns(cursor, cardinality)
      : cardinality > MAX_ARRAY_VALUES
        ? readBits(cursor, cardinality)
        : readArray(cursor, cardinality);
    yield { base: base + BigInt(key * CONTAINER_VALUES), values };
  }
}

function readHeaders(cursor: Cursor): readonly ContainerHeader[] {
  const cookie = cursor.uint32();
  const hasRuns = (cookie & 0xffff) === COOKIE_WITH_RUNS;
  if (!hasRuns && cookie !== COOKIE_WITHOUT_RUNS) throw corrupt(`its cookie is ${cookie}`);
  const count = hasRuns ? (cookie >>> 16) + 1 : cursor.uint32();
  if (count > CONTAINER_VALUES) throw corrupt(`it claims ${count} containers`);
  const flags = hasRuns ? cursor.skip(Math.ceil(count / 8)) : 0;
  const headers: ContainerHeader[] = [];
  for (let index = 0, previous = -1; index < count; index++) {
    const key = cursor.uint16();
    if (key <= previous) throw corrupt('its containers do not ascend');
    previous = key;
    const isRun = hasRuns && (((cursor.bytes[flags + (index >> 3)] ?? 0) >> (index & 7)) & 1) === 1;
    headers.push({ key, cardinality: cursor.uint16() + 1, isRun });
  }
  // Containers follow each other in order, so that their offsets are not needed.
  if (!hasRuns || count >= OFFSETS_FROM_CONTAINERS) cursor.skip(4 * count);
  return headers;
}

function readArray(cursor: Cursor, cardinality: number): Uint16Array {
  const values = new Uint16Array(cardinality);
  for (let index = 0, previous = -1; index < cardinality; index++) {
    const value = cursor.uint16();
    if (value <= previous) throw corrupt('the values of a container do not ascend');
    values[index] = value;
    previous = value;
  }
  return values;
}

function readBits(cursor: Cursor, cardinality: number): Uint16Array {
  const start = cursor.skip(BITMAP_BYTES);
  const values = new Uint16Array(cardinality);
  let found = 0;
  for (let index = 0; index < BITMAP_BYTES; index++) {
    for (let bits = cursor.bytes[start + index] as number; bits !== 0; bits &= bits - 1) {
      const bit = 31 - Math.clz32(bits & -bits);
      if (found < cardinality) values[found] = index * 8 + bit;
      found++;
    }
  }
  if (found !== cardinality) throw corrupt(`a container of ${cardinality} values has ${found}`);
  return values;
}

function readRuns(cursor: Cursor, cardinality: number): Uint16Array {
  const values = new Uint16Array(cardinality);
  const runs = cursor.uint16();
  let found = 0;
  for (let run = 0, next = 0; run < runs; run++) {
    const first = cursor.uint16();
    const last = first + cursor.uint16();
    if (first < next || last >= CONTAINER_VALUES) throw corrupt('the runs of a container overlap');
    if (found + last - first + 1 > cardinality) throw corrupt(`a container has more than its ${cardinality} values`);
    for (let value = first; value <= last; value++) values[found++] = value;
    next = last + 1;
  }
  if (found !== cardinality) throw corrupt(`a container of ${cardinality} values has ${found}`);
  return values;
}

/**
 * The portable form of a set of positions, given in any order and as often as one likes. Each container takes the form that
 * is smallest.
 * @throws MoraineError `INVALID_ARGUMENT` for a negative position
 */
export function encodePositions(positions: Iterable<bigint>): Uint8Array {
  const sorted = BigUint64Array.from(checked(positions)).sort();
  const bitmaps: Uint8Array[] = [];
  for (let start = 0; start < sorted.length; ) {
    const key = (sorted[start] as bigint) >> 32n;
    const end = firstFrom(sorted, start, (key + 1n) << 32n);
    bitmaps.push(encodeBitmap32(Number(key), sorted.subarray(start, end)));
    start = end;
  }
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(bitmaps.length));
  return Buffer.concat([count, ...bitmaps]);
}

function* checked(positions: Iterable<bigint>): Generator<bigint> {
  for (const position of positions) {
    if (position < 0n || position >> 63n !== 0n)
      throw new MoraineError('INVALID_ARGUMENT', `${position} is not the position of a row.`);
    yield position;
  }
}

/** The index of the first position that is not below `limit`. */
function firstFrom(sorted: BigUint64Array, start: number, limit: bigint): number {
  let end = start;
  while (end < sorted.length && (sorted[end] as bigint) < limit) end++;
  return end;
}

interface EncodedContainer {
  readonly key: number;
  readonly cardinality: number;
  readonly isRun: boolean;
  readonly data: Buffer;
}

function encodeBitmap32(key: number, positions: BigUint64Array): Buffer {
  const containers: EncodedContainer[] = [];
  for (let start = 0; start < positions.length; ) {
    const high = (positions[start] as bigint) >> 16n;
    const end = firstFrom(positions, start, (high + 1n) << 16n);
    const values = [...new Set(Array.from(positions.subarray(start, end), (value) => Number(value & 0xffffn)))];
    containers.push(encodeContainer(Number(high & 0xffffn), values));
    start = end;
  }
  const header = Buffer.alloc(4);
  header.writeUInt32LE(key);
  return Buffer.concat([header, ...headerOf(containers), ...containers.map(({ data }) => data)]);
}

function headerOf(containers: readonly EncodedContainer[]): readonly Buffer[] {
  const count = containers.length;
  const hasRuns = containers.some(({ isRun }) => isRun);
  const cookie = Buffer.alloc(hasRuns ? 4 : 8);
  if (hasRuns) cookie.writeUInt32LE(((count - 1) * 65_536 + COOKIE_WITH_RUNS) >>> 0);
  else {
    cookie.writeUInt32LE(COOKIE_WITHOUT_RUNS);
    cookie.writeUInt32LE(count, 4);
  }
  const flags = Buffer.alloc(hasRuns ? Math.ceil(count / 8) : 0);
  const keys = Buffer.alloc(4 * count);
  const offsets = Buffer.alloc(!hasRuns || count >= OFFSETS_FROM_CONTAINERS ? 4 * count : 0);
  let offset = cookie.length + flags.length + keys.length + offsets.length;
  for (const [index, { key, cardinality, isRun, data }] of containers.entries()) {
    if (isRun) flags[index >> 3] = (flags[index >> 3] ?? 0) | (1 << (index & 7));
    keys.writeUInt16LE(key, 4 * index);
    keys.writeUInt16LE(cardinality - 1, 4 * index + 2);
    if (offsets.length > 0) offsets.writeUInt32LE(offset, 4 * index);
    offset += data.length;
  }
  return [cookie, flags, keys, offsets];
}

function encodeContainer(key: number, values: readonly number[]): EncodedContainer {
  const runs = runsOf(values);
  const cardinality = values.length;
  const plainBytes = cardinality > MAX_ARRAY_VALUES ? BITMAP_BYTES : 2 * cardinality;
  if (2 + 4 * runs.length < plainBytes) {
    return {
      key,
      cardinality,
      isRun: true,
      data: uint16s([runs.length, ...runs.flatMap(([first, last]) => [first, last - first])]),
    };
  }
  const data = cardinality > MAX_ARRAY_VALUES ? bitsOf(values) : uint16s(values);
  return { key, cardinality, isRun: false, data };
}

function runsOf(values: readonly number[]): readonly (readonly [first: number, last: number])[] {
  const runs: [number, number][] = [];
  for (const value of values) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === value - 1) last[1] = value;
    else runs.push([value, value]);
  }
  return runs;
}

function bitsOf(values: readonly number[]): Buffer {
  const bits = Buffer.alloc(BITMAP_BYTES);
  for (const value of values) bits[value >> 3] = (bits[value >> 3] ?? 0) | (1 << (value & 7));
  return bits;
}

function uint16s(values: readonly number[]): Buffer {
  const data = Buffer.alloc(2 * values.length);
  for (let index = 0; index < values.length; index++) data.writeUInt16LE(values[index] as number, 2 * index);
  return data;
}
