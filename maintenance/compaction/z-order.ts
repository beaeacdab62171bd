/**
 * Z-order: rows that are near each other in several columns come near each other. Every column becomes a 64-bit number that orders as
 * its values do; the bits of the numbers are interleaved, the most significant first, the first column's before the second's.
 *
 * The numbers are counted from the least value that occurs and shifted until the greatest one uses the highest bit: the columns
 * then weigh alike, whatever their ranges. Of text and bytes the first eight bytes count, of decimals what a double holds of them.
 */
import { type Connection, columnAlias } from '../../engine/index.js';
import type { NestedField } from '../../iceberg/index.js';

const BYTES = 8;
const BITS = 64;

/**
 * SQL terms that order the rows of a relation along the curve; null comes first.
 * @param relation for a FROM clause, columns called `c<id>`
 */
export async function zOrderTerms(
  connection: Connection,
  relation: string,
  fields: readonly NestedField[],
): Promise<readonly string[]> {
  const numbers = fields.map((field) => numberSql(field, columnAlias(field.id)));
  const bounds = numbers.flatMap((number) => [`min(${number})`, `max(${number})`]);
  const [found = []] = await connection.rows(`SELECT ${bounds.join(', ')} FROM ${relation}`);
  const scaled = numbers.map((number, index) => {
    const least = BigInt(String(found[2 * index] ?? 0));
    const range = BigInt(String(found[2 * index + 1] ?? 0)) - least;
    const shift = range === 0n ? 0 : BITS - range.toString(2).length;
    return `coalesce((${number} - ${least}::UBIGINT) << ${shift}, 0::UBIGINT)`;
  });
  return Array.from({ length: BYTES }, (_, byte) => interleavedSql(scaled, byte));
}

/** One byte of each number, their bits interleaved into one number. */
function interleavedSql(numbers: readonly string[], byte: number): string {
  const width = numbers.length;
  const spread = `[${Array.from({ length: 256 }, (_, value) => spreadBits(value, width)).join(', ')}]::UBIGINT[]`;
  const parts = numbers.map((number, index) => {
    const value = `((${number} >> ${BITS - 8 * (byte + 1)}) & 255)`;
    return `(list_extract(${spread}, ${value}::BIGINT + 1) << ${width - 1 - index})`;
  });
  return parts.join(' | ');
}

/** The bits of a byte, each `width` places from the next. */
function spreadBits(value: number, width: number): bigint {
  let spread = 0n;
  for (let bit = 0; bit < 8; bit++) {
    if (((value >> bit) & 1) === 1) spread |= 1n << BigInt(bit * width);
  }
  return spread;
}

/** A UBIGINT that orders as the column's values do, null for null. */
function numberSql({ type }: NestedField, column: string): string {
  const signed = (sql: string): string => `((${sql})::HUGEINT + ${2n ** 63n})::UBIGINT`;
  const firstBytes = (hex: string): string => `('0x' || rpad(substr(${hex}, 1, 16), 16, '0'))::UBIGINT`;
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
      return signed(column);
    case 'date':
      return signed(`${column} - DATE '1970-01-01'`);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return signed(`epoch_us(${column})`);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return signed(`epoch_ns(${column})`);
    case 'uuid':
      return firstBytes(`replace(${column}::VARCHAR, '-', '')`);
    case 'string':
      return firstBytes(`hex(encode(${column}))`);
    case 'binary':
    case 'fixed':
      return firstBytes(`hex(${column})`);
    default:
      // After the byte that tells nulls come the eight of the number, which compare as it does.
      return `CASE WHEN ${column} IS NOT NULL THEN ${firstBytes(`substr(hex(create_sort_key(${column}::DOUBLE, 'ASC NULLS FIRST')), 3)`)} END`;
  }
}
