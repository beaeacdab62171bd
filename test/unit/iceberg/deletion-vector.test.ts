/** Bitmaps serialized by pyroaring 1.2.0 (`BitMap64.serialize`, after `run_optimize` where runs are meant). */
import { crc32, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { decodePositions, encodePositions } from '../../../iceberg/deletes/roaring-bitmap.js';
import { decodeDeletionVector, encodeDeletionVector } from '../../../iceberg/index.js';
import { codeOf } from '../../support/error-code.js';

const unpacked = (base64: string): Buffer => gunzipSync(Buffer.from(base64, 'base64'));
const range = (start: number, end: number, step = 1): bigint[] =>
  Array.from({ length: Math.ceil((end - start) / step) }, (_, index) => BigInt(start + index * step));

const VECTORS: readonly (readonly [name: string, bytes: Buffer, positions: readonly bigint[]])[] = [
  ['nothing', Buffer.from('0000000000000000', 'hex'), []],
  [
    'arrays under three keys',
    Buffer.from(
      '0300000000000000000000003a300000030000000000020001000000ffff000020000000260000002800000000000500ffff0000ffff' +
        '010000003a3000000100000000000000100000000000020000003a3000000100000000000000100000000700',
      'hex',
    ),
    [0n, 5n, 65_535n, 65_536n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 33n + 7n],
  ],
  [
    'a bitmap of every second position',
    unpacked('H4sIAAAAAAACA+3GMQ0AIAwAwdYBUpjxgR6kF8KCBpK74fMZz+gRea9WO50AAAAAAAAAwPc27u/eZxwgAAA='),
    range(0, 65_536, 2),
  ],
  ['one run', Buffer.from('0100000000000000000000003b30000001000055ea01000a0055ea', 'hex'), range(10, 60_000)],
  ['a full run', Buffer.from('0100000000000000000000003b300000010000ffff01000000ffff', 'hex'), range(0, 65_536)],
  [
    'runs, a bitmap and an array',
    unpacked(
      'H4sIAAAAAAACA+3awQmAQAxE0ckuIp5twIunRfBuHVZgMZYdk73Yg/4HQ2BICVP0OvaqSbpkuucSxSD3NW7LLNIWMeXHCQCfJQAAAAAAAAAAAOA3at8BuI/K2UBfBTTLqtkDLhyMJlIgAAA=',
    ),
    [
      ...range(0, 100),
      ...range(65_536, 75_536, 2),
      131_075n,
      ...range(5 * 65_536, 6 * 65_536),
      ...range(7 * 2 ** 32, 7 * 2 ** 32 + 300),
    ],
  ],
  [
    'the highest position',
    Buffer.from('0100000000000000ffffff7f3a30000001000000ffff000010000000ffff', 'hex'),
    [2n ** 63n - 1n],
  ],
];

const positionsIn = (containers: ReturnType<typeof decodePositions>): bigint[] =>
  [...containers].flatMap(({ base, values }) => Array.from(values, (value) => base + BigInt(value)));

describe('Roaring bitmaps', () => {
  test.each(VECTORS)('%s: read and written as CRoaring does', (_name, bytes, positions) => {
    expect(positionsIn(decodePositions(bytes))).toEqual(positions);
    expect(Buffer.from(encodePositions(positions)).equals(bytes)).toBe(true);
  });

  it('writes a set: order and repetition do not matter', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(0n, 2n ** 20n)), (positions) => {
        const sorted = [...new Set(positions)].sort((a, b) => (a < b ? -1 : 1));
        expect(positionsIn(decodePositions(encodePositions(positions)))).toEqual(sorted);
      }),
      { numRuns: 200 },
    );
    expect(codeOf(() => encodePositions([-1n]))).toBe('INVALID_ARGUMENT');
  });

  test.each([
    ['a key beyond 2^31', '0100000000000000000000803a3000000100000000000000100000000000'],
    ['a cut header', '0100000000000000000000003b3000000100'],
    ['a count without bitmaps', '0200000000000000'],
    ['an unknown cookie', '010000000000000000000000393000000100000000000000100000000000'],
    ['bytes left over', '000000000000000000'],
    ['a run past the end of its container', '0100000000000000000000003b300000010000ffff01000100ffff'],
    ['a run longer than the cardinality', '0100000000000000000000003b30000001000055ea01000a0056ea'],
    ['a run shorter than the cardinality', '0100000000000000000000003b30000001000055ea01000a0054ea'],
    ['an array that does not ascend', '0100000000000000000000003a300000010000000100100000000500' + '0500'],
    ['keys that do not ascend', `0200000000000000${'000000003a3000000100000000000000100000000700'.repeat(2)}`],
  ])('%s is refused', (_name, hex) => {
    expect(codeOf(() => positionsIn(decodePositions(Buffer.from(hex, 'hex'))))).toBe('DELETE_FILE_CORRUPT');
  });

  it('a bitmap container with another number of bits than it says is refused', () => {
    const bytes = Buffer.from(VECTORS[2]?.[1] ?? []);
    bytes[bytes.length - 1] = 0;
    expect(codeOf(() => positionsIn(decodePositions(bytes)))).toBe('DELETE_FILE_CORRUPT');
  });
});

describe('deletion vectors', () => {
  /** Assembled as the Puffin specification says, around pyroaring's bytes of {10..59999}. */
  const bitmap = Buffer.from('0100000000000000000000003b30000001000055ea01000a0055ea', 'hex');
  const checked = Buffer.concat([Buffer.from('d1d33964', 'hex'), bitmap]);
  const uint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const blob = Buffer.concat([uint32(31), checked, uint32(crc32(checked))]);
  const changed = (position: number): Buffer => {
    const copy = Buffer.from(blob);
    copy[position] = (copy[position] ?? 0) ^ 1;
    return copy;
  };

  it('is read and written with length, magic and checksum', () => {
    expect(positionsIn(decodeDeletionVector(blob, 59_990n))).toEqual(range(10, 60_000));
    expect(Buffer.from(encodeDeletionVector(range(10, 60_000))).equals(blob)).toBe(true);
  });

  // Lengths, magic and layout as specified; checksums by Python's zlib.crc32.
  test.each([
    ['nothing', [], '0000000cd1d339640000000000000000bf18480c'],
    [
      'odd positions',
      [1n, 3n, 5n, 7n, 9n],
      '0000002ad1d339640100000000000000000000003a30000001000000000004001000000001000300050007000900b3fb20be',
    ],
  ])('%s has exactly the specified bytes', (_name, positions, hex) => {
    expect(Buffer.from(encodeDeletionVector(positions)).toString('hex')).toBe(hex);
  });

  test.each([
    ['another cardinality than the manifest', blob, 59_991n],
    ['a wrong length', changed(3), 59_990n],
    ['a wrong magic', changed(4), 59_990n],
    ['a changed bitmap', changed(30), 59_990n],
    ['a changed checksum', changed(blob.length - 1), 59_990n],
    ['a cut blob', blob.subarray(0, -1), 59_990n],
    ['nothing', Buffer.alloc(0), 59_990n],
  ])('%s is refused', (_name, bytes, cardinality) => {
    expect(codeOf(() => positionsIn(decodeDeletionVector(bytes, cardinality)))).toBe('DELETE_FILE_CORRUPT');
  });
});
