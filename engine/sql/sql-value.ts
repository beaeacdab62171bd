/** DuckDB's text of a value, read back exactly. Used for statistics and partition values, never for rows. */
import { daysFromCivil, type PrimitiveType, type PrimitiveValue } from '../../iceberg/index.js';

const DATE_TIME = /^(\d+)-(\d\d)-(\d\d)( \(BC\))?(?: (\d\d:\d\d:\d\d(?:\.\d+)?))?(?:\+00)?( \(BC\))?$/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?$/;

/** The value that DuckDB printed, or undefined if it has no Iceberg value (an infinite date). */
export function parseSqlText(type: PrimitiveType, text: string): PrimitiveValue | undefined {
  switch (type.kind) {
    case 'boolean':
      return text === 'true' || text === '1';
    case 'int':
      return Number(text);
    case 'long':
      return BigInt(text);
    case 'float':
    case 'double':
      return parseFloatText(text);
    case 'decimal':
      return parseDecimalText(text, type.scale);
    case 'string':
    case 'uuid':
      return text;
    case 'fixed':
    case 'binary':
      return new Uint8Array(Buffer.from(text, 'hex'));
    case 'date':
      return parseDays(text);
    case 'time':
      return parseTime(text, 6);
    case 'timestamp':
    case 'timestamptz':
      return parseTimestamp(text, 6);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return parseTimestamp(text, 9);
    case 'unknown':
      return undefined;
  }
}

function parseFloatText(text: string): number {
  if (text === 'nan' || text === '-nan') return Number.NaN;
  if (text === 'inf') return Infinity;
  return text === '-inf' ? -Infinity : Number(text);
}

function parseDecimalText(text: string, scale: number): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(scale, '0'));
}

function parseDays(text: string): number | undefined {
  const match = DATE_TIME.exec(text);
  if (match === null) return undefined;
  const year = Number(match[1]);
  const before = match[4] !== undefined || match[6] !== undefined;
  return daysFromCivil({ year: before ? 1 - year : year, month: Number(match[2]), day: Number(match[3]) });
}

function parseTime(text: string, digits: number): bigint | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const seconds = (Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3]);
  return BigInt(seconds) * 10n ** BigInt(digits) + BigInt((match[4] ?? '').padEnd(digits, '0'));
}

function parseTimestamp(text: string, digits: number): bigint | undefined {
  const days = parseDays(text);
  const time = parseTime(DATE_TIME.exec(text)?.[5] ?? '00:00:00', digits);
  if (days === undefined || time === undefined) return undefined;
  return BigInt(days) * 86_400n * 10n ** BigInt(digits) + time;
}
