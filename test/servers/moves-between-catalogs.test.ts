/** A table that moves to a Hive metastore, and away from it. */
import { test } from 'vitest';
import { startHive } from '../support/hive-server.js';
import { expectMovesThrough } from '../support/moved-through.js';
import { startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a table keeps its history on its way through a Hive metastore; PyIceberg reads it there', async () => {
  const s3 = await startS3Server();
  await s3.makeBucket('lake');
  const hive = await startHive(temporaryFolder());
  try {
    await expectMovesThrough(s3, {
      hive: {
        config: { type: 'hive', uri: hive.uri, warehouse: 's3://lake/hive' },
        python: { type: 'hive', uri: hive.uri },
      },
    });
  } finally {
    await Promise.all([hive.close(), s3.close()]);
  }
});
