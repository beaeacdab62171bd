import { describe, expect, it } from 'vitest';
import {
  compareValues,
  deserializeValue,
  type JsonValue,
  type PrimitiveValue,
  parseType,
  serializeValue,
  valueFromJson,
  valueToJson,
} from '../../../iceberg/index.js';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** Type, value, binary form in hexadecimal (Appendix D, from Python's `struct`), JSON form (the examples of Appendix D where it has one). */
const VALUES: readonly (readonly [string, PrimitiveValue, string, JsonValue])[] = [
  ['boolean', true, '01', true],
  ['boolean', false, '00', false],
  ['int', 34, '22000000', 34],
  ['int', -2, 'feffffff', -2],
  ['long', 34n, '2200000000000000', 34n],
  ['long', -9223372036854775808n, '0000000000000080', -9223372036854775808n],
  ['float', 1, '0000803f', 1],
  ['double', -4.5, '00000000000012c0', -4.5],
  ['date', 17486, '4e440000', '2017-11-16'],
  ['date', -1, 'ffffffff', '1969-12-31'],
  ['time', 81068123456n, '406509e012000000', '22:31:08.123456'],
  ['timestamp', 1510871468123456n, '40a5282d215e0500', '2017-11-16T22:31:08.123456'],
  ['timestamptz', 1510871468123456n, '40a5282d215e0500', '2017-11-16T22:31:08.123456+00:00'],
  ['timestamp_ns', -1n, 'ffffffffffffffff', '1969-12-31T23:59:59.999999999'],
  ['timestamptz_ns', 1n, '0100000000000000', '1970-01-01T00:00:00.000000001+00:00'],
  ['string', 'é𝄞', 'c3a9f09d849e', 'é𝄞'],
  [
    'uuid',
    'f79c3e09-677c-4bbd-a479-3f349cb785e7',
    'f79c3e09677c4bbda4793f349cb785e7',
    'f79c3e09-677c-4bbd-a479-3f349cb785e7',
  ],
  ['fixed[4]', bytes('000102ff'), '000102ff', '000102ff'],
  ['binary', bytes(''), '', ''],
  ['decimal(9, 2)', 1420n, '058c', '14.20'],
  ['decimal(9, 2)', -1n, 'ff', '-0.01'],
  ['decimal(9, 2)', 128n, '0080', '1.28'],
  ['decimal(9, 2)', -128n, '80', '-1.28'],
  ['decimal(9, 2)', 0n, '00', '0.00'],
  ['decimal(9, -20)', 2n, '02', '2E+20'],
  ['decimal(38, 0)', 10n ** 37n, '0785ee10d5da46d900f436a000000000', '10000000000000000000000000000000000000'],
];

describe('single values', () => {
  it.each(VALUES)('%s %s', (typeText, value, binary, json) => {
    const type = parseType(typeText);
    expect(hex(serializeValue(type, value))).toBe(binary);
    expect(deserializeValue(type, bytes(binary))).toEqual(value);
    expect(valueToJson(type, value)).toEqual(json);
    expect(valueFromJson(type, json)).toEqual(value);
  });
  it.each([
    ['long', 'feffffff', -2n],
    ['double', '0000803f', 1],
    ['timestamp', 'ffffffff', -86_400_000_000n],
    ['timestamp_ns', '01000000', 86_400_000_000_000n],
    ['decimal(9, 2)', '0000058c', 1420n],
  ])('written before a promotion to %s: %s', (type, binary, expected) => {
    expect(deserializeValue(parseType(type), bytes(binary))).toBe(expected);
  });
  it.each([
    ['int', '0000000000000000'],
    ['long', '00'],
    ['time', '00000000'],
    ['boolean', ''],
    ['uuid', '00'],
    ['decimal(9, 2)', ''],
    ['string', 'ff'],
  ])('%s of bytes %s is corrupt', (type, binary) => {
    expect(() => deserializeValue(parseType(type), bytes(binary))).toThrow(
      expect.objectContaining({ code: 'MANIFEST_CORRUPT' }) as Error,
    );
  });
  it.each([
    ['int', 2147483648],
    ['int', 1.5],
    ['int', '1'],
    ['long', 9223372036854775808n],
    ['boolean', 1],
    ['date', '2017-02-30'],
    ['date', '2017-13-01'],
    ['time', '24:00:00'],
    ['timestamp', '2017-11-16T22:31:08+00:00'],
    ['timestamptz', '2017-11-16T22:31:08'],
    ['timestamp', '2017-11-16T22:31:08.1234567'],
    ['decimal(9, 2)', '1.234'],
    ['uuid', 'f79c3e09'],
    ['fixed[2]', '00'],
    ['binary', '0g'],
    ['string', null],
  ] as const)('%s is not %s', (type, json) => {
    expect(() => valueFromJson(parseType(type), json)).toThrow(
      expect.objectContaining({ code: 'TYPE_MISMATCH' }) as Error,
    );
  });
  it('a time with an offset is moved to UTC', () => {
    expect(valueFromJson(parseType('timestamptz'), '2017-11-16T14:31:08.123456-08:00')).toBe(1510871468123456n);
  });
});

describe('order', () => {
  it.each([
    ['double', Number.NaN, Number.POSITIVE_INFINITY, 1],
    ['double', Number.NaN, Number.NaN, 0],
    ['float', -0, 0, 0],
    ['float', Number.NEGATIVE_INFINITY, -1, -1],
    ['string', '\uffff', '𝄞', -1],
    ['string', 'a', 'aa', -1],
    ['string', 'é', 'z', 1],
    ['boolean', false, true, -1],
    ['uuid', 'ffffffff-0000-0000-0000-000000000000', '0fffffff-0000-0000-0000-000000000000', 1],
    ['binary', bytes('7f'), bytes('80'), -1],
    ['binary', bytes('80'), bytes('8000'), -1],
    ['decimal(9, 2)', -10n, 9n, -1],
    ['long', 9007199254740993n, 9007199254740992n, 1],
  ] as const)('%s: %s and %s', (type, a, b, expected) => {
    expect(Math.sign(compareValues(parseType(type), a, b))).toBe(expected);
    expect(Math.sign(compareValues(parseType(type), b, a))).toBe(expected === 0 ? 0 : -expected);
  });
});
