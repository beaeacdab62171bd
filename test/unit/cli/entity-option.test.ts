import { describe, expect, it } from 'vitest';
import { parseEntity } from '../../../cli/options/entity-option.js';

describe('--entity', () => {
  it.each([
    ['origin=SFO', [['origin', 'SFO']]],
    [
      'a=1,b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a=', [['a', '']]],
    ['a=x=y', [['a', 'x=y']]],
    [
      'a="x,y",b= z ',
      [
        ['a', 'x,y'],
        ['b', ' z '],
      ],
    ],
    ['a="say ""hi"""', [['a', 'say "hi"']]],
    ['a=it"s', [['a', 'it"s']]],
    ['__proto__=1', [['__proto__', '1']]],
  ])('%j', (text, keys) => {
    expect([...parseEntity(text)]).toEqual(keys);
  });

  it.each([
    ['SFO', 'write key=value'],
    ['', 'write key=value'],
    ['=1', 'write key=value'],
    ['a=1,', 'write key=value'],
    ['a=1,b', 'write key=value'],
    ['a=1,a=2', '"a" is given twice'],
    ['a="x', 'the quote at position 3 is not closed before a comma or the end'],
    ['a="x"y', 'the quote at position 3 is not closed before a comma or the end'],
  ])('refuses %j', (text, reason) => {
    expect(() => parseEntity(text)).toThrow(`--entity ${JSON.stringify(text)}: ${reason}; an entity is k=v[,k2=v2]`);
  });
});
