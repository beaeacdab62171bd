import { describe, expect, it } from 'vitest';
import { parseExpression } from '../../../iceberg/index.js';

const number = (digits: bigint, exponent = 0): unknown => ({ kind: 'number', digits, exponent });
const eq = (ref: string, literal: unknown): unknown => ({ op: 'eq', ref, literal });

describe('parseExpression', () => {
  it.each([
    ['a = 1', eq('a', number(1n))],
    ['a <> -1.50', { op: 'not-eq', ref: 'a', literal: number(-150n, -2) }],
    ['a<-2.5e-3', { op: 'lt', ref: 'a', literal: number(-25n, -4) }],
    ['a<=9223372036854775808', { op: 'lt-eq', ref: 'a', literal: number(9223372036854775808n) }],
    ['a > .5', { op: 'gt', ref: 'a', literal: number(5n, -1) }],
    ['a >= 3E10', { op: 'gt-eq', ref: 'a', literal: number(3n, 10) }],
    ['5 < a', { op: 'gt', ref: 'a', literal: number(5n) }],
    ["a = 'it''s'", eq('a', { kind: 'text', value: "it's" })],
    ["a IN ('x', NULL)", { op: 'in', ref: 'a', literals: [{ kind: 'text', value: 'x' }, { kind: 'null' }] }],
    ['a not in (1,2)', { op: 'not-in', ref: 'a', literals: [number(1n), number(2n)] }],
    ['a IS NULL', { op: 'is-null', ref: 'a' }],
    ['a Is nOt NuLl', { op: 'not-null', ref: 'a' }],
    ["a LIKE 'pre%'", { op: 'starts-with', ref: 'a', prefix: 'pre' }],
    ["a NOT LIKE '%'", { op: 'not-starts-with', ref: 'a', prefix: '' }],
    ["a LIKE 'whole'", eq('a', { kind: 'text', value: 'whole' })],
    ['isnan(a)', { op: 'is-nan', ref: 'a' }],
    ['NOT isnan(a)', { op: 'not', child: { op: 'is-nan', ref: 'a' } }],
    ['isnan = TRUE', eq('isnan', { kind: 'boolean', value: true })],
    ["day = DATE '1969-12-31'", eq('day', { kind: 'date', days: -1 })],
    ["date = date '2000-02-29'", eq('date', { kind: 'date', days: 11016 })],
    ["t = TIME '23:59:59.123456789'", eq('t', { kind: 'time', nanos: 86399123456789n })],
    ["t = TIMESTAMP '1970-01-01T00:00:01.5'", eq('t', { kind: 'timestamp', nanos: 1500000000n })],
    ["t = TIMESTAMP '1970-01-01 02:00:00.000000001+02:00'", eq('t', { kind: 'timestamp', nanos: 1n })],
    ["t = TIMESTAMP '1969-12-31T23:59Z'", eq('t', { kind: 'timestamp', nanos: -60000000000n })],
    ["b = X'00fF'", eq('b', { kind: 'binary', value: Uint8Array.of(0, 255) })],
    ['a.b = 1', eq('a.b', number(1n))],
    ['"say ""hi"".x" = 1', eq('say "hi".x', number(1n))],
    ['"AND" = 1', eq('AND', number(1n))],
    ['größe_2 = 1', eq('größe_2', number(1n))],
    ['TRUE', { op: 'true' }],
    [
      'a = 1 OR b = 2 AND NOT c = 3',
      {
        op: 'or',
        children: [
          eq('a', number(1n)),
          { op: 'and', children: [eq('b', number(2n)), { op: 'not', child: eq('c', number(3n)) }] },
        ],
      },
    ],
    [
      '(a = 1 OR b = 2) AND c = 3',
      {
        op: 'and',
        children: [{ op: 'or', children: [eq('a', number(1n)), eq('b', number(2n))] }, eq('c', number(3n))],
      },
    ],
  ])('%s', (text, expected) => {
    expect(parseExpression(text)).toEqual(expected);
  });

  it.each([
    ['', 1, 'the expression ends'],
    ['a', 2, 'the expression ends'],
    ['a = ', 5, 'the expression ends'],
    ['a = b', 5, "'b' is not a literal"],
    ['a = NULL', 5, 'IS NULL'],
    ['a == 1', 4, 'literal'],
    ['a != 1', 3, 'write <>'],
    ['a = 1 b', 7, 'AND, OR or the end'],
    ['(a = 1', 7, "')'"],
    ['a IN ()', 7, 'a literal'],
    ['a IN (SELECT 1)', 7, "'SELECT' is not a literal"],
    ["a LIKE 'a_b%'", 8, 'prefix'],
    ["a LIKE '%b'", 8, 'prefix'],
    ['a LIKE b', 8, 'pattern'],
    ["a = 'x", 5, "closing '"],
    ['"a = 1', 1, 'closing "'],
    ['a = 1x', 5, 'malformed'],
    ["a = X'0'", 5, 'pairs of hexadecimal'],
    ["a = DATE '2001-02-30'", 10, 'is not a date'],
    ["a = TIME '24:00'", 10, 'is not a time'],
    ["a = TIMESTAMP '2001-01-01T00:00:00.1234567890'", 15, 'is not a timestamp'],
    ['lower(a) = 1', 6, 'there is "("'],
    ['a; DROP TABLE t', 2, '";"'],
    ['a = 1 -- comment', 7, '"-"'],
    ['a BETWEEN 1 AND 2', 3, 'IS NULL or LIKE'],
  ])('refuses %s at character %i', (text, position, reason) => {
    expect(() => parseExpression(text)).toThrow(
      expect.objectContaining({
        code: 'EXPRESSION_INVALID',
        details: { position },
        message: expect.stringContaining(reason) as unknown,
      }),
    );
  });

  it('takes long chains, but bounds nesting and length', () => {
    const chain = parseExpression(Array.from({ length: 20_000 }, (_, i) => `a = ${i}`).join(' OR '));
    expect(chain).toMatchObject({ op: 'or' });
    expect(() => parseExpression(`${'('.repeat(10_000)}a = 1${')'.repeat(10_000)}`)).toThrow('nests deeper');
    expect(() => parseExpression(`${'NOT '.repeat(10_000)} a = 1`)).toThrow('nests deeper');
    expect(() => parseExpression(' '.repeat(1_000_001))).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    expect(() => parseExpression(`a = ${'9'.repeat(401)}`)).toThrow('400 characters');
  });
});
