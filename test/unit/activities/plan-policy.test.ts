/** Which tables a maintenance policy is for. */
import { expect, onTestFinished, test } from 'vitest';
import { planPolicy } from '../../../activities/maintain-activities.js';
import { createTable } from '../../../client/create-table.js';
import type { Schema } from '../../../iceberg/index.js';
import { openProject } from '../../../project/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'n', required: false, type: { kind: 'long' } }],
};

/** docs/catalogs.md, "Tables that only Trino reaches": nothing is written through it, and maintenance is refused. */
test('tables that only Trino reaches are none of it, whether Trino is there or not', async () => {
  const config = {
    catalogs: {
      local: { uri: 'catalog.db', warehouse: 'warehouse' },
      lake: { type: 'trino' as const, uri: 'http://127.0.0.1:1/lake' },
    },
    maintenance: [{ tables: '*', compact: {}, maintain: { olderThan: '7d' } }],
  };
  const project = await openProject({ config, cwd: temporaryFolder() });
  onTestFinished(() => project.close());
  await createTable(await project.catalog(), { namespace: ['shop'], name: 'orders' }, { schema: SCHEMA });
  expect(await planPolicy(project, AbortSignal.timeout(60_000))).toEqual({
    budgets: [10 * 2 ** 30],
    runs: [{ table: 'shop.orders', policy: 0, maintain: { olderThan: '7d' } }],
    failed: [],
  });
});

test('where tables are more than a plan has room for, each has its turn in one of the next', async () => {
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } } };
  const maintenance = [{ tables: 'shop.*', maintain: {} }];
  const project = await openProject({ config: { ...config, maintenance }, cwd: temporaryFolder() });
  onTestFinished(() => project.close());
  for (const name of ['a', 'b', 'c', 'd']) {
    await createTable(await project.catalog(), { namespace: ['shop'], name }, { schema: SCHEMA });
  }
  const seen = new Set<string>();
  // By chance a table is left out a hundred times in a row once in 10^30.
  for (let run = 0; run < 100 && seen.size < 4; run += 1) {
    const { runs } = await planPolicy(project, AbortSignal.timeout(60_000), 2);
    expect(new Set(runs.map(({ table }) => table)).size).toBe(2);
    for (const { table } of runs) seen.add(table);
  }
  expect([...seen].sort()).toEqual(['shop.a', 'shop.b', 'shop.c', 'shop.d']);
});
