/** Projects without credentials: the catalog gives access to the files of its tables. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type S3Server, startMinio } from '../support/s3-server.js';
import { expectSameLife } from '../support/shared-project.js';

let s3: S3Server;
beforeAll(async () => {
  s3 = await startMinio();
  await s3.makeBucket('lake');
});
afterAll(() => s3.close());

test.each(['sessions', 'signing'] as const)(
  'a project without credentials gives the answers of one on files, by %s of its catalog',
  async (access) => {
    const nessie: NessieServer = await startNessie(s3, `s3://lake/nessie/${access}`, access);
    try {
      const project = await expectSameLife(s3, {
        index: 5,
        catalog: nessie.uriOf('main'),
        shown: 'can be read, with the access that its catalog gives',
        python: { type: 'rest', uri: nessie.uriOf('main'), ...s3.options },
      });
      expect(project.outputs.length).toBeGreaterThan(10);
    } finally {
      await nessie.close();
    }
  },
);
