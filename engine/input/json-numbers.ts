/**
 * Numbers of JSON as they are written. Readers take a number with a fraction or with very many digits for a double, and digits that a
 * double does not hold are gone before a value can be looked at. Where that matters, numbers are put in quotes before the text is parsed.
 */
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { jsonObjectsReader, type TextFile } from '../scan/file-readers.js';
import { listTransformSql } from '../sql/lambda-sql.js';
import { quoteLiteral } from '../sql/sql-text.js';
import { jsonElements, jsonMember, jsonText } from './input-nested.js';
import { inferTextTypes, isDoubleSql } from './text-inference.js';

const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const NUMBER = String.raw`-?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?`;
/** No JSON text has this character: inside strings it must be escaped. */
const MARK = 'chr(1)';
/** Numbers of 16 digits or more, and with exponents of three: doubles keep all others. */
const DOUBTFUL = String.raw`-?(?:[0-9][.]?){16}[0-9.]*(?:[eE][+-]?[0-9]+)?|-?[0-9.]+[eE][+-]?[0-9]{3,}`;

/** SQL of a JSON text whose numbers are strings, each as it was written. */
export function quotedNumbersSql(json: string): string {
  // Strings match, too, so that nothing inside them does; they get two marks in a row, numbers one on each side.
  const tokens = quoteLiteral(`(${STRING})|(${NUMBER})`);
  const prefixed = `regexp_replace(${json}, ${tokens}, '\\1' || ${MARK} || '\\2' || ${MARK}, 'g')`;
  return `replace(replace(${prefixed}, ${MARK} || ${MARK}, ''), ${MARK}, '"')`;
}

/** Around a number that is a string for a while. */
const KEPT = String.raw`\u0001`;
const [BEGIN, END] = ['chr(1)', 'chr(2)'];

/**
 * SQL of what a function makes of a JSON text, with every number as it was written: functions of JSON write doubles anew.
 * @param made SQL of the result, as text, from SQL of the text
 */
export function withNumbersKeptSql(json: string, made: (text: string) => string): string {
  const tokens = quoteLiteral(`(${STRING})|(${NUMBER})`);
  const marked = `replace(regexp_replace(${json}, ${tokens}, '\\1' || ${BEGIN} || '\\2' || ${END}, 'g'), ${BEGIN} || ${END}, '')`;
  const quoted = `replace(replace(${marked}, ${BEGIN}, ${quoteLiteral(`"${KEPT}`)}), ${END}, ${quoteLiteral(`${KEPT}"`)})`;
  const kept = KEPT.replace('\\', String.raw`\\`);
  return `regexp_replace(${made(quoted)}, ${quoteLiteral(`"${kept}(${NUMBER})${kept}"`)}, '\\1', 'g')`;
}

/** Whether a file has numbers that may not be doubles: any column's, and numbers inside strings. */
export async function hasOtherThanDoubles(connection: Connection, file: TextFile): Promise<boolean> {
  const found = await connection.rows(
    `SELECT 1 FROM ${jsonObjectsReader(file)} WHERE ${hasOtherThanDoublesSql('json')} LIMIT 1`,
  );
  return found.length > 0;
}

/** SQL of whether a JSON text has numbers that may not be doubles. */
export function hasOtherThanDoublesSql(json: string): string {
  const numbers = `regexp_extract_all(${json}, ${quoteLiteral(DOUBTFUL)})`;
  // Most are their double's own text, which is soon seen.
  const isDouble = `CASE WHEN TRY_CAST(n AS DOUBLE)::VARCHAR = n THEN true ELSE ${isDoubleSql('n')} END`;
  const areDoubles = `list_bool_and(list_transform(${numbers}, lambda n: ${isDouble}))`;
  return `CASE WHEN regexp_matches(${json}, ${quoteLiteral(DOUBTFUL)}) THEN NOT ${areDoubles} ELSE false END`;
}

/** Whether a type, as the reader tells it, has doubles, whose digits are in doubt. */
export const hasDoubles = (type: IcebergType): boolean => has(type, ['double']);

/** Whether it has integers beyond 64 bits. */
export const hasWideIntegers = (type: IcebergType): boolean => has(type, ['decimal']);

function has(type: IcebergType, kinds: readonly string[]): boolean {
  if (type.kind === 'struct') return type.fields.some((field) => has(field.type, kinds));
  return type.kind === 'list' ? has(type.element, kinds) : kinds.includes(type.kind);
}

/**
 * The type that holds every number of a column as written; by the same rule as for columns of CSV files.
 * @param type as the reader tells it; what is neither a double nor beyond 64 bits keeps its own
 * @param json column of the relation: JSON, with numbers in quotes unless doubles keep them all
 */
export async function exactNumberType(
  connection: Connection,
  relation: string,
  type: IcebergType,
  json: string,
): Promise<IcebergType> {
  return await refine(type, `[${json}]`);

  /** @param values SQL of a row's list of all JSON values at this place */
  async function refine(at: IcebergType, values: string): Promise<IcebergType> {
    if (!hasDoubles(at) && !hasWideIntegers(at)) return at;
    switch (at.kind) {
      case 'struct': {
        const fields: NestedField[] = [];
        for (const field of at.fields) {
          const members = listTransformSql(values, ['e'], jsonMember('e', field.name));
          fields.push({ ...field, type: await refine(field.type, members) });
        }
        return { ...at, fields };
      }
      case 'list': {
        const elements = `flatten(${listTransformSql(values, ['e'], jsonElements('e'))})`;
        return { ...at, element: await refine(at.element, elements) };
      }
      default: {
        const texts = `(SELECT unnest(${listTransformSql(values, ['e'], jsonText('e'))}) AS t FROM ${relation})`;
        const [found = at] = await inferTextTypes(connection, texts, ['t']);
        return found;
      }
    }
  }
}
