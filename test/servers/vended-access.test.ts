/** Projects without credentials: the catalog gives access to the files of its tables. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonLines } from '../support/cli.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type S3Server, startMinio } from '../support/s3-server.js';
import { expectSameLife, type SharedProject } from '../support/shared-project.js';

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
        heading: 'Access to files by the catalog',
        catalog: nessie.uriOf('main'),
        shown: 'can be read, with the access that its catalog gives',
        python: { type: 'rest', uri: nessie.uriOf('main'), ...s3.options },
      });
      await expectTrainingSets(project);
    } finally {
      await nessie.close();
    }
  },
);

/** Tables that are made before their rows, by workflows whose steps know them by their plan. */
async function expectTrainingSets({ run }: SharedProject): Promise<void> {
  await run('table', 'append', 'shop.labels', 'data/entities.csv', '--create');
  const labels = ['--features', 'churn_model', '--entities-table', 'shop.labels'];
  const asked = jsonLines(await run('features', 'historical', ...labels, '--json'));
  expect(await run('features', 'historical', ...labels, '--save-as', 'shop.set', '--shards', '2')).toContain(
    `Saved dataset set: ${asked.length} rows`,
  );
  const range = ['--start', '2025-12-31', '--end', '2026-02-09', '--step', '10d', '--wait'];
  await run('backfill', '--training-set', 'filled', ...labels, '--save-as', 'shop.filled', ...range);
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted();
  for (const name of ['set', 'filled']) {
    expect(sorted(jsonLines(await run('table', 'scan', `shop.${name}`)))).toEqual(sorted(asked));
    expect(jsonLines(await run('features', 'replay', name, '--json'))).toMatchObject([{ matches: true }]);
  }
}
