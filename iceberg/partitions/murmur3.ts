/** The hash behind bucket partitions: 32-bit Murmur3, x86 variant, seed 0. Source: Apache Iceberg specification, Appendix B. */
import { MoraineError } from '../../errors/index.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveValue } from '../schema/types.js';
import { floorDivide } from '../values/calendar.js';
import { bigintToBytes, uuidToBytes } from '../values/single-value.js';

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** Murmur3 of a byte string, as a signed 32-bit integer. */
export function murmur3(bytes: Uint8Array, length = bytes.length): number {
  let hash = 0;
  const wholeWords = length - (length % 4);
  for (let i = 0; i < wholeWords; i += 4) {
    hash = mixWord(
      hash,
      byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16) | (byteAt(bytes, i + 3) << 24),
    );
  }
  let tail = 0;
  for (let i = length - 1; i >= wholeWords; i--) tail = (tail << 8) | byteAt(bytes, i);
  if (wholeWords < length) hash ^= scramble(tail);
  return finish(hash, length);
}

/** Murmur3 of a 64-bit integer's eight little-endian bytes: how all integers, dates and times are hashed. */
export function murmur3Long(value: bigint): number {
  scratchLong[0] = value;
  return finish(mixWord(mixWord(0, scratchView.getInt32(0, true)), scratchView.getInt32(4, true)), 8);
}

/**
 * The hash of a value, as a signed 32-bit integer; a bucket is `(hash & 0x7fffffff) % numBuckets`.
 * Defined for booleans and floating-point numbers too, though these cannot be bucketed.
 */
export function bucketHash(type: IcebergType, value: PrimitiveValue): number {
  switch (type.kind) {
    case 'boolean':
      return murmur3Long(value === true ? 1n : 0n);
    case 'int':
    case 'date':
      return murmur3Int(value as number);
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return murmur3Long(value as bigint);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return murmur3Long(floorDivide(value as bigint, 1000n));
    case 'float':
    case 'double':
      scratchDouble[0] = value === 0 ? 0 : (value as number);
      return murmur3Long(scratchLong[0] as bigint);
    case 'string':
      return murmur3String(value as string);
    case 'uuid':
      return murmur3(uuidToBytes(value as string));
    case 'fixed':
    case 'binary':
      return murmur3(value as Uint8Array);
    case 'decimal':
      return murmur3(bigintToBytes(value as bigint));
    default:
      throw new MoraineError('TYPE_MISMATCH', `Values of type ${typeToString(type)} have no hash.`);
  }
}

function murmur3Int(value: number): number {
  return finish(mixWord(mixWord(0, value), value < 0 ? -1 : 0), 8);
}

const encoder = new TextEncoder();
const SCRATCH_BYTES = 1024;
const scratchText = new Uint8Array(SCRATCH_BYTES);
const scratchBytes = new ArrayBuffer(8);
const scratchView = new DataView(scratchBytes);
const scratchLong = new BigInt64Array(scratchBytes);
const scratchDouble = new Float64Array(scratchBytes);

function murmur3String(text: string): number {
  // A UTF-16 unit takes at most three bytes in UTF-8.
  if (text.length * 3 > SCRATCH_BYTES) return murmur3(encoder.encode(text));
  return murmur3(scratchText, encoder.encodeInto(text, scratchText).written);
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function scramble(word: number): number {
  const product = Math.imul(word, C1);
  return Math.imul((product << 15) | (product >>> 17), C2);
}

function mixWord(hash: number, word: number): number {
  const mixed = hash ^ scramble(word);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, length: number): number {
  let result = hash ^ length;
  result = Math.imul(result ^ (result >>> 16), 0x85ebca6b);
  result = Math.imul(result ^ (result >>> 13), 0xc2b2ae35);
  return result ^ (result >>> 16);
}
