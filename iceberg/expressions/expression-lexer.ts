/** Splits the text of a filter expression into tokens. */
import { MoraineError } from '../../errors/index.js';

export interface Token {
  /** `name` is a bare word (keywords too), `quoted` a name in double quotes, `symbol` an operator or punctuation. */
  readonly kind: 'name' | 'quoted' | 'number' | 'text' | 'binary' | 'symbol' | 'end';
  /** The token's value: unquoted names and text, hexadecimal digits, the symbol itself. */
  readonly value: string;
  /** Character of the expression, from 1. */
  readonly position: number;
}

export const MAX_EXPRESSION_CHARACTERS = 1_000_000;
const MAX_NUMBER_CHARACTERS = 400;

const PATTERNS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['binary', /[xX]'([^']*)'/y],
  ['number', /[+-]?\s*(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_$.])/uy],
  ['name', /[\p{L}_][\p{L}\p{M}\p{N}_$.]*/uy],
  ['quoted', /"((?:[^"]|"")*)"/y],
  ['text', /'((?:[^']|'')*)'/y],
  ['symbol', /<>|<=|>=|[=<>(),]/y],
];

/** @throws MoraineError `EXPRESSION_INVALID` with the position of a character that begins no token */
export function tokenize(text: string): readonly Token[] {
  if (text.length > MAX_EXPRESSION_CHARACTERS) {
    throw new MoraineError(
      'LIMIT_EXCEEDED',
      `The expression has ${text.length} characters, more than ${MAX_EXPRESSION_CHARACTERS}.`,
    );
  }
  const tokens: Token[] = [];
  let index = skipSpace(text, 0);
  while (index < text.length) {
    const { token, end } = tokenAt(text, index);
    tokens.push(token);
    index = skipSpace(text, end);
  }
  tokens.push({ kind: 'end', value: '', position: text.length + 1 });
  return tokens;
}

function tokenAt(text: string, index: number): { readonly token: Token; readonly end: number } {
  const position = index + 1;
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = index;
    const match = pattern.exec(text);
    if (match === null) continue;
    return { token: { kind, value: valueOf(kind, match, position), position }, end: pattern.lastIndex };
  }
  throw invalid(position, complaint(text, index));
}

function valueOf(kind: Token['kind'], match: RegExpExecArray, position: number): string {
  const [whole, inner = ''] = match;
  switch (kind) {
    case 'quoted':
      return inner.replaceAll('""', '"');
    case 'text':
      return inner.replaceAll("''", "'");
    case 'binary':
      if (/^([0-9a-fA-F]{2})*$/.test(inner)) return inner;
      throw invalid(position, `X'${inner}' should have pairs of hexadecimal digits`);
    case 'number':
      if (whole.length <= MAX_NUMBER_CHARACTERS) return whole.replaceAll(/\s/g, '');
      throw invalid(position, `a number has more than ${MAX_NUMBER_CHARACTERS} characters`);
    default:
      return whole;
  }
}

function complaint(text: string, index: number): string {
  const rest = text.slice(index);
  if (rest.startsWith("'")) return "a text literal lacks its closing '";
  if (rest.startsWith('"')) return 'a quoted name lacks its closing "';
  if (rest.startsWith('!=')) return '!= is not an operator here: write <>';
  const [char = ''] = rest;
  if (/[\d.]/.test(char)) return 'a number is malformed, or a name that begins with a digit lacks its double quotes';
  return `${JSON.stringify(char)} is not part of an expression (put names with such characters in double quotes)`;
}

function skipSpace(text: string, from: number): number {
  let index = from;
  while (index < text.length && /\s/.test(text.charAt(index))) index++;
  return index;
}

/** An `EXPRESSION_INVALID` error at a position. */
export function invalid(position: number, reason: string): MoraineError {
  return new MoraineError('EXPRESSION_INVALID', `The expression is wrong at character ${position}: ${reason}.`, {
    details: { position },
  });
}
