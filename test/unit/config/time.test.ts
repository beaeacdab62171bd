import { describe, expect, it } from 'vitest';
import { formatTimeUs, parseTimeUs } from '../../../config/index.js';
import { isMoraineError } from '../../../errors/index.js';

describe('times of the command line', () => {
  it.each([
    ['1970-01-01', 0n],
    ['1970-01-01T00:00', 0n],
    ['1970-01-01 00:00:01', 1_000_000n],
    ['1970-01-01T00:00:00.000001Z', 1n],
    ['1970-01-01T00:00:00.1', 100_000n],
    ['1970-01-01T00:00:00,123456z', 123_456n],
    ['1970-01-01T00:00:00.123456000', 123_456n],
    ['1970-01-01T01:00:00+01:00', 0n],
    ['1969-12-31T18:30:00-0530', 0n],
    ['1970-01-01T02:00:00+02', 0n],
    ['1969-12-31T23:59:59.999999Z', -1n],
    // `date -u -d '2001-12-31T23:00:00Z' +%s` is 1009839600; the others likewise.
    ['2001-12-31T23:00:00Z', 1_009_839_600_000_000n],
    ['2000-02-29', 951_782_400_000_000n],
    ['9999-12-31T23:59:59.999999Z', 253_402_300_799_999_999n],
    ['0001-01-01', -62_135_596_800_000_000n],
  ])('%s', (text, us) => {
    expect(parseTimeUs(text, '--at')).toBe(us);
  });

  it.each([
    ['now', 'it is not ISO-8601'],
    ['', 'it is not ISO-8601'],
    ['1009839600', 'it is not ISO-8601'],
    ['2001-1-1', 'it is not ISO-8601'],
    ['2001-01-01T', 'it is not ISO-8601'],
    ['2001-01-01Z', 'it is not ISO-8601'],
    ['2001-02-29', 'there is no such date, time or offset'],
    ['2001-13-01', 'there is no such date, time or offset'],
    ['2001-01-01T24:00', 'there is no such date, time or offset'],
    ['2001-01-01T23:59:60Z', 'there is no such date, time or offset'],
    ['2001-01-01T00:00+99:00', 'there is no such date, time or offset'],
    ['2001-01-01T00:00:00.0000001', 'it is finer than a microsecond'],
  ])('refuses %j', (text, reason) => {
    const error = (() => {
      try {
        return parseTimeUs(text, '--at');
      } catch (caught) {
        return caught;
      }
    })();
    expect(isMoraineError(error, 'INVALID_ARGUMENT')).toBe(true);
    expect((error as Error).message).toBe(
      `--at ${JSON.stringify(text)}: ${reason}; write a time such as 2001-12-31T23:00:00Z or 2001-12-31 (UTC unless it has an offset)`,
    );
  });

  it.each([
    [0n, '1970-01-01T00:00:00.000Z'],
    [1n, '1970-01-01T00:00:00.000001Z'],
    [-1n, '1969-12-31T23:59:59.999999Z'],
    [1_009_839_600_123_000n, '2001-12-31T23:00:00.123Z'],
  ])('are shown as ISO-8601: %s', (us, text) => {
    expect(formatTimeUs(us)).toBe(text);
  });
});
