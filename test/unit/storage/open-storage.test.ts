import { expect, test } from 'vitest';
import { LocalFileIO, openStorage } from '../../../storage/index.js';
import { S3FileIO } from '../../../storage/s3/s3-file-io.js';
import { rejectionCode } from '../../support/error-code.js';

test('the roots say which storage it is; a project has one', async () => {
  expect(await openStorage({ roots: ['/w'] })).toBeInstanceOf(LocalFileIO);
  expect(await openStorage({ roots: ['s3a://bucket/w'], options: { 's3.region': 'x' } })).toBeInstanceOf(S3FileIO);
  await expect(openStorage({ roots: ['/w', 's3://bucket/w'] })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message:
      'storage.roots: /w is on this machine and s3://bucket/w is not. All warehouses and storage roots of a project must be in one kind of storage.',
  });
});

test.each(['s3://', 's3://b', 's3://Bucket_/x', 's3://bucket//x', 's3://bucket/./x'])(
  'a root that is not a place in a store is refused: %s',
  async (root) => {
    expect(await rejectionCode(openStorage({ roots: [root] }))).toBe('LOCATION_REFUSED');
  },
);

test('credentials are whole', async () => {
  const options = { 's3.access-key-id': 'a' };
  await expect(openStorage({ roots: ['s3://bucket'], options })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'The storage option s3.secret-access-key is missing beside the access key.',
  });
});
