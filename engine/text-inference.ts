/** What the values of a text column are, judged by all of them: nothing is guessed from a sample. */
import type { IcebergType } from '../iceberg/index.js';
import type { Connection } from './connection.js';
import { quoteLiteral } from './sql-text.js';
import { sqlType } from './sql-type.js';

const DATE = String.raw`\d{4}-\d{2}-\d{2}`;
/** Of a day: 24:00:00 is no time in Iceberg. */
const CLOCK = String.raw`([01]\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,6})?)?`;
const ZONE = String.raw`( ?Z|[+-]\d{2}(:?\d{2})?)`;

interface Kind {
  /** One bit for each kind. */
  readonly bit: number;
  readonly pattern: string;
  readonly castsTo: IcebergType;
}

/**
 * Kinds of text, tried in this order. Whole numbers with a leading zero are no numbers: they are codes. Seconds with more than
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

/** A value has a kind when it looks like one and can be one: 2001-02-30 is text, and so is 1e400. */
function kindSql(column: string): string {
  const cases = KINDS.map(({ bit, pattern, castsTo }) => {
    const cast = `TRY_CAST(${column} AS ${sqlType(castsTo)})`;
    const fits =
      castsTo.kind === 'double' ? `NOT (isinf(${cast}) AND regexp_matches(${column}, '[0-9]'))` : `${cast} IS NOT NULL`;
    return `WHEN regexp_full_match(${column}, ${quoteLiteral(pattern)}) AND ${fits} THEN ${bit}`;
  });
  return `CASE WHEN ${column} IS NULL THEN 0 ${cases.join(' ')} ELSE ${TEXT_BIT} END`;
}

/** The type that holds all values of the kinds seen. */
function typeOfKinds(seen: number): IcebergType {
  const only = (bits: number): boolean => seen !== 0 && (seen & ~bits) === 0;
  const exact = KINDS.find((kind) => only(kind.bit));
  if (exact !== undefined) return exact.castsTo;
  if (only(1 | 2)) return { kind: 'decimal', precision: 38, scale: 0 };
  // A 20-digit number among fractions would be rounded.
  if (only(1 | 4)) return { kind: 'double' };
  if (only(8 | 16)) return { kind: 'timestamp' };
  return { kind: 'string' };
}

/** The types of VARCHAR columns of a relation; a column without values is text. */
export async function inferTextTypes(
  connection: Connection,
  relation: string,
  columns: readonly string[],
): Promise<readonly IcebergType[]> {
  if (columns.length === 0) return [];
  const kinds = columns.map((column) => `bit_or(${kindSql(column)})`);
  const [row = []] = await connection.rows(`SELECT ${kinds.join(', ')} FROM ${relation}`);
  return columns.map((_, index) => typeOfKinds(Number(row[index] ?? 0)));
}
