/** Values of decoded columns as JSON, as `value-json.ts` writes them, without a JavaScript value in between where that takes long. */
import type { IcebergType } from '../iceberg/index.js';
import { type Column, valueAt } from '../online/index.js';
import type { JsonBytes } from './json-bytes.js';
import { valueWriter } from './value-json.js';

/** Writes the value of a row, which is not null. */
export type ColumnWriter = (out: JsonBytes, column: Column, row: number) => void;

const LARGEST_PLAIN = 1e15;

/** The writer of decoded values of a type. */
export function columnWriter(type: IcebergType): ColumnWriter {
  const write = valueWriter(type);
  const byValue: ColumnWriter = (out, column, row) => out.text(write(valueAt(type, column, row)));
  switch (type.kind) {
    case 'int':
      return (out, column, row) => out.integer(numbersOf(column)[row] as number);
    case 'long':
      return (out, column, row) => writeLong(out, numbersOf(column)[row] as bigint);
    case 'float':
    case 'double':
      return (out, column, row) => {
        const value = numbersOf(column)[row] as number;
        if (!writeShort(out, value)) out.ascii(write(value));
      };
    case 'decimal': {
      const { scale } = type;
      const divisor = 10 ** scale;
      return (out, column, row) => {
        const unscaled = smallDecimal(column, row);
        if (unscaled === undefined || scale === 0 || divisor > LARGEST_PLAIN) return byValue(out, column, row);
        const digits = Math.abs(unscaled);
        const whole = Math.floor(digits / divisor);
        out.ascii('"');
        out.decimal(unscaled < 0, whole, digits - whole * divisor, scale);
        return out.ascii('"');
      };
    }
    case 'string':
      return (out, column, row) => {
        if (column.storage !== 'bytes') return byValue(out, column, row);
        const { data, offsets } = column;
        if (out.quoted(data, offsets[row] as number, offsets[row + 1] as number)) return undefined;
        return byValue(out, column, row);
      };
    default:
      return byValue;
  }
}

function numbersOf(column: Column): ArrayLike<number | bigint> {
  return (column as { readonly values: ArrayLike<number | bigint> }).values;
}

function writeLong(out: JsonBytes, value: bigint): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) out.integer(number);
  else out.ascii(String(value));
}

/**
 * Writes a number that has at most four decimals. The quotient of two integers is rounded to the nearest double: if it is the number again, its digits
 * are the shortest that stand for the number, since two numbers of four decimals are further apart than two doubles.
 * @returns whether it was written
 */
function writeShort(out: JsonBytes, value: number): boolean {
  const scaled = Math.round(value * 10_000);
  if (!(Math.abs(scaled) < LARGEST_PLAIN) || scaled / 10_000 !== value || Object.is(value, -0)) return false;
  const digits = Math.abs(scaled);
  const whole = Math.floor(digits / 10_000);
  let [fraction, places] = [digits - whole * 10_000, 4];
  for (; places > 1 && fraction % 10 === 0; places -= 1) fraction /= 10;
  out.decimal(scaled < 0, whole, fraction, places);
  return true;
}

/** The unscaled value of a decimal of 128 bits; undefined if a double does not hold it exactly. */
function smallDecimal(column: Column, row: number): number | undefined {
  const halves = numbersOf(column);
  const [low, high] = [halves[row * 2] as bigint, halves[row * 2 + 1] as bigint];
  if (high !== (low < 0n ? -1n : 0n)) return undefined;
  const number = Number(low);
  return Math.abs(number) < LARGEST_PLAIN ? number : undefined;
}
