/** Values in their JSON form. Source: Apache Iceberg specification, Appendix D, "JSON single-value serialization". */
import { MoraineError } from '../../errors/index.js';
import type { JsonValue } from '../json.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveValue } from '../schema/types.js';
import { daysFromCivil, formatDate, formatTimeOfDay, formatTimestamp } from './calendar.js';
import { bytesToHex, bytesToUuid, uuidToBytes } from './single-value.js';

const MICROS_PER_SECOND = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

/**
 * A date, time or timestamp as ISO-8601 text; undefined for a value of another type.
 * @param utc how a timestamp with a zone says that it is in UTC: `+00:00` in metadata, `Z` for people
 */
export function temporalText(type: IcebergType, value: PrimitiveValue, utc: '+00:00' | 'Z'): string | undefined {
  switch (type.kind) {
    case 'date':
      return formatDate(value as number);
    case 'time':
      return formatTimeOfDay(value as bigint, MICROS_PER_SECOND);
    case 'timestamp':
      return formatTimestamp(value as bigint, MICROS_PER_SECOND);
    case 'timestamptz':
      return `${formatTimestamp(value as bigint, MICROS_PER_SECOND)}${utc}`;
    case 'timestamp_ns':
      return formatTimestamp(value as bigint, NANOS_PER_SECOND);
    case 'timestamptz_ns':
      return `${formatTimestamp(value as bigint, NANOS_PER_SECOND)}${utc}`;
    default:
      return undefined;
  }
}

/** The JSON form of a value of a primitive type. */
export function valueToJson(type: IcebergType, value: PrimitiveValue): JsonValue {
  const time = temporalText(type, value, '+00:00');
  if (time !== undefined) return time;
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
    case 'uuid':
      return value as JsonValue & PrimitiveValue;
    case 'fixed':
    case 'binary':
      return bytesToHex(value as Uint8Array);
    case 'decimal':
      return formatDecimal(value as bigint, type.scale);
    default:
      throw new MoraineError('TYPE_MISMATCH', `Values of type ${typeToString(type)} have no JSON form here.`);
  }
}

/**
 * The value of a JSON form.
 * @throws MoraineError `TYPE_MISMATCH` when the JSON is not a value of the type
 */
export function valueFromJson(type: IcebergType, json: JsonValue): PrimitiveValue {
  const value = typeof json === 'string' ? fromText(type, json) : fromPlain(type, json);
  if (value === undefined) {
    const text = typeof json === 'bigint' ? String(json) : String(JSON.stringify(json));
    throw new MoraineError('TYPE_MISMATCH', `${text} is not the JSON form of a value of type ${typeToString(type)}.`);
  }
  return value;
}

function fromPlain(type: IcebergType, json: JsonValue): PrimitiveValue | undefined {
  switch (type.kind) {
    case 'boolean':
      return typeof json === 'boolean' ? json : undefined;
    case 'int':
      return typeof json === 'number' && (json | 0) === json ? json : undefined;
    case 'long':
      if (typeof json === 'number' && Number.isSafeInteger(json)) return BigInt(json);
      return typeof json === 'bigint' && BigInt.asIntN(64, json) === json ? json : undefined;
    case 'float':
    case 'double':
      return typeof json === 'number' || typeof json === 'bigint' ? Number(json) : undefined;
    default:
      return undefined;
  }
}

function fromText(type: IcebergType, text: string): PrimitiveValue | undefined {
  switch (type.kind) {
    case 'string':
      return text;
    case 'uuid':
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? bytesToUuid(uuidToBytes(text)) : undefined;
    case 'fixed':
    case 'binary':
      return fromHex(text, type.kind === 'fixed' ? type.length : undefined);
    case 'decimal':
      return parseDecimal(text, type.scale);
    case 'date':
      return parseDate(text);
    case 'time':
      return parseTimeOfDay(text, MICROS_PER_SECOND);
    case 'timestamp':
    case 'timestamptz':
      return parseTimestamp(text, MICROS_PER_SECOND, type.kind === 'timestamptz');
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return parseTimestamp(text, NANOS_PER_SECOND, type.kind === 'timestamptz_ns');
    default:
      return undefined;
  }
}

function fromHex(text: string, length: number | undefined): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})*$/i.test(text) || (length !== undefined && text.length !== length * 2)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** A decimal's text: `14.20` for 1420 of scale 2; a negative scale is written with an exponent, `2E+20`. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale < 0) return `${unscaled}E+${-scale}`;
  if (scale === 0) return unscaled.toString();
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The unscaled value of a decimal's text at a scale; undefined when it is not a number or has more digits than the scale holds. */
export function parseDecimal(text: string, scale: number): bigint | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const shift = scale + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const divisor = shift < 0 ? 10n ** BigInt(-shift) : 1n;
  if (digits % divisor !== 0n) return undefined;
  const unscaled = shift < 0 ? digits / divisor : digits * 10n ** BigInt(shift);
  return sign === '-' ? -unscaled : unscaled;
}

function parseDate(text: string): number | undefined {
  const [, year, month, day] = /^([+-]?\d{4,7})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (year === undefined) return undefined;
  const days = daysFromCivil({ year: Number(year), month: Number(month), day: Number(day) });
  // A day that does not exist, such as 02-30, would come back as another one.
  return Number(month) >= 1 && Number(month) <= 12 && formatDate(days).endsWith(`-${month}-${day}`) ? days : undefined;
}

function parseTimeOfDay(text: string, unitsPerSecond: bigint): bigint | undefined {
  const [, hour, minute, second = '0', fraction = ''] =
    /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$/.exec(text) ?? [];
  if (hour === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const digits = unitsPerSecond.toString().length - 1;
  if (/[1-9]/.test(fraction.slice(digits))) return undefined;
  const seconds = BigInt(Number(hour) * 3600 + Number(minute) * 60 + Number(second));
  return seconds * unitsPerSecond + BigInt(fraction.slice(0, digits).padEnd(digits, '0'));
}

function parseTimestamp(text: string, unitsPerSecond: bigint, zoned: boolean): bigint | undefined {
  const [, date = '', time = '', zone] = /^([^T ]+)[T ]([\d:.]+)(Z|[+-]\d{2}:\d{2})?$/.exec(text) ?? [];
  const days = parseDate(date);
  const units = parseTimeOfDay(time, unitsPerSecond);
  if (days === undefined || units === undefined || (zone !== undefined) !== zoned) return undefined;
  const local = BigInt(days) * 86_400n * unitsPerSecond + units;
  if (zone === undefined || zone === 'Z') return local;
  const offsetMinutes = BigInt(Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  return local - (zone.startsWith('-') ? -offsetMinutes : offsetMinutes) * 60n * unitsPerSecond;
}
