/** Snappy blocks by hand, from the format's description. */
import { describe, expect, it } from 'vitest';
import { decompressSnappy } from '../../../iceberg/avro/snappy.js';

const bytes = (...parts: readonly (number | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));
const read = (block: Uint8Array, maxBytes = 1000): string =>
  Buffer.from(decompressSnappy(block, maxBytes, () => new Error('too large'))).toString();

describe('Snappy blocks', () => {
  it.each<[string, Buffer, string]>([
    ['nothing', bytes(0), ''],
    ['a literal', bytes(3, 0x08, 'abc'), 'abc'],
    ['a literal whose length has a byte of its own', bytes(70, 60 << 2, 69, 'x'.repeat(70)), 'x'.repeat(70)],
    ['a literal whose length has two', bytes(0xac, 0x02, 61 << 2, 0x2b, 0x01, 'x'.repeat(300)), 'x'.repeat(300)],
    // Tag 01: length 4 to 11, an offset of eleven bits.
    ['a near copy that repeats itself', bytes(9, 0x08, 'abc', 0x01 | ((6 - 4) << 2), 3), 'abcabcabc'],
    ['a near copy of another place', bytes(8, 0x0c, 'abcd', 0x01, 4), 'abcdabcd'],
    ['a copy with two bytes of offset', bytes(6, 0x08, 'abc', 0x02 | (2 << 2), 3, 0), 'abcabc'],
    ['a copy with four', bytes(6, 0x08, 'abc', 0x03 | (2 << 2), 3, 0, 0, 0), 'abcabc'],
  ])('of %s', (_, block, text) => {
    expect(read(block)).toBe(text);
  });

  it('use the high bits of a near copy for its offset', () => {
    const far = bytes(0xb0, 0x02, 61 << 2, 0x2b, 0x01, 'ab', 'x'.repeat(298), 0x01 | (1 << 5), 300 - 256);
    expect(read(far)).toBe(`ab${'x'.repeat(298)}abxx`);
  });

  it.each<[string, Buffer]>([
    ['no bytes at all', bytes()],
    ['a length without end', bytes(0xff, 0xff, 0xff, 0xff, 0xff, 1)],
    ['too few literals', bytes(5, 0x10, 'abc')],
    ['more than it says', bytes(2, 0x08, 'abc')],
    ['less than it says', bytes(4, 0x08, 'abc')],
    ['a copy from before the start', bytes(7, 0x08, 'abc', 0x01, 4)],
    ['a copy of offset 0', bytes(7, 0x08, 'abc', 0x01, 0)],
    ['an offset that is cut off', bytes(6, 0x08, 'abc', 0x02 | (2 << 2), 3)],
    ['a claim that no Snappy can keep', bytes(0xff, 0xff, 0x01, 0x00, 'a')],
  ])('with %s are refused', (_, block) => {
    expect(() => read(block, 1e9)).toThrow('no Snappy');
  });

  it('beyond the limit are refused before memory is taken', () => {
    expect(() => read(bytes(0xff, 0xff, 0xff, 0xff, 0x07), 1000)).toThrow('too large');
  });
});
