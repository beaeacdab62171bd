/** The rights that docs/storage.md asks for are enough for all that a project does, and open nothing else. MinIO checks them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
import { codeBlocks } from '../support/code-blocks.js';
import { rejectionCode } from '../support/error-code.js';
import { projectRoot } from '../support/paths.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { live, makeProject, SECRET } from '../support/shared-project.js';

const USER = 'limited';
const policy =
  codeBlocks(readFileSync(join(projectRoot, 'docs/storage.md'), 'utf8')).find(({ title }) => title === 'policy.json')
    ?.content ?? '';

let store: ServerWithUsers;
beforeAll(async () => {
  store = await startMinio();
  for (const bucket of ['lake', 'other']) await store.makeBucket(bucket);
  await store.makeUser(USER, SECRET, policy);
});
afterAll(() => store.close());

const limited = (): ServerWithUsers => ({ ...store, options: { ...store.options, 's3.access-key-id': USER } });

test('a project lives on the documented rights: it appends, applies, materializes, reads, compacts and maintains', async () => {
  const project = await makeProject(limited(), { page: 'docs/storage.md' });
  const { rows, doctor } = await live(project);
  expect(rows).toHaveLength(320);
  expect(doctor).toContain('writable');
});

test('they are enough for files in parts, and for giving up what was begun', async () => {
  const root = 's3://lake/warehouse/parts';
  const io = new S3FileIO({ roots: [root], options: limited().options });
  const content = new Uint8Array(17 * 2 ** 20).fill(7);
  await io.create(`${root}/large`, content);
  expect(Buffer.from(await io.read(`${root}/large`)).equals(content)).toBe(true);
  expect(await rejectionCode(io.read(`${root}/none`))).toBe('FILE_NOT_FOUND');
  const keys = { accessKeyId: USER, secretAccessKey: SECRET };
  const place = { endpoint: store.endpoint, region: 'us-east-1', forcePathStyle: true };
  const client = new S3Client({ ...place, credentials: keys });
  const begun = { Bucket: 'lake', Key: 'warehouse/parts/begun' };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(begun));
  const { $metadata } = await client.send(new AbortMultipartUploadCommand({ ...begun, UploadId }));
  expect($metadata.httpStatusCode).toBe(204);
  client.destroy();
});

test.each(['s3://other', 's3://lake/elsewhere', 's3://lake/warehouse-beside'])('%s is out of reach', async (root) => {
  const [, , bucket = '', ...rest] = root.split('/');
  await store.client.send(new PutObjectCommand({ Bucket: bucket, Key: [...rest, 'there'].join('/'), Body: 'x' }));
  const io = new S3FileIO({ roots: [root], options: limited().options });
  expect(await rejectionCode(io.read(`${root}/there`))).toBe('STORAGE_UNAVAILABLE');
  expect(await rejectionCode(io.create(`${root}/new`, new Uint8Array(1)))).toBe('STORAGE_UNAVAILABLE');
  expect(await rejectionCode(io.delete(`${root}/there`))).toBe('STORAGE_UNAVAILABLE');
});
