/** Online rows by feature name, typed where definitions are; names that are not in the definitions do not compile. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import {
  createMoraine,
  defineEntity,
  defineFeatureService,
  defineFeatureView,
  type FeatureValue,
  type Moraine,
  type OnlineValue,
  type TypedMoraine,
} from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { lastingFolder } from '../../support/temp-folder.js';

const customer = defineEntity({ name: 'customer', joinKeys: ['customer'] });
const source = { table: 'shop.stats', timestampField: 'ts' };
const stats = defineFeatureView({
  name: 'stats',
  entities: [customer],
  source,
  online: true,
  features: [{ name: 'orders', type: 'long' }, { name: 'basket', type: 'double' }, 'city'],
});
/** All columns of its table. */
const open = defineFeatureView({ name: 'open', entities: [customer], source, online: true });
const model = defineFeatureService({
  name: 'model',
  features: [stats.feature('orders'), { view: stats, features: ['basket'], alias: 'other' }],
});
const everything = defineFeatureService({ name: 'everything', features: [stats] });
const definitions = [customer, stats, open, model, everything] as const;
const entities = [{ customer: 1 }];

type Long = OnlineValue<bigint>;
type Double = OnlineValue<number>;
type Any = OnlineValue;

describe('rows by feature name', () => {
  const folder = lastingFolder();
  let moraine: TypedMoraine<typeof definitions>;
  beforeAll(async () => {
    const options = { cwd: folder.path, config: { engine: { threads: 1 } }, fileFolders: [folder.path] };
    moraine = await createMoraine({ ...options, definitions });
    const file = join(folder.path, 'stats.csv');
    writeFileSync(
      file,
      'customer,ts,orders,basket,city\n1,2026-01-01T00:00:00Z,7,2.5,Bonn\n2,2026-01-01T00:00:00Z,8,,\n',
    );
    await moraine.appendFile('shop.stats', file, { create: true });
    await moraine.apply(definitions);
    const deps = await materializationDeps(moraine.project);
    for (const view of ['stats', 'open']) await materializeDirect(deps, { view });
  });
  afterAll(async () => {
    await moraine.close();
    rmSync(folder.path, { recursive: true });
  });

  it('hold the values of the rows', async () => {
    const answer = await moraine.getOnlineFeatures({
      view: 'stats',
      entities: [{ customer: 1 }, { customer: 2 }, { customer: 3 }],
    });
    const [first, second, third] = answer.rowsByName;
    expect(first?.orders.value).toBe(7n);
    expect(first?.basket.value).toBe(2.5);
    expect(first?.city.value).toBe('Bonn');
    expect([second?.orders.value, second?.basket.status]).toEqual([8n, 'NULL_VALUE']);
    expect(third?.city).toEqual({ status: 'NOT_FOUND', value: null, eventTimestampUs: null });
    expect(answer.rowsByName).toBe(answer.rowsByName);
    expect(answer.rowsByName.map((row) => Object.values(row))).toEqual(answer.rows);
    expectTypeOf(first).toEqualTypeOf<
      { readonly orders: Long; readonly basket: Double; readonly city: Any } | undefined
    >();
  });

  it('are called as the answer calls the features', async () => {
    const asked = await moraine.getOnlineFeatures({ service: 'model', entities, fullFeatureNames: true });
    expect(asked.rowsByName).toMatchObject([{ stats__orders: { value: 7n }, other__basket: { value: 2.5 } }]);
    expectTypeOf(asked.rowsByName[0]).toEqualTypeOf<
      { readonly stats__orders: Long; readonly other__basket: Double } | undefined
    >();
    const listed = await moraine.getOnlineFeatures({ features: ['stats:orders', stats.feature('basket')], entities });
    expect(listed.rowsByName).toMatchObject([{ orders: { value: 7n }, basket: { value: 2.5 } }]);
    expectTypeOf(listed.rowsByName[0]).toEqualTypeOf<{ readonly orders: Long; readonly basket: Double } | undefined>();
    const columns = await moraine.getOnlineFeatures({ view: 'open', entities });
    expect(columns.rowsByName[0]?.['city']?.value).toBe('Bonn');
  });
});

/** Compiled by `npm run types`, and never called. */
function compiled(moraine: Moraine, typed: TypedMoraine<typeof definitions>) {
  return {
    withoutDefinitions: async () => {
      const { rowsByName } = await moraine.getOnlineFeatures({ view: 'any', entities });
      expectTypeOf(rowsByName).toEqualTypeOf<readonly { readonly [name: string]: Any }[]>();
      await moraine.getHistoricalFeatures({ features: ['any:name', 'any', 'any:a,b'], entities });
      const wide: Moraine = typed;
      return wide;
    },
    selections: async () => {
      const given = await typed.getOnlineFeatures({ view: stats, entities });
      expectTypeOf(given.rowsByName[0]?.orders).toEqualTypeOf<Long | undefined>();
      const service = await typed.getOnlineFeatures({ service: everything, entities });
      expectTypeOf(service.rowsByName[0]?.basket).toEqualTypeOf<Double | undefined>();
      const aliased = await typed.getOnlineFeatures({
        features: [{ view: 'stats', features: ['orders'], alias: 'mine' }, 'open'],
        entities,
        fullFeatureNames: true,
      });
      expectTypeOf(aliased.rowsByName[0]?.mine__orders).toEqualTypeOf<Long | undefined>();
      const some: ('stats:orders' | 'stats:basket')[] = ['stats:orders'];
      const listed = await typed.getOnlineFeatures({ features: some, entities });
      expectTypeOf(listed.rowsByName[0]?.orders).toEqualTypeOf<Long | undefined>();
      const view = 'stats' as 'stats' | 'open';
      const either = await typed.getOnlineFeatures({ view, entities });
      expectTypeOf(either.rowsByName[0]?.['orders']).toExtend<Any | undefined>();
      const full = true as boolean;
      const unknown = await typed.getOnlineFeatures({ view: 'stats', entities, fullFeatureNames: full });
      expectTypeOf(unknown.rowsByName[0]?.['stats__city']).toExtend<Any | undefined>();
    },
    wrongOnline: async () => {
      // @ts-expect-error no such view
      await typed.getOnlineFeatures({ view: 'stast', entities });
      // @ts-expect-error no such feature
      await typed.getOnlineFeatures({ features: ['stats:ordres'], entities });
      // @ts-expect-error no such view
      await typed.getOnlineFeatures({ features: ['stast:orders'], entities });
      // @ts-expect-error no such feature in a reference
      await typed.getOnlineFeatures({ features: [{ view: 'stats', features: ['ordres'] }], entities });
      // @ts-expect-error no such service
      await typed.getOnlineFeatures({ service: 'modle', entities });
      // @ts-expect-error a view that the client does not know
      await typed.getOnlineFeatures({ view: defineFeatureView({ name: 'new', entities: [], source }), entities });
      // @ts-expect-error no such field of a request
      await typed.getOnlineFeatures({ view: 'stats', entity: entities, entities });
      const { rowsByName } = await typed.getOnlineFeatures({ service: 'model', entities });
      // @ts-expect-error the service does not have this feature of the view
      expect(rowsByName[0]?.city);
      // @ts-expect-error a long is not a number
      const orders: number | null | undefined = rowsByName[0]?.orders.value;
      return orders;
    },
    wrongHistorical: async () => {
      await typed.getHistoricalFeatures({ features: ['stats:orders', stats.feature('city'), open], entities });
      await typed.getHistoricalFeatures({ features: [{ view: 'stats', features: ['orders'], alias: 'a' }], entities });
      // @ts-expect-error no such feature
      await typed.getHistoricalFeatures({ features: ['stats:ordres'], entities });
      // @ts-expect-error no such view
      await typed.openHistoricalFeatures({ features: ['stast'], entities });
      // @ts-expect-error no such service
      await typed.explainHistoricalFeatures({ service: 'modle', entities });
      const saveAs = { name: 'saved', to: { table: 'shop.saved' } };
      // @ts-expect-error no such feature
      await typed.saveDataset({ features: ['stats:ordres'], entities, saveAs });
      // @ts-expect-error no such feature
      await typed.saveTrainingSet({ features: ['stats:ordres'], entities, saveAs });
      // @ts-expect-error no such view
      await typed.materialize({ view: 'stast' });
      // @ts-expect-error no such view
      await typed.backfill({ view: 'stast', start: '2026-01-01', end: '2026-01-02', step: '1d' });
    },
    declaredTypes: async () => {
      const view = defineFeatureView({
        name: 'types',
        entities: [customer],
        source,
        features: [
          { name: 'boolean', type: 'boolean' },
          { name: 'date', type: 'date' },
          { name: 'amount', type: 'decimal(9, 2)' },
          { name: 'at', type: 'timestamptz_ns' },
          { name: 'id', type: 'uuid' },
          { name: 'bytes', type: 'fixed[4]' },
          { name: 'list', type: 'list<int>' },
          { name: 'map', type: 'map<string, long>' },
          { name: 'struct', type: 'struct<a: int>' },
        ],
      });
      const known = await createMoraine({ definitions: [view] });
      const { rowsByName } = await known.getOnlineFeatures({ view, entities });
      expectTypeOf(rowsByName).toEqualTypeOf<
        readonly {
          readonly boolean: OnlineValue<boolean>;
          readonly date: OnlineValue<number>;
          readonly amount: OnlineValue<bigint>;
          readonly at: OnlineValue<bigint>;
          readonly id: OnlineValue<string>;
          readonly bytes: OnlineValue<Uint8Array>;
          readonly list: OnlineValue<readonly (number | null)[]>;
          readonly map: OnlineValue<readonly (readonly [FeatureValue, FeatureValue])[]>;
          readonly struct: OnlineValue<ReadonlyMap<string, FeatureValue>>;
        }[]
      >();
    },
  };
}

it('names that are not in the definitions do not compile', () => {
  expect(compiled).toBeTypeOf('function');
});
