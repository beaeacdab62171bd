import { describe, expect, it } from 'vitest';
import { type JsonValue, jsonObject, parseJson, stringifyJson } from '../../../iceberg/index.js';

describe('JSON', () => {
  it.each<readonly [string, JsonValue]>([
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9223372036854775808', -9223372036854775808n],
    ['[9223372036854775807 , 18446744073709551616]', [9223372036854775807n, 18446744073709551616n]],
    ['{"a": 9007199254740993\n}', { a: 9007199254740993n }],
    ['"9007199254740993"', '9007199254740993'],
    ['{"9007199254740993":"\\":9007199254740993,"}', { '9007199254740993': '":9007199254740993,' }],
    ['["\\\\",9007199254740993,"\\\\\\""]', ['\\', 9007199254740993n, '\\"']],
    ['1.2345678901234567890', 1.2345678901234567],
    ['1e16', 1e16],
    ['12345678901234567e0', 12345678901234567],
    ['["\\u00019007199254740993",9007199254740993]', ['\u00019007199254740993', 9007199254740993n]],
    ['["\\u0001\\u0001x",9007199254740993]', ['\u0001\u0001x', 9007199254740993n]],
    ['{}', {}],
    ['[]', []],
    ['null', null],
  ])('%s', (text, expected) => {
    expect(parseJson(text)).toEqual(expected);
  });

  it.each(['', '{', '"', '"\\"', '01', '[1,]', '9007199254740993 9007199254740993', '[90071992547409939007x]'])(
    'refuses %s',
    (text) => {
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: 'INPUT_UNREADABLE' }) as Error);
    },
  );

  it('keeps __proto__ an ordinary key, a long integer in it too', () => {
    const text = '{"__proto__":{"__proto__":9007199254740993,"a":1},"constructor":9007199254740993}';
    expect(stringifyJson(parseJson(text))).toBe(text);
    expect(Object.getPrototypeOf(parseJson(text))).toBe(Object.prototype);
    expect(stringifyJson(parseJson('{"__proto__":9007199254740993}'))).toBe('{"__proto__":9007199254740993}');
  });

  it('leaves members without a value out', () => {
    expect(
      stringifyJson(
        jsonObject([
          ['a', undefined],
          ['b', null],
          ['__proto__', 1],
        ]),
      ),
    ).toBe('{"b":null,"__proto__":1}');
  });

  it('refuses numbers that JSON has not', () => {
    expect(() => stringifyJson([Number.NaN])).toThrow(/NaN/);
  });
});
