/** Dates and times as text, exact to nine digits of a second. */
import { daysFromCivil, formatDate } from './calendar.js';

const NANOS_PER_SECOND = 1_000_000_000n;
const NANOS_PER_DAY = 86_400n * NANOS_PER_SECOND;

/** Days since 1970-01-01 of `2001-03-09`; undefined for other text and for days that do not exist. */
export function parseDateText(text: string): number | undefined {
  const [, year, month, day] = /^([+-]?\d{4,6})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  if (year === undefined || Number(month) < 1 || Number(month) > 12) return undefined;
  const days = daysFromCivil({ year: Number(year), month: Number(month), day: Number(day) });
  return formatDate(days).endsWith(`-${month ?? ''}-${day ?? ''}`) ? days : undefined;
}

/** Nanoseconds since midnight of `17:05`, `17:05:01` or `17:05:01.123456789`; undefined for other text. */
export function parseTimeText(text: string): bigint | undefined {
  const [, hour, minute, second = '0', fraction = ''] = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/.exec(text) ?? [];
  if (hour === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  return BigInt(seconds) * NANOS_PER_SECOND + BigInt(fraction.padEnd(9, '0'));
}

/**
 * Nanoseconds since the epoch of a date, alone or with a time after `T` or a space and an offset (`Z`, `+02`, `+02:00`);
 * without an offset it is UTC. Undefined for other text.
 */
export function parseTimestampText(text: string): bigint | undefined {
  const [, date = '', time = '00:00', offset = 'Z'] =
    /^([^T ]+)(?:[Tt ]([\d:.]+) ?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/.exec(text) ?? [];
  const days = parseDateText(date);
  const nanos = parseTimeText(time);
  const offsetNanos = parseOffset(offset);
  if (days === undefined || nanos === undefined || offsetNanos === undefined) return undefined;
  return BigInt(days) * NANOS_PER_DAY + nanos - offsetNanos;
}

function parseOffset(text: string): bigint | undefined {
  if (/^z$/i.test(text)) return 0n;
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(text) ?? [];
  if (sign === undefined || Number(hours) > 18 || Number(minutes) > 59) return undefined;
  const nanos = BigInt(Number(hours) * 60 + Number(minutes)) * 60n * NANOS_PER_SECOND;
  return sign === '-' ? -nanos : nanos;
}
