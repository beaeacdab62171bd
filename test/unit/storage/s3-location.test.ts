import { expect, test } from 'vitest';
import { namesBuckets } from '../../../storage/index.js';
import { StoreRoots } from '../../../storage/s3/s3-location.js';
import { codeOf } from '../../support/error-code.js';

test('a root may stand for all buckets whose names have an ending, and for no other', () => {
  const roots = new StoreRoots(['s3://*--table-s3', 's3://lake/a']);
  expect(roots.resolve('s3://63a8e430-6e0b--table-s3/metadata/x')).toEqual({
    scheme: 's3',
    bucket: '63a8e430-6e0b--table-s3',
    key: 'metadata/x',
  });
  expect(roots.resolve('s3a://x--table-s3')).toEqual({ scheme: 's3', bucket: 'x--table-s3', key: '' });
  expect(roots.resolve('s3://lake/a/b')).toEqual({ scheme: 's3', bucket: 'lake', key: 'a/b' });
  for (const elsewhere of ['s3://lake/b', 's3://lake--table-s3x/a', 's3://table-s3/a', 's3://*--table-s3/a'])
    expect(codeOf(() => roots.resolve(elsewhere))).toBe('LOCATION_REFUSED');
  expect(namesBuckets('s3://*--table-s3')).toBe(true);
  expect(namesBuckets('s3://lake--table-s3')).toBe(false);
});

test.each(['s3://*', 's3://*/a', 's3://*lake', 's3://a*--table-s3', 's3://*--table-s3/a', 's3://*-.*'])(
  'a root %s is refused',
  (root) => {
    expect(codeOf(() => new StoreRoots([root]))).toBe('LOCATION_REFUSED');
  },
);

test('buckets of Google Cloud Storage are others than those of S3', () => {
  const roots = new StoreRoots(['gs://lake_1/a']);
  expect(roots.resolve('gs://lake_1/a/b')).toEqual({ scheme: 'gs', bucket: 'lake_1', key: 'a/b' });
  for (const elsewhere of ['gs://lake_1/b', 's3://lake_1/a', 'gs://lake_1/a/../b', 'gs://lake_1/a//b'])
    expect(codeOf(() => roots.resolve(elsewhere))).toBe('LOCATION_REFUSED');
  expect(roots.overlaps(new StoreRoots(['s3://lake/a']))).toBe(false);
});

test('buckets that were made before their names had to be host names are taken', () => {
  // Amazon S3, "General purpose bucket naming rules": in Northern Virginia until 2018 up to 255 characters, capitals and underscores too.
  for (const bucket of ['my_bucket', 'Legacy.Bucket_1', `a${'b'.repeat(253)}c`])
    expect(new StoreRoots([`s3://${bucket}/a`]).resolve(`s3://${bucket}/a/b`)).toEqual({
      scheme: 's3',
      bucket,
      key: 'a/b',
    });
  for (const none of ['s3://ab/a', 's3://_lake/a', 's3://la*ke/a', `s3://a${'b'.repeat(254)}c/a`])
    expect(codeOf(() => new StoreRoots([none]))).toBe('LOCATION_REFUSED');
});
