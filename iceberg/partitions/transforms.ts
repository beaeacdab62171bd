/** Partition transforms. Source: Apache Iceberg specification, "Partition Transforms" and Appendix B. */
import { MoraineError } from '../../errors/index.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveValue } from '../schema/types.js';
import { civilFromDays, floorDivide } from '../values/calendar.js';
import { bucketHash } from './murmur3.js';

const SIMPLE = /^(identity|year|month|day|hour|void)$/;
const WITH_PARAMETER = /^(bucket|truncate)\s*\[\s*(\d+)\s*\]$/;
const MAX_INT = 0x7fffffff;
const EPOCH_YEAR = 1970;

/** A partition transform; an `unknown` one is kept as written, ignored for pruning, refused for writing. */
export type Transform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' }
  | { readonly kind: 'bucket'; readonly numBuckets: number }
  | { readonly kind: 'truncate'; readonly width: number }
  | { readonly kind: 'unknown'; readonly text: string };

/**
 * Reads a transform as metadata writes it: `identity`, `bucket[16]`, `truncate[4]`, `month`, .. One that is not known is kept as `unknown`.
 * @throws MoraineError `SCHEMA_INVALID` for a bucket count or width that is not from 1 to 2^31 - 1
 */
export function parseTransform(text: string): Transform {
  const name = text.trim().toLowerCase();
  const simple = SIMPLE.exec(name)?.[1];
  if (simple !== undefined) return { kind: simple as 'identity' };
  const [, kind, digits] = WITH_PARAMETER.exec(name) ?? [];
  if (kind === undefined) return { kind: 'unknown', text };
  const parameter = Number(digits);
  if (parameter < 1 || parameter > MAX_INT) {
    throw new MoraineError('SCHEMA_INVALID', `Transform ${text}: its parameter should be from 1 to ${MAX_INT}.`);
  }
  return kind === 'bucket' ? { kind, numBuckets: parameter } : { kind: 'truncate', width: parameter };
}

/** The transform as metadata writes it. */
export function transformToString(transform: Transform): string {
  switch (transform.kind) {
    case 'bucket':
      return `bucket[${transform.numBuckets}]`;
    case 'truncate':
      return `truncate[${transform.width}]`;
    case 'unknown':
      return transform.text;
    default:
      return transform.kind;
  }
}

/** Whether two transforms are the same. */
export function sameTransform(left: Transform, right: Transform): boolean {
  return transformToString(left) === transformToString(right);
}

const CALENDAR = ['date', 'timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'];
const SOURCE_KINDS: ReadonlyMap<Transform['kind'], ReadonlySet<string>> = new Map([
  ['year', new Set(CALENDAR)],
  ['month', new Set(CALENDAR)],
  ['day', new Set(CALENDAR)],
  ['hour', new Set(CALENDAR.slice(1))],
  ['truncate', new Set(['int', 'long', 'decimal', 'string', 'binary'])],
  ['bucket', new Set(['int', 'long', 'decimal', 'time', 'string', 'uuid', 'fixed', 'binary', ...CALENDAR])],
]);
const NOT_PARTITIONABLE = new Set(['struct', 'list', 'map', 'unsupported']);

/** Whether a transform is defined for a source type. */
export function canTransform(transform: Transform, sourceType: IcebergType): boolean {
  if (transform.kind === 'void') return true;
  if (transform.kind === 'identity') return !NOT_PARTITIONABLE.has(sourceType.kind);
  return SOURCE_KINDS.get(transform.kind)?.has(sourceType.kind) ?? false;
}

/** The type of a transform's results. Days are dates, as other engines write them; results of an unknown transform are text. */
export function transformResultType(transform: Transform, sourceType: IcebergType): IcebergType {
  switch (transform.kind) {
    case 'identity':
    case 'truncate':
    case 'void':
      return sourceType;
    case 'day':
      return { kind: 'date' };
    case 'unknown':
      return { kind: 'string' };
    default:
      return { kind: 'int' };
  }
}

/**
 * The result of a transform; null for null.
 * Years, months, days and hours count from 1970-01-01T00:00Z and round down, also before it.
 * @throws MoraineError `TYPE_MISMATCH` for a type the transform is not defined for, `UNSUPPORTED_FEATURE` for an unknown transform
 */
export function applyTransform(
  transform: Transform,
  sourceType: IcebergType,
  value: PrimitiveValue | null,
): PrimitiveValue | null {
  if (transform.kind === 'unknown') {
    throw new MoraineError(
      'UNSUPPORTED_FEATURE',
      `The transform '${transform.text}' is not known; write to this table with the engine that made it.`,
    );
  }
  if (!canTransform(transform, sourceType)) {
    const names = `${transformToString(transform)} cannot be applied to ${typeToString(sourceType)}`;
    throw new MoraineError('TYPE_MISMATCH', `The transform ${names}.`);
  }
  if (value === null) return null;
  switch (transform.kind) {
    case 'identity':
      return value;
    case 'void':
      return null;
    case 'bucket':
      return (bucketHash(sourceType, value) & MAX_INT) % transform.numBuckets;
    case 'truncate':
      return truncate(sourceType, value, transform.width);
    case 'hour':
      return Number(floorDivide(value as bigint, 3600n * unitsPerSecond(sourceType)));
    default:
      return calendarUnit(transform.kind, daysOf(sourceType, value));
  }
}

function truncate(type: IcebergType, value: PrimitiveValue, width: number): PrimitiveValue {
  if (typeof value === 'number') return (value - (((value % width) + width) % width)) | 0;
  if (typeof value === 'bigint') {
    const wide = BigInt(width);
    const truncated = value - (((value % wide) + wide) % wide);
    return type.kind === 'long' ? BigInt.asIntN(64, truncated) : truncated;
  }
  if (typeof value === 'string') return firstCodePoints(value, width);
  return (value as Uint8Array).slice(0, width);
}

/** The first code points of a text: a surrogate pair counts once and is never split. */
export function firstCodePoints(text: string, count: number): string {
  let end = 0;
  for (let taken = 0; taken < count && end < text.length; taken++)
    end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

function unitsPerSecond(type: IcebergType): bigint {
  return type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns' ? 1_000_000_000n : 1_000_000n;
}

function daysOf(type: IcebergType, value: PrimitiveValue): number {
  return type.kind === 'date'
    ? (value as number)
    : Number(floorDivide(value as bigint, 86_400n * unitsPerSecond(type)));
}

function calendarUnit(unit: 'year' | 'month' | 'day', days: number): number {
  if (unit === 'day') return days;
  const { year, month } = civilFromDays(days);
  return unit === 'year' ? year - EPOCH_YEAR : (year - EPOCH_YEAR) * 12 + month - 1;
}
