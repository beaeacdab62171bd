/** Type of a text column, inferred from all of its values: nothing is guessed from a sample. */
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { quoteLiteral } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import { floatSql, pointInTimeSql } from './text-value.js';

const DATE = String.raw`\d{4}-\d{2}-\d{2}`;
/** A time of day: 24:00:00 is not a time in Iceberg. */
const CLOCK = String.raw`([01]\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,6})?)?`;
const NANOSECOND_CLOCK = String.raw`([01]\d|2[0-3]):\d{2}:\d{2}\.\d{7,9}0*`;
const ZONE = String.raw`( ?Z|[+-]\d{2}(:?\d{2})?)`;

interface Kind {
  /** One bit for each kind. */
  readonly bit: number;
  readonly pattern: string;
  readonly castsTo: IcebergType;
}

/**
 * Kinds of text, tried in this order. Whole numbers with a leading zero are not numbers: they are codes. Seconds with more than
 * six decimals stay text, since they would be cut.
 */
const KINDS: readonly Kind[] = [
  { bit: 1, pattern: String.raw`[+-]?(0|[1-9]\d{0,18})`, castsTo: { kind: 'long' } },
  { bit: 2, pattern: String.raw`[+-]?(0|[1-9]\d{0,37})`, castsTo: { kind: 'decimal', precision: 38, scale: 0 } },
  {
    bit: 4,
    pattern: String.raw`[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|NaN|nan|[+-]?(inf|Infinity)`,
    castsTo: { kind: 'double' },
  },
  { bit: 8, pattern: DATE, castsTo: { kind: 'date' } },
  { bit: 16, pattern: `${DATE}[T ]${CLOCK}`, castsTo: { kind: 'timestamp' } },
  { bit: 32, pattern: `${DATE}[T ]${CLOCK}${ZONE}`, castsTo: { kind: 'timestamptz' } },
  { bit: 64, pattern: CLOCK, castsTo: { kind: 'time' } },
  { bit: 128, pattern: '(?i)true|false', castsTo: { kind: 'boolean' } },
];
const TEXT_BIT = 256;

/** Kinds of text in a column of points in time besides {@link KINDS}. */
const NANOSECOND_KINDS: readonly Kind[] = [
  { bit: 512, pattern: `${DATE}[T ]${NANOSECOND_CLOCK}`, castsTo: { kind: 'timestamp_ns' } },
  { bit: 1024, pattern: `${DATE}[T ]${NANOSECOND_CLOCK}${ZONE}`, castsTo: { kind: 'timestamptz_ns' } },
];
const ZONED_BITS = 32 | 1024;
const NANOSECOND_BITS = 512 | 1024;
const POINT_IN_TIME_BITS = 8 | 16 | ZONED_BITS | NANOSECOND_BITS;
const MAX_DECIMAL_DIGITS = 38;

/** A value has a kind when it looks like one and can be one: 2001-02-30 is text. */
function kindSql(column: string, kinds: readonly Kind[]): string {
  const cases = kinds.map(({ bit, pattern, castsTo }) => {
    const cast = inferredSql(castsTo, column, 'TRY_CAST');
    const fits = castsTo.kind === 'double' ? 'true' : `${cast} IS NOT NULL`;
    return `WHEN regexp_full_match(${column}, ${quoteLiteral(pattern)}) AND ${fits} THEN ${bit}`;
  });
  return `CASE WHEN ${column} IS NULL THEN 0 ${cases.join(' ')} ELSE ${TEXT_BIT} END`;
}

/** Facts about the numbers among a column's texts. */
interface Numbers {
  /** Whether each is kept by a double. */
  readonly areDoubles: boolean;
  /** Digits before the point at most, and after it; null if one has an exponent or is not finite. */
  readonly digits: { readonly whole: number; readonly fraction: number } | null;
}

/**
 * SQL that is true for the text of a number that a double keeps: an integer exactly; of other numbers all of at most 15 digits in the
 * normal range, and those that have the digits of their double's own shortest text.
 */
export function isDoubleSql(column: string): string {
  const value = `TRY_CAST(${column} AS DOUBLE)`;
  const digits = significantDigits(column);
  const isShort = `length(${digits}) <= 15 AND abs(${value}) BETWEEN 1e-300 AND 1e300`;
  const isKept = `(${digits} = '' OR (${isShort}) OR ${digits} = ${significantDigits(`${value}::VARCHAR`)})`;
  return `((${floatSql(column, 'DOUBLE')}) IS NOT NULL AND ${isKept})`;
}

const significantDigits = (text: string): string =>
  `trim(regexp_replace(split_part(lower(${text}), 'e', 1), '[^0-9]', '', 'g'), '0')`;

/** SQL of the three facts that {@link readNumbers} takes. */
function numbersSql(column: string): readonly string[] {
  const plain = `regexp_full_match(${column}, '[+-]?[0-9]*([.][0-9]*)?')`;
  const whole = `length(regexp_extract(${column}, '^[+-]?([0-9]*)', 1))`;
  const fraction = `length(split_part(${column}, '.', 2))`;
  return [
    `bool_and(${isDoubleSql(column)}) FILTER (WHERE ${column} IS NOT NULL)`,
    `CASE WHEN bool_and(${plain}) THEN max(${whole}) END`,
    `CASE WHEN bool_and(${plain}) THEN max(${fraction}) END`,
  ];
}

function readNumbers([areDoubles, whole, fraction]: readonly unknown[]): Numbers {
  const isPlain = whole !== null && whole !== undefined;
  return {
    areDoubles: areDoubles === true,
    digits: isPlain ? { whole: Number(whole), fraction: Number(fraction) } : null,
  };
}

/** Numbers of which some have fractions, exponents or too many digits: doubles, else decimals, else texts. */
function numberType({ areDoubles, digits }: Numbers): IcebergType {
  if (areDoubles) return { kind: 'double' };
  const precision = digits === null ? Infinity : digits.whole + digits.fraction;
  if (digits === null || precision > MAX_DECIMAL_DIGITS) return { kind: 'string' };
  return { kind: 'decimal', precision, scale: digits.fraction };
}

/** The type that holds all values of the kinds seen. */
function typeOfKinds(seen: number, numbers: Numbers, isTime: boolean): IcebergType {
  if (seen === 0) return { kind: 'unknown' };
  const only = (bits: number): boolean => (seen & ~bits) === 0;
  const exact = KINDS.find((kind) => kind.castsTo.kind !== 'double' && only(kind.bit));
  if (exact !== undefined) return exact.castsTo;
  if (only(1 | 2)) return { kind: 'decimal', precision: MAX_DECIMAL_DIGITS, scale: 0 };
  if (only(1 | 2 | 4)) return numberType(numbers);
  if (only(8 | 16)) return { kind: 'timestamp' };
  return isTime && only(POINT_IN_TIME_BITS) ? pointInTimeType(seen) : { kind: 'string' };
}

/** Times without a zone are UTC, so those beside zoned ones lose nothing. */
function pointInTimeType(seen: number): IcebergType {
  const kind = (seen & ZONED_BITS) === 0 ? 'timestamp' : 'timestamptz';
  return { kind: (seen & NANOSECOND_BITS) === 0 ? kind : `${kind}_ns` };
}

/** Types whose texts may have offsets, or be short of seconds. */
const POINTS_IN_TIME: ReadonlySet<string> = new Set(['timestamptz', 'timestamp_ns', 'timestamptz_ns']);

/** SQL for the value of a text of an inferred type. @param cast what fails, or gives null, for other texts */
export function inferredSql(type: IcebergType, text: string, cast: 'CAST' | 'TRY_CAST' = 'CAST'): string {
  if (type.kind === 'string') return text;
  if (POINTS_IN_TIME.has(type.kind)) return pointInTimeSql(text, sqlType(type), cast);
  return `${cast}(${text} AS ${sqlType(type)})`;
}

/**
 * The types of VARCHAR columns of a relation; a column without values has the type `unknown`.
 * @param times those of the columns that hold points in time: with nanoseconds, or some with a zone and some without
 */
export async function inferTextTypes(
  connection: Connection,
  relation: string,
  columns: readonly string[],
  times: ReadonlySet<string> = new Set(),
): Promise<readonly IcebergType[]> {
  if (columns.length === 0) return [];
  const kinds = (column: string) => (times.has(column) ? [...KINDS, ...NANOSECOND_KINDS] : KINDS);
  const facts = columns.flatMap((column) => [`bit_or(${kindSql(column, kinds(column))})`, ...numbersSql(column)]);
  const [row = []] = await connection.rows(`SELECT ${facts.join(', ')} FROM ${relation}`);
  return columns.map((column, index) => {
    const [seen, ...numbers] = row.slice(index * 4, index * 4 + 4);
    return typeOfKinds(Number(seen ?? 0), readNumbers(numbers), times.has(column));
  });
}
