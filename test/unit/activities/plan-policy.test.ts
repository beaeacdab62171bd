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
