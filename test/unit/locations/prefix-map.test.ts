import { describe, expect, test } from 'vitest';
import { PrefixMap } from '../../../locations/index.js';
import { codeOf } from '../../support/error-code.js';

const map = (prefixes: Readonly<Record<string, string>>) =>
  new PrefixMap(Object.entries(prefixes).map(([prefix, folder]) => ({ prefix, folder })));

describe('a location', () => {
  const moved = map({
    '/old/wh': '/new/wh',
    '/old/wh/big': '/disk/big/',
    's3://bucket/t': '/new/s3',
    '/new/wh': '/new/wh',
  });

  test.each([
    ['/old/wh/ns/t/f', '/new/wh/ns/t/f', 'below a prefix'],
    ['/old/wh', '/new/wh', 'that is a prefix'],
    ['file:///old//wh/./x', '/new/wh/x', 'in another spelling'],
    ['/old/whole/x', '/old/whole/x', 'that only begins alike'],
    ['/old/wh/big/x', '/disk/big/x', 'below two prefixes: the longest wins'],
    ['/new/wh/x', '/new/wh/x', 'below a folder that is mapped to'],
    ['s3://bucket/t/x', '/new/s3/x', 'of another scheme'],
    ['/old/wh/../x', '/new/wh/../x', 'with a way out, which whoever resolves it judges'],
    ['/elsewhere', '/elsewhere', 'without a prefix'],
  ])('%s is %s: one %s', (location, path) => {
    expect(moved.pathOf(location)).toBe(path);
  });

  test('of another scheme without a prefix is refused', () => {
    expect(codeOf(() => moved.pathOf('s3://bucket/other'))).toBe('LOCATION_REFUSED');
    expect(codeOf(() => moved.pathOf('s3://bucket/tt'))).toBe('LOCATION_REFUSED');
  });
});

test.each<readonly [Readonly<Record<string, string>>, string]>([
  [{ '/a': '/a/copy' }, 'a folder below its own prefix'],
  [{ '/a': '/b', '/b': '/c' }, 'a chain'],
  [{ '/a': '/b', '/b': '/a' }, 'a circle'],
  [{ 'relative/x': '/b' }, 'a prefix that is relative'],
  [{ 's3:x': '/b' }, 'a prefix that is none'],
])('%j is refused: %s', (prefixes) => {
  expect(codeOf(() => map(prefixes))).toBe('CONFIG_INVALID');
});
