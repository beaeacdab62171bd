import { describe, expect, it } from 'vitest';
import type { PrimitiveType, PrimitiveValue } from '../../../iceberg/index.js';
import { entityKeyValues, keyValue, keyValueOfText } from '../../../online/index.js';

const key = (kind: string, extra: object = {}) => [{ name: 'k', type: { kind, ...extra } as PrimitiveType }];
const read = (parts: ReturnType<typeof key>, value: unknown, asText = false) =>
  entityKeyValues(parts, new Map([['k', value]]), asText ? keyValueOfText : keyValue);

describe('join-key values of a request', () => {
  const accepted: readonly [ReturnType<typeof key>, unknown, PrimitiveValue][] = [
    [key('int'), 7, 7],
    [key('int'), 7n, 7],
    [key('long'), 7, 7n],
    [key('long'), 9_007_199_254_740_993n, 9_007_199_254_740_993n],
    [key('string'), '7', '7'],
    [key('boolean'), false, false],
    [key('date'), '1969-12-31', -1],
    [key('date'), -(2 ** 31), -(2 ** 31)],
    [key('time'), 86_399_999_999n, 86_399_999_999n],
    [key('timestamp'), -(2n ** 63n), -(2n ** 63n)],
    [key('decimal', { precision: 3, scale: 2 }), -999n, -999n],
    [key('timestamp'), '2001-01-01T00:00:00', 978_307_200_000_000n],
    [key('timestamptz'), '2001-01-01T01:00:00+01:00', 978_307_200_000_000n],
    [key('timestamptz'), new Date(1), 1000n],
    [key('uuid'), 'F79C3E09-677C-4BBD-A479-3F349CB785E7', 'f79c3e09-677c-4bbd-a479-3f349cb785e7'],
    [key('decimal', { precision: 9, scale: 2 }), '1.5', 150n],
    [key('binary'), '00ff', new Uint8Array([0, 255])],
  ];
  it.each(accepted)('accepts %j %s', (parts, value, expected) => {
    expect(read(parts, value)).toEqual([expected]);
  });

  const refused: readonly [ReturnType<typeof key>, unknown][] = [
    [key('int'), 2 ** 31],
    [key('int'), 1.5],
    [key('int'), '7'],
    [key('long'), 2 ** 53],
    [key('long'), Number.NaN],
    [key('long'), 2n ** 63n],
    [key('string'), 7],
    [key('boolean'), 'true'],
    [key('date'), '2001-02-30'],
    [key('date'), 2 ** 31],
    [key('date'), 0.5],
    [key('time'), 86_400_000_000n],
    [key('time'), -1n],
    [key('timestamp'), 2n ** 63n],
    [key('decimal', { precision: 3, scale: 2 }), 1000n],
    [key('decimal', { precision: 3, scale: 2 }), -1000n],
    [key('uuid'), 'not a uuid'],
    [key('timestamp'), 'yesterday'],
  ];
  it.each(refused)('refuses for %j the value %s', (parts, value) => {
    expect(() => read(parts, value)).toThrow(expect.objectContaining({ code: 'TYPE_MISMATCH' }));
  });

  it('parses numbers and booleans of a command line', () => {
    expect(read(key('long'), '-12', true)).toEqual([-12n]);
    expect(read(key('boolean'), 'true', true)).toEqual([true]);
    expect(() => read(key('long'), '1e3', true)).toThrow(expect.objectContaining({ code: 'TYPE_MISMATCH' }));
  });

  it('names the given key that is nearest to a missing one', () => {
    const parts = [{ name: 'driver_id', type: { kind: 'long' } as PrimitiveType }];
    const refusal = (...given: string[]) => {
      try {
        return entityKeyValues(parts, new Map(given.map((name) => [name, 1])));
      } catch (error) {
        return (error as Error).message;
      }
    };
    const missing = "An entity has no value for the join key 'driver_id' (it has: ";
    expect(refusal('zone', 'drivr_id', 'day')).toBe(
      `${missing}zone, drivr_id, day). Should 'drivr_id' be 'driver_id'?`,
    );
    expect(refusal('DRIVER_ID')).toBe(`${missing}DRIVER_ID). Should 'DRIVER_ID' be 'driver_id'?`);
    expect(refusal('zone')).toBe(`${missing}zone).`);
    expect(refusal()).toBe(`${missing}nothing).`);
  });

  it('matches nothing with a null, and names a missing key', () => {
    expect(read(key('long'), null)).toBeNull();
    expect(() => entityKeyValues(key('long'), new Map([['other', 1]]))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining("'k'") as string }),
    );
  });
});
