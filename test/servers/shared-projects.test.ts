/** Projects whose catalog is a large server do by configuration alone what a project of files does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHive } from '../support/hive-server.js';
import { startNessie } from '../support/nessie-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { expectSameLife } from '../support/shared-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
  await server.makeBucket('lake');
});
afterAll(() => server.close());

test('a project whose catalog is a Hive metastore gives the answers of one on files, and PyIceberg reads its tables', async () => {
  const hive = await startHive(temporaryFolder());
  try {
    await expectSameLife(server, {
      index: 3,
      catalog: hive.uri,
      shown: `catalog lake: ${hive.uri}, 4 namespaces`,
      python: { type: 'hive', uri: hive.uri, ...server.options },
    });
  } finally {
    await hive.close();
  }
});

test('a project whose catalog is Nessie gives the answers of one on files, and PyIceberg reads its tables', async () => {
  const nessie = await startNessie(server, 's3://lake/nessie');
  try {
    const project = await expectSameLife(server, {
      index: 4,
      catalog: nessie.uriOf('main'),
      shown: `catalog lake: ${nessie.uriOf('main')}, 3 namespaces`,
      python: { type: 'rest', uri: nessie.uriOf('main'), ...server.options },
    });
    expect(project.outputs.map(({ stdout }) => stdout).join('')).toContain("left to Nessie's garbage collection");
  } finally {
    await nessie.close();
  }
});
