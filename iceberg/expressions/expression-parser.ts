/**
 * The filter language of `table scan --where`: comparisons, IN, IS NULL, LIKE with a literal prefix, isnan(), AND, OR, NOT.
 * A parser of its own because the text is never passed on to an engine.
 */

import { parseDateText, parseTimestampText, parseTimeText } from '../values/temporal-literal.js';
import type { ComparisonOp, Literal, UnboundExpression } from './expression.js';
import { invalid, type Token, tokenize } from './expression-lexer.js';

const MAX_DEPTH = 200;
const RESERVED: ReadonlySet<string> = new Set([
  'and',
  'or',
  'not',
  'in',
  'is',
  'null',
  'like',
  'true',
  'false',
  'between',
  'select',
]);
const COMPARISONS: ReadonlyMap<string, { readonly op: ComparisonOp; readonly flipped: ComparisonOp }> = new Map([
  ['=', { op: 'eq', flipped: 'eq' }],
  ['<>', { op: 'not-eq', flipped: 'not-eq' }],
  ['<', { op: 'lt', flipped: 'gt' }],
  ['<=', { op: 'lt-eq', flipped: 'gt-eq' }],
  ['>', { op: 'gt', flipped: 'lt' }],
  ['>=', { op: 'gt-eq', flipped: 'lt-eq' }],
]);

/**
 * Parses a filter expression.
 * @throws MoraineError `EXPRESSION_INVALID` with the position (a character, from 1) and what was expected there
 */
export function parseExpression(text: string): UnboundExpression {
  const parser = new Parser(tokenize(text));
  return parser.whole();
}

class Parser {
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  whole(): UnboundExpression {
    const expression = this.disjunction();
    if (this.peek().kind !== 'end') throw this.unexpected('AND, OR or the end');
    return expression;
  }

  private disjunction(): UnboundExpression {
    return this.chain('or', () => this.chain('and', () => this.negation()));
  }

  private chain(op: 'and' | 'or', operand: () => UnboundExpression): UnboundExpression {
    const first = operand();
    const children = [first];
    while (this.takeKeyword(op)) children.push(operand());
    return children.length === 1 ? first : { op, children };
  }

  private negation(): UnboundExpression {
    if (++this.depth > MAX_DEPTH) throw invalid(this.peek().position, `it nests deeper than ${MAX_DEPTH} levels`);
    const expression: UnboundExpression = this.takeKeyword('not')
      ? { op: 'not', child: this.negation() }
      : this.primary();
    this.depth--;
    return expression;
  }

  private primary(): UnboundExpression {
    if (this.takeSymbol('(')) {
      const expression = this.disjunction();
      this.expectSymbol(')');
      return expression;
    }
    const literal = this.literal();
    if (literal !== undefined) return this.literalFirst(literal);
    if (this.isKeyword(this.peek(), 'isnan') && this.isSymbol(this.peek(1), '(')) return this.isNan();
    return this.predicate(this.column());
  }

  private isNan(): UnboundExpression {
    this.next += 2;
    const ref = this.column();
    this.expectSymbol(')');
    return { op: 'is-nan', ref };
  }

  /** `5 < x`, turned round; TRUE and FALSE also stand alone. */
  private literalFirst(literal: Literal): UnboundExpression {
    const comparison = this.comparison();
    if (comparison === undefined) {
      if (literal.kind === 'boolean') return { op: literal.value ? 'true' : 'false' };
      throw this.unexpected('a comparison');
    }
    return { op: comparison.flipped, ref: this.column(), literal };
  }

  private predicate(ref: string): UnboundExpression {
    const comparison = this.comparison();
    if (comparison !== undefined) return { op: comparison.op, ref, literal: this.expectLiteral() };
    if (this.takeKeyword('is')) {
      const negated = this.takeKeyword('not');
      if (!this.takeKeyword('null')) throw this.unexpected('NULL');
      return { op: negated ? 'not-null' : 'is-null', ref };
    }
    const negated = this.takeKeyword('not');
    if (this.takeKeyword('in')) return { op: negated ? 'not-in' : 'in', ref, literals: this.list() };
    if (this.takeKeyword('like')) return this.like(ref, negated);
    throw this.unexpected(`=, <>, <, <=, >, >=, IN, IS NULL or LIKE after the column '${ref}'`);
  }

  private list(): readonly Literal[] {
    this.expectSymbol('(');
    const literals: Literal[] = [];
    do literals.push(this.takeKeyword('null') ? { kind: 'null' } : this.expectLiteral());
    while (this.takeSymbol(','));
    this.expectSymbol(')');
    return literals;
  }

  private like(ref: string, negated: boolean): UnboundExpression {
    const pattern = this.peek();
    if (pattern.kind !== 'text') throw this.unexpected("a pattern like 'prefix%'");
    this.next++;
    const prefix = pattern.value.endsWith('%') ? pattern.value.slice(0, -1) : undefined;
    if (/[%_]/.test(prefix ?? pattern.value)) {
      throw invalid(
        pattern.position,
        "LIKE takes only a literal prefix and one % at the end, no _ and no other %; for a prefix with these characters write >= 'prefix' AND < 'prefiy'",
      );
    }
    if (prefix !== undefined) return { op: negated ? 'not-starts-with' : 'starts-with', ref, prefix };
    return { op: negated ? 'not-eq' : 'eq', ref, literal: { kind: 'text', value: pattern.value } };
  }

  private column(): string {
    const token = this.peek();
    const reserved = token.kind === 'name' && RESERVED.has(token.value.toLowerCase());
    if ((token.kind !== 'name' && token.kind !== 'quoted') || reserved) {
      throw this.unexpected('a column (in double quotes if it is named like a keyword)');
    }
    this.next++;
    return token.value;
  }

  private comparison(): { readonly op: ComparisonOp; readonly flipped: ComparisonOp } | undefined {
    const token = this.peek();
    const comparison = token.kind === 'symbol' ? COMPARISONS.get(token.value) : undefined;
    if (comparison !== undefined) this.next++;
    return comparison;
  }

  private expectLiteral(): Literal {
    const literal = this.literal();
    if (literal !== undefined) return literal;
    const token = this.peek();
    if (this.isKeyword(token, 'null'))
      throw invalid(token.position, 'nothing equals NULL: write IS NULL or IS NOT NULL');
    if (token.kind === 'name' || token.kind === 'quoted') {
      throw invalid(
        token.position,
        `'${token.value}' is not a literal: a column is compared with a literal, and text is written in single quotes`,
      );
    }
    throw this.unexpected('a literal');
  }

  private literal(): Literal | undefined {
    const token = this.peek();
    switch (token.kind) {
      case 'number':
        this.next++;
        return numberLiteral(token);
      case 'text':
        this.next++;
        return { kind: 'text', value: token.value };
      case 'binary':
        this.next++;
        return { kind: 'binary', value: Uint8Array.from(Buffer.from(token.value, 'hex')) };
      case 'name':
        return this.namedLiteral(token);
      default:
        return undefined;
    }
  }

  private namedLiteral(token: Token): Literal | undefined {
    const word = token.value.toLowerCase();
    if (word === 'true' || word === 'false') {
      this.next++;
      return { kind: 'boolean', value: word === 'true' };
    }
    const text = this.peek(1);
    if (text.kind !== 'text' || (word !== 'date' && word !== 'time' && word !== 'timestamp')) return undefined;
    this.next += 2;
    return temporalLiteral(word, text);
  }

  private peek(ahead = 0): Token {
    const token = this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)];
    return token ?? { kind: 'end', value: '', position: 1 };
  }

  private isKeyword(token: Token, word: string): boolean {
    return token.kind === 'name' && token.value.toLowerCase() === word;
  }

  private isSymbol(token: Token, symbol: string): boolean {
    return token.kind === 'symbol' && token.value === symbol;
  }

  private takeKeyword(word: string): boolean {
    if (!this.isKeyword(this.peek(), word)) return false;
    this.next++;
    return true;
  }

  private takeSymbol(symbol: string): boolean {
    if (!this.isSymbol(this.peek(), symbol)) return false;
    this.next++;
    return true;
  }

  private expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.unexpected(`'${symbol}'`);
  }

  private unexpected(expected: string): Error {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the expression ends' : `there is ${JSON.stringify(token.value)}`;
    return invalid(token.position, `${found} where ${expected} should be`);
  }
}

function numberLiteral({ value }: Token): Literal {
  const [, sign, whole = '', fraction = '', exponent = '0'] = /^([+-]?)(\d*)\.?(\d*)(?:[eE](.+))?$/.exec(value) ?? [];
  const digits = BigInt(whole + fraction);
  return { kind: 'number', digits: sign === '-' ? -digits : digits, exponent: Number(exponent) - fraction.length };
}

function temporalLiteral(kind: 'date' | 'time' | 'timestamp', { value, position }: Token): Literal {
  if (kind === 'date') {
    const days = parseDateText(value);
    if (days !== undefined) return { kind, days };
  } else {
    const nanos = kind === 'time' ? parseTimeText(value) : parseTimestampText(value);
    if (nanos !== undefined) return { kind, nanos };
  }
  const example = { date: '2001-03-09', time: '17:05:01.5', timestamp: '2001-03-09T17:05:01.5+02:00' }[kind];
  throw invalid(position, `'${value}' is not a ${kind} such as '${example}'`);
}
