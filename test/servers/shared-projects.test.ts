/** Projects on catalogs that are large servers, by configuration alone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSameAsOnFiles } from '../support/demo.js';
import { startHive } from '../support/hive-server.js';
import { startNessie } from '../support/nessie-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
  await server.makeBucket('lake');
});
afterAll(() => server.close());

test('a project on S3 with a Hive metastore makes the rows that it makes on local files, also for PyIceberg', async () => {
  const hive = await startHive(temporaryFolder());
  try {
    await expectSameAsOnFiles(server, {
      heading: 'Hive metastore',
      catalog: hive.uri,
      shown: `catalog lake: ${hive.uri}, 4 namespaces`,
      python: { type: 'hive', uri: hive.uri, ...server.options },
    });
  } finally {
    await hive.close();
  }
});

test('a project on S3 with Nessie makes the rows that it makes on local files, also for PyIceberg', async () => {
  const nessie = await startNessie(server, 's3://lake/nessie');
  try {
    const project = await expectSameAsOnFiles(server, {
      heading: 'Nessie',
      catalog: nessie.uriOf('main'),
      shown: `catalog lake: ${nessie.uriOf('main')}, 3 namespaces`,
      python: { type: 'rest', uri: nessie.uriOf('main'), ...server.options },
    });
    expect(project.outputs.map(({ stdout }) => stdout).join('')).toContain("left to Nessie's garbage collection");
  } finally {
    await nessie.close();
  }
});
