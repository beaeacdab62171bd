import { expect, test } from 'vitest';
import { normalizeLocation } from '../../../locations/index.js';
import { codeOf } from '../../support/error-code.js';

test.each(['file:/a/b', 'file:///a/b', '/a/b', 'FILE:/a/b', '/a//b', '/a/./b', '/a/b/', 'file:////a/b'])(
  '%s is /a/b',
  (text) => {
    expect(normalizeLocation(text)).toBe('/a/b');
  },
);

test('what follows is the literal path', () => {
  expect(normalizeLocation('file:/a b%20c+d#e?f"g\'h\ni')).toBe('/a b%20c+d#e?f"g\'h\ni');
  expect(normalizeLocation('/a/%2e%2e/b')).toBe('/a/%2e%2e/b');
  expect(normalizeLocation('/x/a:b')).toBe('/x/a:b');
});

test.each([
  's3://b/k',
  'http://127.0.0.1/',
  'S3:/x',
  'file://host/p',
  'file://localhost/p',
  'file:p',
  'p',
  './p',
  '',
  '/a\0b',
  'file:',
])('%j is refused', (text) => {
  expect(codeOf(() => normalizeLocation(text))).toBe('LOCATION_REFUSED');
});
