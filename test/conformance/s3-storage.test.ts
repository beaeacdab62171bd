import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStorage } from '../../storage/index.js';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
import { rejectionCode } from '../support/error-code.js';
import { describeInterop } from '../support/python.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { describeStorageBehavior } from './storage-behavior.js';

describeInterop('S3, by moto', () => {
  let server: S3Server;
  let roots = 0;

  beforeAll(async () => {
    server = await startS3Server();
    await server.makeBucket('warehouse');
  });
  afterAll(() => server.close());

  describeStorageBehavior('objects', () => {
    roots += 1;
    const root = `s3://warehouse/root${roots}`;
    return Promise.resolve({
      io: new S3FileIO({ roots: [root], options: server.options }),
      root,
      spellings: [`s3a://warehouse/root${roots}`, `s3n://warehouse/root${roots}`],
      waysOut: [`${root}/../x`, `${root}/none/../../x`],
      clockTickMs: 1000,
    });
  });

  // MinIO lists uploads of a whole key alone: moto lists those below a folder, as S3 does.
  test('uploads that were never ended are given up when they are old, below the location alone', async () => {
    roots += 1;
    const root = `s3://warehouse/root${roots}`;
    const io = new S3FileIO({ roots: [root], options: server.options });
    const prefix = root.slice('s3://warehouse/'.length);
    const keys = [`${prefix}/t/data/a`, `${prefix}/t/b`, `${prefix}/tt/c`];
    for (const Key of keys) {
      await server.client.send(new CreateMultipartUploadCommand({ Bucket: 'warehouse', Key }));
    }
    const left = async () => {
      const { Uploads = [] } = await server.client.send(
        new ListMultipartUploadsCommand({ Bucket: 'warehouse', Prefix: `${prefix}/` }),
      );
      return Uploads.map(({ Key }) => Key).toSorted();
    };
    // All uploads of moto began in November 2010.
    await io.abandonCreations(`${root}/t`, Date.UTC(2010, 9));
    expect(await left()).toEqual(keys.toSorted());
    await io.abandonCreations(`${root}/t`, Date.UTC(2011, 0));
    expect(await left()).toEqual([keys[2]]);
    expect(await rejectionCode(io.abandonCreations('s3://warehouse/elsewhere', Date.now()))).toBe('LOCATION_REFUSED');
  });

  describeStorageBehavior('objects beside folders and another store', async () => {
    roots += 1;
    const root = `s3://warehouse/root${roots}`;
    const stores = [{ name: 'other', roots: ['s3://other'], options: server.options }];
    return {
      io: await openStorage({ roots: ['/var/empty', root], options: server.options, stores }),
      root,
      spellings: [`s3a://warehouse/root${roots}`],
      waysOut: [`${root}/../x`],
      clockTickMs: 1000,
    };
  });
});
