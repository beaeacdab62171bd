import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTableName, parseTableName } from '../../../catalogs/index.js';
import { codeOf } from '../../support/error-code.js';

test.each([
  ['ns.t', undefined, ['ns'], 't'],
  ['a.b.c', undefined, ['a', 'b'], 'c'],
  ['cat/ns.t', 'cat', ['ns'], 't'],
  ['"c/t"/ns."my.table"', 'c/t', ['ns'], 'my.table'],
  ['ns."quote""d"', undefined, ['ns'], 'quote"d'],
  ['"a b"."new\nline"', undefined, ['a b'], 'new\nline'],
  ['ns.tüble-1 x', undefined, ['ns'], 'tüble-1 x'],
])('%s', (text, catalog, namespace, name) => {
  expect(parseTableName(text)).toEqual({
    ...(catalog === undefined ? {} : { catalog }),
    identifier: { namespace, name },
  });
});

test.each([
  '',
  't',
  'cat/t',
  '.t',
  'ns.',
  'a..b',
  'a/b/c.d',
  'ns.a/b',
  'ns."open',
  'ns.a"b',
  '"".t',
  'ns."a"b',
  '/ns.t',
  'a.b/',
])('%j is refused', (text) => {
  expect(codeOf(() => parseTableName(text))).toBe('INVALID_ARGUMENT');
});

test('any name survives being written and parsed', () => {
  const part = fc.string({ minLength: 1, unit: 'grapheme' });
  const namespace = fc.array(part, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(namespace, part, fc.option(part, { nil: undefined }), (levels, name, catalog) => {
      const identifier = { namespace: levels, name };
      const expected = catalog === undefined ? { identifier } : { catalog, identifier };
      expect(parseTableName(formatTableName(identifier, catalog))).toEqual(expected);
    }),
  );
});
