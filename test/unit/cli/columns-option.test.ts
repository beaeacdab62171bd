import { describe, expect, it } from 'vitest';
import { parseColumnNames } from '../../../cli/options/columns-option.js';

describe('--columns', () => {
  it.each([
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    ['a.b,c', ['a.b', 'c']],
    ['quote"d', ['quote"d']],
    [' a , b', [' a ', ' b']],
    ['"a,b",c', ['a,b', 'c']],
    ['"say ""hi""",x', ['say "hi"', 'x']],
    ['"""",b', ['"', 'b']],
    ['x,""', ['x', '']],
    ['a,', ['a', '']],
    ['', ['']],
    ['__proto__,constructor', ['__proto__', 'constructor']],
    ["it's,new\nline", ["it's", 'new\nline']],
    ['été,列', ['été', '列']],
  ])('%j', (text, names) => {
    expect(parseColumnNames(text)).toEqual(names);
  });

  it.each([
    ['"a', '--columns: the quote at position 1 is not closed'],
    ['x,"a""', '--columns: the quote at position 3 is not closed'],
    ['"a"b', '--columns: a comma is missing at position 4'],
    ['a,b,a', '--columns: column "a" is named twice'],
  ])('refuses %j', (text, message) => {
    expect(() => parseColumnNames(text)).toThrow(message);
  });
});
