import { MoraineError } from '../../errors/index.js';

const QUOTE = '"';

/**
 * Splits `--columns` at commas. Each part is taken literally, spaces and all, unless it begins with `"`: then it ends at
 * the closing `"`, `""` in it stands for `"`, and it may hold commas.
 *
 * @throws `INVALID_ARGUMENT` if a quoted part is not closed, goes on behind its end, or a name is given twice
 */
export function parseColumnNames(text: string): readonly string[] {
  const names: string[] = [];
  let position = 0;
  for (;;) {
    const part = text[position] === QUOTE ? quotedPart(text, position) : literalPart(text, position);
    if (names.includes(part.name)) throw invalid(`column ${JSON.stringify(part.name)} is named twice`);
    names.push(part.name);
    if (part.end >= text.length) return names;
    position = part.end + 1;
  }
}

interface Part {
  readonly name: string;
  /** Position of the comma behind it, or of the end. */
  readonly end: number;
}

function literalPart(text: string, start: number): Part {
  const comma = text.indexOf(',', start);
  const end = comma < 0 ? text.length : comma;
  return { name: text.slice(start, end), end };
}

function quotedPart(text: string, start: number): Part {
  let end = start + 1;
  for (;;) {
    end = text.indexOf(QUOTE, end);
    if (end < 0) throw invalid(`the quote at position ${start + 1} is not closed`);
    if (text[end + 1] !== QUOTE) break;
    end += 2;
  }
  if (end + 1 < text.length && text[end + 1] !== ',') throw invalid(`a comma is missing at position ${end + 2}`);
  return { name: text.slice(start + 1, end).replaceAll('""', QUOTE), end: end + 1 };
}

function invalid(reason: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `--columns: ${reason}`);
}
