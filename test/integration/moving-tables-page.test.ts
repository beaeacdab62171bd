/** docs/moving-tables.md is run as it stands, in order, on an S3 server: a local project moves to a bucket. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { moraine } from '../support/cli.js';
import { runPage } from '../support/documented-page.js';
import { filesBelow, filesWith } from '../support/moved-table.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { lastingFolder } from '../support/temp-folder.js';

let server: S3Server;
const lasting = lastingFolder();
beforeAll(async () => {
  server = await startS3Server();
  await server.makeBucket('lake');
});
afterAll(() => server.close());
afterAll(() => lasting.remove());

/** The objects of the bucket, as files of a folder. */
async function downloaded(folder: string): Promise<string> {
  const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ Bucket: 'lake' }));
  for (const { Key = '' } of Contents) {
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket: 'lake', Key }));
    mkdirSync(dirname(join(folder, Key)), { recursive: true });
    writeFileSync(join(folder, Key), (await Body?.transformToByteArray()) ?? '');
  }
  return folder;
}

test('a local project moves to a bucket by the steps of the page, and goes on there', async () => {
  const folder = lasting.path;
  const env = {
    R2_ENDPOINT: server.endpoint,
    R2_ACCESS_KEY: server.options['s3.access-key-id'] ?? '',
    R2_SECRET_KEY: server.options['s3.secret-access-key'] ?? '',
  };
  await runPage('docs/moving-tables.md', folder, new Map(), env);

  const copy = await downloaded(join(folder, 'copy'));
  expect(filesBelow(copy).length).toBeGreaterThan(20);
  expect(filesWith(copy, folder)).toEqual([]);
  // Time travel to before the move.
  const history = await moraine(['table', 'history', 'shop.customer_orders', '--json'], { cwd: folder, env });
  const [first] = history.stdout.split('\n');
  const { snapshotId } = JSON.parse(first ?? '') as { snapshotId: string };
  const rows = await moraine(['table', 'scan', 'shop.customer_orders', '--snapshot', snapshotId], { cwd: folder, env });
  expect(rows.stdout.trim().split('\n')).toHaveLength(160);
  expect(readFileSync(join(folder, 'moraine.yaml'), 'utf8')).not.toContain('warehouse: warehouse');
});
