import { describe, expect, it } from 'vitest';
import {
  applyTransform,
  bucketHash,
  canTransform,
  type IcebergType,
  type PrimitiveValue,
  parseTransform,
  parseType,
  transformResultType,
  transformToString,
  valueFromJson,
} from '../../../iceberg/index.js';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const apply = (transform: string, type: string, value: PrimitiveValue | null): PrimitiveValue | null =>
  applyTransform(parseTransform(transform), parseType(type), value);
const at = (type: string, text: string): PrimitiveValue => valueFromJson(parseType(type), text);

describe('bucket hash: the vectors of Appendix B', () => {
  const vectors: readonly (readonly [string, PrimitiveValue, number])[] = [
    ['boolean', true, 1392991556],
    ['int', 1, 1392991556],
    ['float', 1, -142385009],
    ['double', 1, -142385009],
    ['float', 0, 1669671676],
    ['double', -0, 1669671676],
    ['int', 34, 2017239379],
    ['long', 34n, 2017239379],
    ['decimal(9, 2)', 1420n, -500754589],
    ['date', at('date', '2017-11-16'), -653330422],
    ['time', at('time', '22:31:08'), -662762989],
    ['timestamp', at('timestamp', '2017-11-16T22:31:08'), -2047944441],
    ['timestamp', at('timestamp', '2017-11-16T22:31:08.000001'), -1207196810],
    ['timestamptz', at('timestamptz', '2017-11-16T14:31:08-08:00'), -2047944441],
    ['timestamptz', at('timestamptz', '2017-11-16T14:31:08.000001-08:00'), -1207196810],
    ['timestamp_ns', at('timestamp_ns', '2017-11-16T22:31:08'), -2047944441],
    ['timestamp_ns', at('timestamp_ns', '2017-11-16T22:31:08.000001001'), -1207196810],
    ['timestamptz_ns', at('timestamptz_ns', '2017-11-16T14:31:08.000001001-08:00'), -1207196810],
    ['string', 'iceberg', 1210000089],
    ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 1488055340],
    ['fixed[4]', bytes('00010203'), -188683207],
    ['binary', bytes('00010203'), -188683207],
  ];
  it.each(vectors)('%s %s -> %i', (type, value, hash) => {
    expect(bucketHash(parseType(type), value)).toBe(hash);
  });
});

describe('bucket', () => {
  it('is the non-negative hash modulo the number of buckets', () => {
    // -653330422 & 0x7fffffff = 1494153226
    expect(apply('bucket[16]', 'date', 17486)).toBe(1494153226 % 16);
    expect(apply('bucket[16]', 'int', 34)).toBe(2017239379 % 16);
  });
  it('is the same for a negative int and the same long', () => {
    for (const value of [-1, -34, -2147483648]) {
      expect(apply('bucket[1000]', 'int', value)).toBe(apply('bucket[1000]', 'long', BigInt(value)));
    }
  });
  it('hashes a text longer than the scratch space the same as its bytes', () => {
    const text = 'é𝄞x'.repeat(400);
    expect(bucketHash({ kind: 'string' }, text)).toBe(
      bucketHash({ kind: 'binary' }, new Uint8Array(Buffer.from(text))),
    );
  });
});

describe('truncate: the examples of the specification', () => {
  it.each([
    ['truncate[10]', 'int', 1, 0],
    ['truncate[10]', 'int', -1, -10],
    ['truncate[10]', 'long', 1n, 0n],
    ['truncate[10]', 'long', -1n, -10n],
    ['truncate[50]', 'decimal(9, 2)', 1065n, 1050n],
    ['truncate[3]', 'string', 'iceberg', 'ice'],
    ['truncate[10]', 'string', 'iceberg', 'iceberg'],
  ] as const)('%s of %s %s is %s', (transform, type, value, expected) => {
    expect(apply(transform, type, value)).toBe(expected);
  });
  it('rounds negative decimals down', () => {
    expect(apply('truncate[10]', 'decimal(9, 2)', -5n)).toBe(-10n);
  });
  it('counts code points and never splits a surrogate pair', () => {
    expect(apply('truncate[2]', 'string', 'a𝄞b')).toBe('a𝄞');
  });
  it('takes the first bytes of binary', () => {
    expect(apply('truncate[2]', 'binary', bytes('010203'))).toEqual(bytes('0102'));
  });
});

describe('years, months, days and hours', () => {
  it.each([
    ['year', 'date', '2017-11-16', 47],
    ['month', 'date', '2017-11-16', 574],
    ['day', 'date', '2017-11-16', 17486],
    ['year', 'timestamp', '2017-11-16T22:31:08', 47],
    ['month', 'timestamp', '2017-11-16T22:31:08', 574],
    ['day', 'timestamp', '2017-11-16T22:31:08', 17486],
    ['hour', 'timestamp', '2017-11-16T22:31:08', 419686],
    ['hour', 'timestamp_ns', '2017-11-16T22:31:08.000000001', 419686],
    ['year', 'date', '1969-12-31', -1],
    ['month', 'date', '1969-12-31', -1],
    ['month', 'date', '1969-01-01', -12],
    ['day', 'date', '1969-12-31', -1],
    ['year', 'timestamp', '1969-12-31T23:59:59.999999', -1],
    ['month', 'timestamptz', '1969-12-31T23:59:59.999999+00:00', -1],
    ['day', 'timestamp_ns', '1969-12-31T23:59:59.999999999', -1],
    ['hour', 'timestamp', '1969-12-31T23:59:59.999999', -1],
    ['hour', 'timestamp', '1969-12-31T22:59:59.999999', -2],
    ['year', 'date', '0000-02-29', -1970],
    ['year', 'date', '1600-01-01', -370],
  ] as const)('%s of %s %s is %i', (transform, type, text, expected) => {
    expect(apply(transform, type, at(type, text))).toBe(expected);
  });
  it('reach beyond the dates that JavaScript knows', () => {
    expect(apply('year', 'date', 2147483647)).toBe(5881580 - 1970);
    expect(apply('year', 'date', -2147483648)).toBe(-5877641 - 1970);
  });
});

describe('other transforms', () => {
  it('give null for null, and void gives null for everything', () => {
    expect(apply('bucket[4]', 'string', null)).toBeNull();
    expect(apply('void', 'string', 'x')).toBeNull();
  });
  it('keep an unknown transform as written and refuse to apply it', () => {
    const transform = parseTransform('zorder[3]');
    expect(transformToString(transform)).toBe('zorder[3]');
    expect(() => applyTransform(transform, { kind: 'int' }, 1)).toThrow(/zorder\[3\]/);
  });
  it.each(['bucket[0]', 'truncate[0]', 'bucket[2147483648]'])('refuse %s', (text) => {
    expect(() => parseTransform(text)).toThrow(expect.objectContaining({ code: 'SCHEMA_INVALID' }));
  });
  it.each([
    ['bucket[4]', 'double', false],
    ['bucket[4]', 'boolean', false],
    ['bucket[4]', 'time', true],
    ['truncate[4]', 'fixed[4]', false],
    ['truncate[4]', 'binary', true],
    ['hour', 'date', false],
    ['month', 'timestamptz_ns', true],
    ['year', 'string', false],
    ['identity', 'uuid', true],
    ['void', 'double', true],
  ])('%s on %s is allowed: %s', (transform, type, allowed) => {
    expect(canTransform(parseTransform(transform), parseType(type))).toBe(allowed);
  });
  it('have the result types of the specification', () => {
    const result = (transform: string, type: string): IcebergType =>
      transformResultType(parseTransform(transform), parseType(type));
    expect(result('day', 'timestamp')).toEqual({ kind: 'date' });
    expect(result('month', 'timestamp')).toEqual({ kind: 'int' });
    expect(result('bucket[4]', 'string')).toEqual({ kind: 'int' });
    expect(result('truncate[4]', 'string')).toEqual({ kind: 'string' });
    expect(result('identity', 'decimal(9, 2)')).toEqual({ kind: 'decimal', precision: 9, scale: 2 });
  });
});
