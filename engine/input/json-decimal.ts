/**
 * Decimals and integers in JSON. Readers take a fraction for a double: digits that a double does not hold are gone before a value can be
 * looked at, so they are looked for in the text.
 */
import { MoraineError } from '../../errors/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { jsonObjectsReader, type TextFile } from '../scan/file-readers.js';
import { quoteLiteral } from '../sql/sql-text.js';

/** Decimal digits that every double keeps. */
const DOUBLE_DIGITS = 15;
const FRACTION = String.raw`-?([0-9]+[.][0-9]+|[0-9]+(?:[.][0-9]+)?[eE])`;
const ADVICE = `JSON numbers of more than ${DOUBLE_DIGITS} digits with a fraction cannot be read exactly; write them in quotes`;

/** A number that may need more digits than a double has. */
export interface WideDecimal {
  /** The key that its values have, or the nearest around them. */
  readonly key: string;
  /** Whether its values are in an array under that key. */
  readonly repeated: boolean;
}

/** Such numbers in a column, at any depth. */
export function wideDecimals(key: string, type: IcebergType, repeated = false): readonly WideDecimal[] {
  switch (type.kind) {
    case 'decimal':
      return type.precision > DOUBLE_DIGITS ? [{ key, repeated }] : [];
    case 'struct':
      return type.fields.flatMap((field) => wideDecimals(field.name, field.type));
    case 'list':
      return wideDecimals(key, type.element, true);
    case 'map':
      return [...wideDecimals(key, type.key, true), ...wideDecimals(key, type.value, true)];
    default:
      return [];
  }
}

/** SQL that is true if any of some texts of numbers has too many digits. */
const anyLong = (numbers: string): string =>
  `list_bool_or(list_transform(${numbers}, lambda n: length(ltrim(replace(n, '.', ''), '0')) > ${DOUBLE_DIGITS}))`;

/** SQL of the reason why a JSON text, which holds such decimals, cannot be read exactly; null if it can. */
export function roundedSql(text: string): string {
  const numbers = `regexp_extract_all(${text}, ${quoteLiteral(String.raw`[:\[,]\s*${FRACTION}`)}, 1)`;
  return `CASE WHEN ${anyLong(numbers)} THEN ${quoteLiteral(ADVICE)} END`;
}

/**
 * Looks through a file of JSON objects for decimals and integers that would be rounded.
 * @throws TYPE_MISMATCH naming the columns
 */
export async function refuseRoundedDecimals(
  connection: Connection,
  file: TextFile,
  columns: readonly { readonly name: string; readonly type: IcebergType }[],
): Promise<void> {
  const found = columns
    .map(({ name, type }) => {
      // A fraction of an integer may be rounded away.
      const isInteger = type.kind === 'int' || type.kind === 'long';
      return { name, decimals: isInteger ? [{ key: name, repeated: false }] : wideDecimals(name, type) };
    })
    .filter(({ decimals }) => decimals.length > 0);
  if (found.length === 0) return;
  const tests = found.map(({ decimals }) => `bool_or(${decimals.map(isRoundedSql).join(' OR ')})`);
  const long = quoteLiteral(String.raw`(?:[0-9][.]?){${DOUBLE_DIGITS + 1}}`);
  const [row = []] = await connection.rows(
    `SELECT ${tests.join(', ')} FROM ${jsonObjectsReader(file)} WHERE regexp_matches(json, ${long})`,
  );
  const rounded = found.filter((_, index) => row[index] === true).map(({ name }) => JSON.stringify(name));
  if (rounded.length === 0) return;
  throw new MoraineError('TYPE_MISMATCH', `column ${rounded.join(', ')}: ${ADVICE}`);
}

/** For decimals in arrays every number from the array on is looked at: rather one too many is refused than one rounded. */
function isRoundedSql({ key, repeated }: WideDecimal): string {
  const name = JSON.stringify(key).replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
  if (!repeated) {
    const pattern = String.raw`${name}\s*:\s*${FRACTION}`;
    return anyLong(`regexp_extract_all(json, ${quoteLiteral(pattern)}, 1)`);
  }
  const rest = `regexp_extract(json, ${quoteLiteral(String.raw`(?s)${name}\s*:\s*\[.*`)})`;
  return anyLong(`regexp_extract_all(${rest}, ${quoteLiteral(String.raw`[:\[,]\s*${FRACTION}`)}, 1)`);
}
