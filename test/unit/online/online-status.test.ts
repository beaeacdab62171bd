import { describe, expect, it } from 'vitest';
import { onlineValue } from '../../../online/online-status.js';

const moment = { nowUs: 1000n, ttlUs: 100n, includeExpired: false };

describe('the status of an online value', () => {
  it('is present at exactly the ttl and outside the maximum age one microsecond later', () => {
    expect(onlineValue(1, 900n, moment)).toEqual({ status: 'PRESENT', value: 1, eventTimestampUs: 900n });
    expect(onlineValue(1, 899n, moment)).toEqual({ status: 'OUTSIDE_MAX_AGE', value: null, eventTimestampUs: 899n });
  });

  it('keeps an expired value only when asked for', () => {
    expect(onlineValue(1, 0n, { ...moment, includeExpired: true })).toEqual({
      status: 'OUTSIDE_MAX_AGE',
      value: 1,
      eventTimestampUs: 0n,
    });
  });

  it('says null of a null in the newest row', () => {
    expect(onlineValue(null, 950n, moment)).toEqual({ status: 'NULL_VALUE', value: null, eventTimestampUs: 950n });
  });

  it.each([null, 0n])('never expires with a ttl of %s', (ttlUs) => {
    expect(onlineValue(1, -5n, { ...moment, ttlUs }).status).toBe('PRESENT');
  });
});
