/** Entity frames as files of text: CSV and JSON Lines. */
import { writeFile } from 'node:fs/promises';
import type { IcebergType, NestedField, PrimitiveValue } from '../../iceberg/index.js';
import type { Random } from './random.js';
import { isoDate, isoTime, OFFSET_MINUTES } from './text.js';
import { decimalText, type Value } from './values.js';

type Rows = readonly (readonly Value[])[];

/** Writes a CSV file: no value is an empty field, an empty text a quoted one. Returns its path. */
export async function writeCsv(
  random: Random,
  path: string,
  fields: readonly NestedField[],
  rows: Rows,
): Promise<string> {
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const field = (type: IcebergType, value: Value): string => {
    if (value === null) return '';
    const text = textOf(random, type, value as PrimitiveValue);
    return text === '' || /[",\n]/.test(text) || random.chance(0.2) ? quoted(text) : text;
  };
  const lines = rows.map((row) => fields.map(({ type }, index) => field(type, row[index] ?? null)).join(','));
  await writeFile(path, [fields.map(({ name }) => quoted(name)).join(','), ...lines, ''].join('\n'));
  return path;
}

/** Writes a file of a JSON object a line. Returns its path. */
export async function writeJsonLines(
  random: Random,
  path: string,
  fields: readonly NestedField[],
  rows: Rows,
): Promise<string> {
  const line = (row: readonly Value[]): string => {
    const members = fields.map(({ name, type }, index) => {
      const value = row[index] ?? null;
      return `${JSON.stringify(name)}: ${value === null ? 'null' : json(type, textOf(random, type, value as PrimitiveValue))}`;
    });
    return `{${members.join(', ')}}\n`;
  };
  await writeFile(path, rows.map(line).join(''));
  return path;
}

const NUMBERS: ReadonlySet<IcebergType['kind']> = new Set(['int', 'long', 'double', 'boolean', 'decimal']);

const json = (type: IcebergType, text: string): string => (NUMBERS.has(type.kind) ? text : JSON.stringify(text));

/** Times of a zone have any offset, others none. */
function textOf(random: Random, type: IcebergType, value: PrimitiveValue): string {
  switch (type.kind) {
    case 'date':
      return isoDate(value as number);
    case 'timestamp':
      return isoTime(random, (value as bigint) * 1000n, 6, [undefined]);
    case 'timestamptz':
      return isoTime(random, (value as bigint) * 1000n, 6, OFFSET_MINUTES);
    case 'decimal':
      return decimalText(value as bigint, type.scale);
    default:
      return String(value);
  }
}
