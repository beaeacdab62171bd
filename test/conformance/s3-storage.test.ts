import { afterAll, beforeAll } from 'vitest';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
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
});
