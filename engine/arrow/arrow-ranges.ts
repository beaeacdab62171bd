/**
 * Arrow values that are none of their own type as tables have it: points in time that the query engine cannot hold, times of day beyond the day, days in milliseconds that
 * have a time of day, decimals with more digits than their type says. Whether a column may have some is seen from its buffers; only then are its values taken in as plain numbers and looked at one by one.
 */
import { BIGINT, DECIMAL, type DuckDBType, INTEGER } from '@duckdb/node-api';
import { type Data, DataType, DateUnit, TimeUnit } from 'apache-arrow';
import { sqlType } from '../sql/sql-type.js';

/** How a column with such values is taken in. */
export interface RangedColumn {
  /** The DuckDB type that the buffer is copied as. */
  readonly stored: DuckDBType;
  readonly widthBytes: number;
  /** SQL of the value, null for one that is out of range. */
  readonly value: (column: string) => string;
  /** SQL that is true for a value out of range. */
  readonly misfit: (column: string) => string;
}

/** About 290,000 years: what DuckDB's points in time reach, before and after 1970. Its infinity lies beyond. */
const MAX_MICROSECONDS = 9_223_372_022_400_000_000n - 1n;
const MAX_DAYS = 2n ** 31n - 2n;
const DAY_MICROSECONDS = 86_400_000_000n;
const DAY_MILLISECONDS = 86_400_000;
const MICROSECONDS = {
  [TimeUnit.SECOND]: 1_000_000n,
  [TimeUnit.MILLISECOND]: 1_000n,
  [TimeUnit.MICROSECOND]: 1n,
} as const;

/** @returns null for a column all of whose values are of its type */
export function rangedColumn(type: DataType, chunks: readonly Data[]): RangedColumn | null {
  if (DataType.isDecimal(type)) {
    const isWide = chunks.some((data) => reaches(data, DECIMAL_WORDS, 10 ** type.precision, -(10 ** type.precision)));
    return type.bitWidth === 128 && isWide ? rangedDecimal(type) : null;
  }
  const numbers = rangedNumbers(type);
  if (numbers === null) return null;
  const { min, max, words, areDays, value } = numbers;
  const mayMisfit = (data: Data): boolean =>
    reaches(data, words, Number(max), Number(min)) || (areDays && anyHasTimeOfDay(data));
  if (!chunks.some(mayMisfit)) return null;
  const isWhole = (column: string): string => (areDays ? ` AND ${column} % ${DAY_MILLISECONDS} = 0` : '');
  const isWithin = (column: string): string => `(${column} BETWEEN ${min} AND ${max}${isWhole(column)})`;
  return {
    ...(words === 1 ? { stored: INTEGER, widthBytes: 4 } : { stored: BIGINT, widthBytes: 8 }),
    value: (column) => `CASE WHEN ${isWithin(column)} THEN ${value(column)} END`,
    misfit: (column) => `NOT ${isWithin(column)}`,
  };
}

function rangedDecimal({ precision, scale }: { readonly precision: number; readonly scale: number }): RangedColumn {
  const value = (column: string): string => `TRY_CAST(${column} AS ${sqlType({ kind: 'decimal', precision, scale })})`;
  return {
    ...{ stored: DECIMAL(38, scale), widthBytes: DECIMAL_WORDS * 4, value },
    misfit: (column) => `${column} IS NOT NULL AND ${value(column)} IS NULL`,
  };
}

interface RangedNumbers {
  /** The least and the greatest value of the type. */
  readonly min: bigint;
  readonly max: bigint;
  /** Words of 32 bits. */
  readonly words: 1 | 2;
  /** Whether they are whole days in milliseconds. */
  readonly areDays: boolean;
  readonly value: (column: string) => string;
}

function rangedNumbers(type: DataType): RangedNumbers | null {
  const between = (max: bigint, words: 1 | 2, value: RangedNumbers['value'], areDays = false): RangedNumbers => {
    return { min: -max, max, words, areDays, value };
  };
  if (DataType.isTime(type) && type.unit === TimeUnit.MICROSECOND) {
    const value = (column: string): string => `make_timestamp(${column})::TIME`;
    return { min: 0n, max: DAY_MICROSECONDS - 1n, words: 2, areDays: false, value };
  }
  if (DataType.isDate(type)) {
    const millis = (column: string): string => `make_timestamp(${column} * 1000)::DATE`;
    return type.unit === DateUnit.DAY
      ? between(MAX_DAYS, 1, (column) => `DATE '1970-01-01' + ${column}`)
      : between(MAX_MICROSECONDS / 1_000n, 2, millis, true);
  }
  // All nanoseconds are points in time of the engine.
  if (!DataType.isTimestamp(type) || type.unit === TimeUnit.NANOSECOND) return null;
  const factor = MICROSECONDS[type.unit];
  const make = (type.timezone ?? '') === '' ? 'make_timestamp' : 'make_timestamptz';
  return between(MAX_MICROSECONDS / factor, 2, (column) => `${make}(${column} * ${factor})`);
}

const DECIMAL_WORDS = 4;
const WORD = 2 ** 32;
/** Doubles are a little off: values so near to a limit are looked at. */
const NEARLY = 1 - 1e-12;

/** Whether a value may be beyond limits, that of a null included. @param words 32-bit words of a value, the lowest first */
function reaches(data: Data, words: number, max: number, min: number): boolean {
  const { buffer, byteOffset, byteLength } = data.values as ArrayBufferView;
  const numbers = new Int32Array(buffer, byteOffset, Math.min(data.length * words, byteLength >> 2));
  const [least, greatest] = [min * NEARLY, max * NEARLY];
  for (let last = words - 1; last < numbers.length; last += words) {
    let value = numbers[last] as number;
    for (let word = 1; word < words; word += 1) value = value * WORD + ((numbers[last - word] as number) >>> 0);
    if (value > greatest || value < least) return true;
  }
  return false;
}

/** Whether a value may be none of whole days, that of a null included. */
function anyHasTimeOfDay(data: Data): boolean {
  const rows = Math.min(data.length, (data.values as ArrayBufferView).byteLength >> 3);
  const hasTime = timeOfDayAt(data);
  for (let row = 0; row < rows; row += 1) if (hasTime(row)) return true;
  return false;
}

/** Whether milliseconds since 1970 are more than a day's beginning. Source: Arrow's `Schema.fbs`, which has it that they are "evenly divisible by 86400000". */
export function timeOfDayAt(data: Data): (row: number) => boolean {
  const { buffer, byteOffset, byteLength } = data.values as ArrayBufferView;
  const numbers = new Int32Array(buffer, byteOffset, byteLength >> 2);
  // No product has more digits than a double.
  return (row) => {
    const [low, high] = [(numbers[row * 2] as number) >>> 0, numbers[row * 2 + 1] as number];
    return ((high % DAY_MILLISECONDS) * (WORD % DAY_MILLISECONDS) + low) % DAY_MILLISECONDS !== 0;
  };
}
