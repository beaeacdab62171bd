/** Names that do not exist are answered with the nearest ones that do, whatever they are names of and whoever asks. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nearestNames } from '../../../errors/index.js';
import { createMoraine, type Moraine } from '../../../index.js';
import { planMaterialization } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

let moraine: Moraine;
let folder: string;
const rows = (): string => join(folder, 'rows.csv');

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-nearest-')));
  const config = {
    catalogs: {
      local: { uri: 'catalog.db', warehouse: 'warehouse' },
      other: { uri: 'other.db', warehouse: 'elsewhere' },
    },
    catalog: 'local',
    engine: { threads: 1 },
  };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
  writeFileSync(rows(), 'k,ts,value\n1,2026-01-01T00:00:00Z,10\n');
  for (const table of ['shop.orders', 'shop.customers', 'other/shop.clicks'])
    await moraine.appendFile(table, rows(), { create: true });
  await moraine.apply({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [
      { name: 'readings', entities: ['thing'], source: { table: 'shop.orders', timestampField: 'ts' }, online: true },
    ],
    featureServices: [{ name: 'churn_model', features: ['readings'] }],
  });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

const VIEW = {
  code: 'FEATURE_VIEW_NOT_FOUND',
  message: "There is no feature view 'reading'. Did you mean 'readings'?",
};
const SERVICE = {
  code: 'FEATURE_SERVICE_NOT_FOUND',
  message: "There is no feature service 'churn'. There are 'churn_model'.",
};
const TABLE = {
  code: 'TABLE_NOT_FOUND',
  message: "Table local/shop.order does not exist. Did you mean 'shop.orders'?",
};
const ENTITIES = [{ k: 1, event_timestamp: '2026-01-02T00:00:00Z' }];

describe('a name that does not exist', () => {
  it.each<[string, () => Promise<unknown>, object]>([
    ['a table', () => moraine.project.loadTable('shop.order'), TABLE],
    [
      'a table of another catalog',
      () => moraine.project.loadTable('other/shop.click'),
      {
        code: 'TABLE_NOT_FOUND',
        message: "Table other/shop.click does not exist. Did you mean 'other/shop.clicks'?",
      },
    ],
    [
      'a table like no other',
      () => moraine.project.loadTable('demo.flights'),
      {
        message:
          "Table local/demo.flights does not exist. There are 'moraine.registry', 'shop.customers', 'shop.orders'.",
      },
    ],
    ['a table to append to', () => moraine.appendFile('shop.order', rows()), TABLE],
    ['a table to delete from', () => moraine.deleteRows('shop.order', 'k = 1'), TABLE],
    ['a table to upgrade', () => moraine.upgradeTable('shop.order', 3), TABLE],
    [
      'a table of entity rows',
      () => moraine.getHistoricalFeatures({ features: ['readings'], entities: { table: 'shop.order' } }),
      TABLE,
    ],
    ['a view to materialize', () => moraine.materialize({ view: 'reading' }), VIEW],
    [
      'a view that a workflow plans',
      async () => planMaterialization(await materializationDeps(moraine.project), { view: 'reading', attemptId: 'a' }),
      VIEW,
    ],
    ['a view to read online', () => moraine.getOnlineFeatures({ view: 'reading', entities: [{ k: 1 }] }), VIEW],
    ['a view to join', () => moraine.getHistoricalFeatures({ features: ['reading'], entities: ENTITIES }), VIEW],
    ['a service to read online', () => moraine.getOnlineFeatures({ service: 'churn', entities: [] }), SERVICE],
    ['a service to compare', () => moraine.compareLoggedFeatures({ service: 'churn' }), SERVICE],
    [
      'a feature to join',
      () => moraine.getHistoricalFeatures({ features: ['readings:valu'], entities: ENTITIES }),
      {
        code: 'FEATURE_NOT_FOUND',
        message: "Feature view 'readings' has no feature 'valu'. Did you mean 'value'?",
      },
    ],
    [
      'a column of a condition',
      () => moraine.deleteRows('shop.orders', 'valu = 1'),
      { code: 'COLUMN_NOT_FOUND', message: "There is no column 'valu'. Did you mean 'value'?" },
    ],
    [
      'a branch',
      () => moraine.getHistoricalFeatures({ features: ['readings'], entities: ENTITIES, asOf: { ref: 'mian' } }),
      {
        code: 'SNAPSHOT_NOT_FOUND',
        message: expect.stringContaining("no branch or tag 'mian' in the table. Did you mean 'main'?") as string,
      },
    ],
  ])('of %s is answered with the nearest', async (_, ask, expected) => {
    expect(await failureOf(ask())).toMatchObject(expected);
  });
});

it('a name of one letter is not near to every other', () => {
  expect(nearestNames('k', ['v', 'kk', 'K'])).toEqual(['K', 'kk']);
  expect(nearestNames('orders', ['order', 'ordres', 'customers'])).toEqual(['order', 'ordres']);
});
