import { MoraineError } from '../../errors/index.js';

const QUOTE = '"';

/**
 * Reads `--entity k=v[,k2=v2]`: the join keys of one entity, as text. A value ends at the next comma unless it begins with
 * `"`: then it ends at the closing `"`, and `""` in it stands for `"`.
 *
 * @throws `INVALID_ARGUMENT`
 */
export function parseEntity(text: string): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  let position = 0;
  do {
    const equals = text.indexOf('=', position);
    if (equals <= position) throw invalid(text, 'write key=value');
    const key = text.slice(position, equals);
    if (keys.has(key)) throw invalid(text, `${JSON.stringify(key)} is given twice`);
    const { value, end } = readValue(text, equals + 1);
    keys.set(key, value);
    position = end + 1;
  } while (position <= text.length);
  return keys;
}

function readValue(text: string, start: number): { readonly value: string; readonly end: number } {
  if (text[start] !== QUOTE) {
    const comma = text.indexOf(',', start);
    const end = comma < 0 ? text.length : comma;
    return { value: text.slice(start, end), end };
  }
  const match = /^"((?:[^"]|"")*)"(?=,|$)/.exec(text.slice(start));
  if (match?.[1] === undefined)
    throw invalid(text, `the quote at position ${start + 1} is not closed before a comma or the end`);
  return { value: match[1].replaceAll('""', QUOTE), end: start + match[0].length };
}

function invalid(text: string, reason: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `--entity ${JSON.stringify(text)}: ${reason}; an entity is k=v[,k2=v2]`);
}
