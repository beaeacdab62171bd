import { expect, test } from 'vitest';
import { namesBuckets } from '../../../storage/index.js';
import { S3Roots } from '../../../storage/s3/s3-location.js';
import { codeOf } from '../../support/error-code.js';

test('a root may stand for all buckets whose names have an ending, and for no other', () => {
  const roots = new S3Roots(['s3://*--table-s3', 's3://lake/a']);
  expect(roots.resolve('s3://63a8e430-6e0b--table-s3/metadata/x')).toEqual({
    bucket: '63a8e430-6e0b--table-s3',
    key: 'metadata/x',
  });
  expect(roots.resolve('s3a://x--table-s3')).toEqual({ bucket: 'x--table-s3', key: '' });
  expect(roots.resolve('s3://lake/a/b')).toEqual({ bucket: 'lake', key: 'a/b' });
  for (const elsewhere of ['s3://lake/b', 's3://lake--table-s3x/a', 's3://table-s3/a', 's3://*--table-s3/a'])
    expect(codeOf(() => roots.resolve(elsewhere))).toBe('LOCATION_REFUSED');
  expect(namesBuckets('s3://*--table-s3')).toBe(true);
  expect(namesBuckets('s3://lake--table-s3')).toBe(false);
});

test.each(['s3://*', 's3://*/a', 's3://*lake', 's3://a*--table-s3', 's3://*--table-s3/a', 's3://*-.*'])(
  'a root %s is refused',
  (root) => {
    expect(codeOf(() => new S3Roots([root]))).toBe('LOCATION_REFUSED');
  },
);
