/** Values of join keys as JSON brings them: written as the service itself writes values, or as text. */
import { LosslessNumber } from 'lossless-json';
import type { IcebergType, PrimitiveValue } from '../iceberg/index.js';
import { keyValue } from '../online/index.js';

const SECONDS_PER_DAY = 86_400n;
const MICROS_PER_SECOND = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * A value of `parseExactJson` as the value of a join key; undefined if it is not of the type. Integers stand for seconds since the epoch
 * where the type is a date or a timestamp, texts for ISO-8601 times; bytes are in base64.
 */
export function keyValueOfJson(type: IcebergType, json: unknown): PrimitiveValue | undefined {
  switch (type.kind) {
    case 'timestamp':
    case 'timestamptz':
      return timeOf(type, json, MICROS_PER_SECOND);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return timeOf(type, json, NANOS_PER_SECOND);
    case 'date':
      return dateOf(type, json);
    case 'time':
      return typeof json === 'string' ? keyValue(type, json) : undefined;
    case 'decimal':
      return keyValue(type, json instanceof LosslessNumber || typeof json === 'bigint' ? String(json) : json);
    case 'binary':
    case 'fixed': {
      if (typeof json !== 'string' || !BASE64.test(json)) return undefined;
      const bytes = new Uint8Array(Buffer.from(json, 'base64'));
      return type.kind === 'fixed' && bytes.length !== type.length ? undefined : bytes;
    }
    default:
      return keyValue(type, json);
  }
}

function timeOf(type: IcebergType, json: unknown, unitsPerSecond: bigint): PrimitiveValue | undefined {
  const seconds = integerOf(json);
  if (seconds === undefined) return typeof json === 'string' ? keyValue(type, json) : undefined;
  const units = seconds * unitsPerSecond;
  return BigInt.asIntN(64, units) === units ? units : undefined;
}

function dateOf(type: IcebergType, json: unknown): PrimitiveValue | undefined {
  const seconds = integerOf(json);
  if (seconds === undefined) return typeof json === 'string' ? keyValue(type, json) : undefined;
  return seconds % SECONDS_PER_DAY === 0n ? keyValue(type, Number(seconds / SECONDS_PER_DAY)) : undefined;
}

function integerOf(json: unknown): bigint | undefined {
  if (typeof json === 'bigint') return json;
  return Number.isSafeInteger(json) ? BigInt(json as number) : undefined;
}
