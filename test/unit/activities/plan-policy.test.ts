import { expect, onTestFinished, test } from 'vitest';
import { planPolicy } from '../../../activities/plan-policy.js';
import { ensureNamespace } from '../../../catalogs/index.js';
import { createTable } from '../../../client/create-table.js';
import type { DataFile } from '../../../iceberg/index.js';
import { openProject } from '../../../project/index.js';
import { commitAppend, loadTable } from '../../../tables/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const NAMES = ['e', 'b', 'a', 'd', 'c'];

/** Five tables of the policy, each with two files of 50 MB where one would do, and one of no policy. */
async function openTables() {
  const cwd = temporaryFolder();
  const maintenance = [{ tables: 'shop.*', compact: { amplification: 2 }, budget: '120MB' }];
  const project = await openProject({ cwd, config: { maintenance } });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  for (const [namespace, names] of [
    ['shop', NAMES],
    ['other', ['t']],
  ] as const) {
    await ensureNamespace(catalog, [namespace]);
    for (const name of names) {
      const identifier = { namespace: [namespace], name };
      const field = { id: 1, name: 'x', required: false, type: { kind: 'long' } } as const;
      await catalog.createTable(identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields: [field] } });
      const table = await loadTable(catalog, project.io, identifier);
      const files = ['1', '2'].map(
        (file): DataFile => ({
          ...{ content: 'data', filePath: `${table.metadata.location}/data/${file}.parquet`, fileFormat: 'PARQUET' },
          ...{ specId: 0, partition: [], recordCount: 1n, fileSizeInBytes: 50_000_000n },
        }),
      );
      await commitAppend(table, { files });
    }
  }
  return project;
}

/** docs/catalogs.md, "Tables that only Trino reaches": nothing is written through it, and maintenance is refused. */
test('tables that only Trino reaches are in no plan, whether Trino is there or not', async () => {
  const config = {
    catalogs: {
      local: { uri: 'catalog.db', warehouse: 'warehouse' },
      lake: { type: 'trino' as const, uri: 'http://127.0.0.1:1/lake' },
    },
    maintenance: [{ tables: '*', compact: {}, maintain: { olderThan: '7d' } }],
  };
  const project = await openProject({ config, cwd: temporaryFolder() });
  onTestFinished(() => project.close());
  const field = { id: 1, name: 'n', required: false, type: { kind: 'long' } } as const;
  const schema = { schemaId: 0, identifierFieldIds: [], fields: [field] };
  await createTable(await project.catalog(), { namespace: ['shop'], name: 'orders' }, { schema });
  expect(await planPolicy(project, {}, AbortSignal.timeout(60_000))).toEqual({
    budgets: [10 * 2 ** 30],
    runs: [{ table: 'shop.orders', policy: 0, maintain: { olderThan: '7d' } }],
    failed: [],
  });
});

test('every table is in a plan, as many plans as that takes, each with an equal share of what is left of the budget', async () => {
  const project = await openTables();
  const { signal } = new AbortController();
  const plan = async (more: Parameters<typeof planPolicy>[1], maxTables?: number) => {
    const { runs, ...rest } = await planPolicy(project, more, signal, maxTables);
    return { ...rest, runs: runs.map(({ table, compact }) => [table, compact?.maxBytes]) };
  };
  const budgets = [120e6];
  const runsOf = (...runs: readonly (readonly [string, number])[]) =>
    runs.map(([name, maxBytes]) => [`shop.${name}`, maxBytes]);
  expect(await plan({})).toEqual({
    ...{ budgets, failed: [] },
    runs: runsOf(['a', 24e6], ['b', 24e6], ['c', 24e6], ['d', 24e6], ['e', 24e6]),
  });
  expect(await plan({}, 2)).toEqual({ budgets, failed: [], runs: runsOf(['a', 20e6], ['b', 20e6]), next: 'shop.b' });
  // The first two have taken 30 MB together, and the budget is exceeded later.
  expect(await plan({ after: 'shop.b', left: [90e6] }, 2)).toEqual({
    ...{ budgets: [90e6], failed: [], next: 'shop.d' },
    runs: runsOf(['c', 22.5e6], ['d', 22.5e6]),
  });
  expect(await plan({ after: 'shop.d', left: [-1] }, 2)).toEqual({ budgets: [-1], failed: [], runs: [] });
});
