import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApplyPlan, type Definitions, parseDefinitions, planApply } from '../../../features/index.js';
import { codeOf, rejectionCode } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeEach(async () => {
  lab = await FeatureLab.open();
});
afterEach(() => lab.close());

const parse = (value: unknown): Definitions => parseDefinitions([{ value }]);
const entity = (name: string, key = 'k') => ({ name, joinKeys: [key] });
const view = (name: string, more: object = {}) => ({
  name,
  source: { table: 'demo.t', timestampField: 'ts' },
  ...more,
});
const summary = (plan: ApplyPlan) => plan.changes.map((change) => `${change.action} ${change.kind} ${change.name}`);

test('one apply is one commit, and what was applied is read back the same', async () => {
  const definitions = parse({
    entities: [{ ...entity('airport'), description: 'd', tags: { __proto__x: 'y' } }],
    featureViews: [
      view('a', {
        entities: ['airport'],
        ttl: '90s',
        online: true,
        onlineBuckets: 8,
        pushSource: 'any text: é',
        source: { table: 'demo.t', timestampField: 'ts', createdTimestampField: 'c', fieldMapping: { 'x"y': 'z' } },
        features: [
          'z',
          { name: 'w', type: 'decimal(9, 2)' },
          { name: 'v', type: 'list<struct<a: int, b: map<string, double>>>' },
        ],
      }),
      view('b'),
    ],
    featureServices: [{ name: 's', features: ['a:z', { view: 'a', alias: 'other', joinKeyMap: { k: 'dest' } }, 'b'] }],
  });
  const { plan, snapshotId } = await lab.registry().apply(definitions);
  expect(summary(plan)).toEqual([
    'create entity airport',
    'create featureView a',
    'create featureView b',
    'create featureService s',
  ]);
  const state = await lab.registry().read();
  expect(state.definitions).toEqual(definitions);
  expect(state.snapshotId).toBe(snapshotId);
  expect((await lab.table('moraine.registry')).metadata.snapshots).toHaveLength(1);
});

test('applying the same again changes nothing and commits nothing', async () => {
  const definitions = parse({ entities: [entity('a')], featureViews: [view('v', { entities: ['a'], ttl: 'PT90S' })] });
  await lab.registry().apply(definitions);
  const { plan } = await lab
    .registry()
    .apply(parse({ entities: [entity('a')], featureViews: [view('v', { entities: ['a'], ttl: '90s' })] }));
  expect(summary(plan)).toEqual(['unchanged entity a', 'unchanged featureView v']);
  expect((await lab.table('moraine.registry')).metadata.snapshots).toHaveLength(1);
});

test('a dry run and a refused plan leave no registry behind', async () => {
  const definitions = parse({ entities: [entity('a')] });
  await lab.registry().apply(definitions, { dryRun: true });
  await lab
    .registry()
    .apply(definitions, { check: () => Promise.reject(new Error('refused')) })
    .catch(() => undefined);
  expect(await rejectionCode(lab.table('moraine.registry'))).toBe('TABLE_NOT_FOUND');
});

test('a change is shown field by field, and its history is kept', async () => {
  const registry = lab.registry();
  await registry.apply(
    parse({ featureViews: [view('v', { ttl: '1h', features: ['a', { name: 'b', type: 'int' }] })] }),
  );
  const changed = view('v', {
    ttl: '2h',
    online: true,
    features: ['a', { name: 'b', type: 'long' }],
    tags: { owner: 'me' },
    pushSource: 'clicks',
  });
  const { plan } = await registry.apply(parse({ featureViews: [changed] }));
  expect(plan.changes[0]?.fields).toEqual([
    { path: 'features.b.type', before: '"int"', after: '"long"' },
    { path: 'online', before: 'false', after: 'true' },
    { path: 'pushSource', before: null, after: '"clicks"' },
    { path: 'tags.owner', before: null, after: '"me"' },
    { path: 'ttl', before: '"1h"', after: '"2h"' },
  ]);
  const history = await registry.history('featureView', 'v');
  expect(history.map((row) => [row.version, row.deleted])).toEqual([
    [1, false],
    [2, false],
  ]);
});

test('the time of the first version stays, until the name is deleted', async () => {
  const registry = lab.registry();
  const apply = async (ttl?: string): Promise<readonly [from: bigint, to: bigint]> => {
    const from = BigInt(Date.now()) * 1000n;
    const definitions = parse({ featureViews: [view('v'), ...(ttl === undefined ? [] : [view('w', { ttl })])] });
    await registry.apply(definitions, { prune: true });
    return [from, BigInt(Date.now()) * 1000n];
  };
  const created = async (name: string): Promise<bigint | undefined> =>
    (await registry.creationTimes()).get(`featureView/${name}`);
  const isWithin = (time: bigint | undefined, [from, to]: readonly [bigint, bigint]): boolean =>
    time !== undefined && from <= time && time <= to;
  const first = await apply('1h');
  await sleep(2);
  await apply('2h');
  const times = [await created('v'), await created('w')];
  expect(times.map((time) => isWithin(time, first))).toEqual([true, true]);
  await apply();
  expect([await created('v'), await created('w')]).toEqual([times[0], undefined]);
  await sleep(2);
  const again = await apply('3h');
  expect(isWithin(await created('w'), again)).toBe(true);
});

test('what is not in the files is left alone, unless pruned; a deleted name continues its versions', async () => {
  const registry = lab.registry();
  const both = parse({ featureViews: [view('v'), view('w')] });
  await registry.apply(both);
  await registry.apply(parse({ featureViews: [view('v')] }));
  expect([...(await registry.read()).definitions.featureViews.keys()]).toEqual(['v', 'w']);
  const { plan } = await registry.apply(parse({ featureViews: [view('v')] }), { prune: true });
  expect(summary(plan)).toEqual(['unchanged featureView v', 'delete featureView w']);
  expect([...(await registry.read()).definitions.featureViews.keys()]).toEqual(['v']);
  await registry.apply(both);
  expect((await registry.history('featureView', 'w')).map((row) => [row.version, row.deleted])).toEqual([
    [1, false],
    [2, true],
    [3, false],
  ]);
});

test('a rename is declared, and declaring it again is no change', async () => {
  const registry = lab.registry();
  await registry.apply(parse({ featureViews: [view('old', { ttl: '1h' })] }));
  const renamed = parse({ featureViews: [view('fresh', { ttl: '2h', renamedFrom: 'old' })] });
  const { plan } = await registry.apply(renamed);
  expect(plan.changes).toEqual([
    {
      action: 'rename',
      kind: 'featureView',
      name: 'fresh',
      renamedFrom: 'old',
      fields: [
        { path: 'name', before: '"old"', after: '"fresh"' },
        { path: 'ttl', before: '"1h"', after: '"2h"' },
      ],
    },
  ]);
  expect([...(await registry.read()).definitions.featureViews.keys()]).toEqual(['fresh']);
  expect((await registry.history('featureView', 'fresh')).map((row) => row.renamedFrom)).toEqual(['old']);
  expect(summary((await registry.apply(renamed)).plan)).toEqual(['unchanged featureView fresh']);
});

test('former names are known, newest first, as long as no other object has them', async () => {
  const registry = lab.registry();
  const names = async () => [...(await registry.read()).formerNames];
  const apply = async (name: string, renamedFrom?: string) => {
    const more = renamedFrom === undefined ? {} : { renamedFrom };
    const { plan } = await registry.apply(parse({ featureViews: [view(name, more)] }));
    expect([...plan.formerNames]).toEqual(await names());
  };
  await apply('a');
  await apply('b', 'a');
  expect(await names()).toEqual([['featureView/b', ['a']]]);
  await apply('c', 'b');
  expect(await names()).toEqual([['featureView/c', ['b', 'a']]]);
  // Another view takes one of the names, and gives it up again.
  await apply('b');
  expect(await names()).toEqual([]);
  await registry.apply(parse({ featureViews: [view('c')] }), { prune: true });
  expect(await names()).toEqual([]);
});

test('renames that collide and references to nothing are refused together', () => {
  const current = {
    snapshotId: null,
    versions: new Map(),
    formerNames: new Map(),
    definitions: parse({ featureViews: [view('a'), view('b')] }),
  };
  const desired = parse({
    featureViews: [view('b', { renamedFrom: 'a' }), view('c', { entities: ['nobody'] })],
    featureServices: [{ name: 's', features: ['d'] }],
  });
  expect(codeOf(() => planApply(current, desired))).toBe('DEFINITION_INVALID');
  expect(() => planApply(current, desired)).toThrow(
    [
      '3 problems in the definitions:',
      "  - featureView.b.renamedFrom: both 'a' and 'b' are registered; delete one of them first.",
      "  - featureViews.c.entities: There is no entity 'nobody'. There are none.",
      "  - featureServices.s.features.d: There is no feature view 'd'. There are 'b', 'c'.",
    ].join('\n'),
  );
});

test('one object cannot be renamed to two', () => {
  const current = {
    snapshotId: null,
    versions: new Map(),
    formerNames: new Map(),
    definitions: parse({ entities: [entity('a')] }),
  };
  const desired = parse({
    entities: [
      { ...entity('b'), renamedFrom: 'a' },
      { ...entity('c'), renamedFrom: 'a' },
    ],
  });
  expect(() => planApply(current, desired)).toThrow(
    "  - entity.b.renamedFrom: 'a' is renamed to 'c' too; it can become only one of them.\n  - entity.c.renamedFrom: 'a' is renamed to 'b' too",
  );
});

test('concurrent applies all land', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const results = await Promise.all(names.map((name) => lab.registry().apply(parse({ entities: [entity(name)] }))));
  expect([...(await lab.registry().read()).definitions.entities.keys()]).toEqual(names);
  expect((await lab.table('moraine.registry')).metadata.snapshots).toHaveLength(names.length);
  expect(results.some((result) => result.replans > 0)).toBe(true);
});

test('concurrent applies to one object each become a version', async () => {
  await Promise.all(['x', 'y', 'z'].map((key) => lab.registry().apply(parse({ entities: [entity('a', key)] }))));
  const history = await lab.registry().history('entity', 'a');
  expect(history.map((row) => row.version)).toEqual([1, 2, 3]);
  expect(new Set(history.map((row) => row.definition))).toEqual(
    new Set(['x', 'y', 'z'].map((key) => `{"joinKeys":["${key}"],"name":"a"}`)),
  );
});

test('the registry can be read as it was', async () => {
  const registry = lab.registry();
  const { snapshotId } = await registry.apply(parse({ entities: [entity('a', 'x')] }));
  await registry.apply(parse({ entities: [entity('a', 'y')] }));
  const then = await registry.read(snapshotId === null ? {} : { snapshotId });
  expect(then.definitions.entities.get('a')?.joinKeys).toEqual(['x']);
  expect((await registry.read()).definitions.entities.get('a')?.joinKeys).toEqual(['y']);
});
