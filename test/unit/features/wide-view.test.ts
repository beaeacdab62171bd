/** Features that are not asked for decide ties all the same, though they are read for tied rows alone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import type { JoinMethod } from '../../../features/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

const WIDTH = 70;
const FEATURES = Array.from({ length: WIDTH }, (_, index) => `f${index}`);

let lab: FeatureLab;

/** Appends rows as one commit: the entity, and the features that are not 0. */
async function append(rows: readonly (readonly [k: number, features: Readonly<Record<string, number | null>>])[]) {
  const selects = rows.map(([k, features]) => {
    const values = FEATURES.map((name) => String(name in features ? features[name] : 0));
    return `SELECT ${k}, TIMESTAMPTZ '2001-01-01 00:00:00Z', TIMESTAMPTZ '2001-01-01 00:00:00Z', ${values.join(', ')}`;
  });
  await lab.append('demo.wide', selects.join(' UNION ALL '));
}

beforeAll(async () => {
  lab = await FeatureLab.open();
  const features = Object.fromEntries(FEATURES.map((name) => [name, 'long']));
  await lab.createTable('demo.wide', { k: 'long', at: 'timestamptz', created: 'timestamptz', ...features });
  await append([
    [5, { f0: 9, f50: 1 }],
    [7, { f50: 7 }],
  ]);
  await append([
    // A feature between the first and the one that is asked for.
    [1, { f30: 1, f50: 99 }],
    [1, { f30: 2, f50: 50 }],
    // The first feature that differs decides, not a later one.
    [2, { f0: 2, f50: 7 }],
    [2, { f0: 1, f50: 8, f59: 9 }],
    // Equal in all.
    [3, { f50: 3 }],
    [3, { f50: 3 }],
    [4, { f50: 4 }],
    // Null loses.
    [6, { f33: null, f50: 60 }],
    [6, { f33: -1, f50: 61 }],
    // A feature after the one that is asked for.
    [8, { f50: 1, f59: 1 }],
    [8, { f50: 1, f58: 1 }],
    // Of three, two are equal up to the last feature.
    [9, { f20: 1, f50: 5, f59: 1 }],
    [9, { f20: 1, f50: 5, f59: 2 }],
    [9, { f20: 0, f50: 6, f59: 3 }],
  ]);
  // The later commit wins, whatever the values.
  await append([[5, { f0: 0, f50: 2 }]]);
  const view = { name: 'wide', entities: ['thing'], features: FEATURES, online: true };
  const source = { table: 'demo.wide', timestampField: 'at', createdTimestampField: 'created' };
  lab.define({ entities: [{ name: 'thing', joinKeys: ['k'] }], featureViews: [{ ...view, source }] });
});
afterAll(() => lab.close());

const EXPECTED: Readonly<Record<number, readonly [f50: number | null, f58: number | null]>> = {
  1: [50, 0],
  2: [7, 0],
  3: [3, 0],
  4: [4, 0],
  5: [2, 0],
  6: [61, 0],
  7: [7, 0],
  8: [1, 1],
  9: [5, 0],
  10: [null, null],
};
const entities = Object.keys(EXPECTED).map(Number);

describe.each<JoinMethod>(['arg-max', 'max-join-back', 'asof-join-back'])('%s', (method) => {
  test.each([
    ['each entity once', entities],
    ['each entity often', Array.from({ length: 12 }, () => entities).flat()],
  ])('two features of seventy, ties decided by the others: %s', async (_, keys) => {
    const rows = keys.map((k) => ({ k, event_timestamp: '2001-01-02T00:00:00Z' }));
    const features = ['wide:f50', 'wide:f58'];
    for (const knownAsOf of [false, true]) {
      const { rows: answer } = await lab.historical({ features, entities: { rows }, method, knownAsOf });
      expect(answer.map(({ k, f50, f58 }) => [k, [f50, f58]])).toEqual(keys.map((k) => [k, EXPECTED[k]]));
    }
  });
});

/** The engine of the lab, and the statements that are run on it. */
function spiedEngine(): { readonly engine: Engine; readonly statements: readonly string[] } {
  const statements: string[] = [];
  const { engine } = lab;
  const withConnection: typeof engine.withConnection = (use, options) =>
    engine.withConnection((connection) => {
      for (const name of ['run', 'rows', 'rowsInBackground'] as const) {
        const method = connection[name].bind(connection) as (sql: string) => Promise<never>;
        connection[name] = (sql: string) => {
          statements.push(sql);
          return method(sql);
        };
      }
      return use(connection);
    }, options);
  const spied = new Proxy(engine, {
    get: (target, name) =>
      name === 'withConnection' ? withConnection : (Reflect.get(target, name, target) as unknown),
  });
  return { engine: spied, statements };
}

test('a materialization serves the same rows, and compares features of tied rows alone', async () => {
  const { engine, statements } = spiedEngine();
  const deps = { ...lab.deps, catalog: lab.catalog };
  await materializeDirect({ ...deps, engine }, { view: 'wide' });
  const asked = entities.map((k) => ({ k }));
  const { features, rows } = await getOnlineFeatures(deps, { view: 'wide', entities: asked, readTimeoutMs: 60_000 });
  const valueOf = (row: number, name: string) =>
    rows[row]?.[features.findIndex(({ feature }) => feature === name)]?.value ?? null;
  const answer = entities.map((k, row) => [k, ['f50', 'f58'].map((name) => valueOf(row, name))]);
  const long = (value: number | null) => (value === null ? null : BigInt(value));
  expect(answer).toEqual(entities.map((k) => [k, EXPECTED[k]?.map(long)]));
  const ofSource = statements.filter((sql) => sql.includes('read_parquet') && sql.includes('f50'));
  expect(ofSource.length).toBeGreaterThan(0);
  expect(ofSource.filter((sql) => sql.includes('DESC'))).toEqual([]);
});

test('a retrieval of one feature without ties does not read the others', async () => {
  const { engine, statements } = spiedEngine();
  const spiedLab = Object.assign(Object.create(lab) as FeatureLab, { engine });
  const entity = { k: 4, event_timestamp: '2001-01-02T00:00:00Z' };
  const { rows } = await spiedLab.historical({ features: ['wide:f50'], entities: { rows: [entity] } });
  expect(rows[0]?.f50).toBe(4);
  const joins = statements.filter((sql) => sql.includes('read_parquet') && sql.includes('view_0'));
  expect(joins.length).toBeGreaterThan(0);
  expect(joins.filter((sql) => /\bf49\b/.test(sql))).toEqual([]);
});
