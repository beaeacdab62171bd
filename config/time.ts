import { MoraineError } from '../errors/index.js';
import { temporalText } from '../iceberg/index.js';

const ISO_8601 =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s?(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/;

const US_PER_MS = 1000n;
const US_PER_MINUTE = 60_000_000n;
/** The last millisecond of a JavaScript Date (ECMA-262, Time Values). */
const MAX_DATE_MS = 8.64e15;

/**
 * Microseconds since 1970-01-01T00:00Z of an ISO-8601 time; UTC where it has no zone. A date alone is its midnight.
 *
 * @param name what the message calls the argument, such as `--start`
 * @throws `INVALID_ARGUMENT` if the text is not a time of the calendar, or is finer than a microsecond
 */
export function parseTimeUs(text: string, name: string): bigint {
  const match = ISO_8601.exec(text.trim());
  const fraction = match?.[7] ?? '';
  if (match === null) throw notATime(text, name, 'it is not ISO-8601');
  if (/[1-9]/.test(fraction.slice(6))) throw notATime(text, name, 'it is finer than a microsecond');
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((index) => Number(match[index] ?? '0'));
  const parts = [year ?? 0, month ?? 0, day ?? 0, hour ?? 0, minute ?? 0, second ?? 0] as const;
  const ms = calendarMs(parts);
  const offset = offsetMinutes(match[8] ?? 'Z');
  if (ms === undefined || offset === undefined) throw notATime(text, name, 'there is no such date, time or offset');
  return BigInt(ms) * US_PER_MS + BigInt(fraction.slice(0, 6).padEnd(6, '0')) - BigInt(offset) * US_PER_MINUTE;
}

/** Milliseconds of a UTC calendar time, or undefined if a part is out of its range (30 February, 25:00). */
function calendarMs(parts: readonly [number, number, number, number, number, number]): number | undefined {
  const [year, month, day, hour, minute, second] = parts;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const exact =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  return exact ? date.getTime() : undefined;
}

function offsetMinutes(text: string): number | undefined {
  if (text === 'Z' || text === 'z') return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return undefined;
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function notATime(text: string, name: string, reason: string): MoraineError {
  return new MoraineError(
    'INVALID_ARGUMENT',
    `${name} ${JSON.stringify(text)}: ${reason}; write a time such as 2001-12-31T23:00:00Z or 2001-12-31 (UTC unless it has an offset)`,
  );
}

/** ISO-8601 in UTC with as many digits (three or six) as the time needs. */
export function formatTimeUs(us: bigint): string {
  const ms = us >= 0n ? us / US_PER_MS : -((-us + US_PER_MS - 1n) / US_PER_MS);
  const rest = us - ms * US_PER_MS;
  // 64 bits reach beyond the years of a Date, -271821 to 275760.
  if (Math.abs(Number(ms)) > MAX_DATE_MS) return temporalText({ kind: 'timestamptz' }, us, 'Z') as string;
  const text = new Date(Number(ms)).toISOString();
  return rest === 0n ? text : text.replace('Z', `${rest.toString().padStart(3, '0')}Z`);
}
