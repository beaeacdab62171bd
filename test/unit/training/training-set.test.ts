/** Training sets in shards: each step as the activities call it, on real tables. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineEntity, defineFeatureView, type Moraine } from '../../../index.js';
import { datasetDeps } from '../../../project/index.js';
import {
  commitTrainingSet,
  discardTrainingSet,
  parseTrainingSetRequest,
  pinTrainingSet,
  planTrainingSet,
  rowsOfShard,
  stageEntities,
  stageTrainingShard,
  type TrainingDeps,
} from '../../../training/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { MoraineFolder } from '../../support/moraine-folder.js';

let lab: MoraineFolder;
let folder: string;
let moraine: Moraine;
let deps: TrainingDeps;

/** Keys of the entity rows: values that collide as text when put side by side, duplicates, nulls. */
const LABELS = [
  ['1', '23', 'a'],
  ['12', '3', 'b'],
  ['12', '3', 'b'],
  ['', '7', 'c'],
  ['', '', 'd'],
  ['', '', 'd'],
  ...Array.from({ length: 60 }, (_, i) => [String(i % 20), String(i % 3), `l${i % 30}`]),
];

beforeAll(async () => {
  lab = await MoraineFolder.open();
  ({ folder, moraine } = lab);
  const features = Array.from({ length: 20 }, (_, i) => `${i},2001-01-0${1 + (i % 5)}T00:00:00Z,${i}.5`);
  await lab.append('shop.stats', ['k,at,v', ...features, '12,2001-01-03T00:00:00Z,99.5']);
  await lab.append('shop.labels', [
    'k,j,event_timestamp,label',
    ...LABELS.map(([k, j, l]) => `${k},${j},2001-01-04T00:00:00Z,${l}`),
  ]);
  await lab.append('shop.times', ['event_timestamp,label', '2001-01-04T00:00:00Z,x']);
  const entity = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const source = { table: 'shop.stats', timestampField: 'at' } as const;
  await moraine.apply([entity, defineFeatureView({ name: 'stats', entities: [entity], source })]);
  deps = await datasetDeps(moraine.project);
});
afterAll(() => lab.close());

const request = (name: string, more: object = {}) =>
  parseTrainingSetRequest({
    name,
    features: ['stats'],
    entities: { table: 'shop.labels' },
    to: `sets.${name}`,
    shards: 7,
    ...more,
  });

async function stageAll(planLocation: string, shards: number) {
  const staged = [];
  for (let shard = 0; shard < shards; shard++) staged.push(await stageTrainingShard(deps, planLocation, shard));
  return staged;
}

async function saveInShards(name: string, more: object = {}) {
  const { planLocation, shards } = await planTrainingSet(deps, request(name, more));
  return commitTrainingSet(deps, planLocation, await stageAll(planLocation, shards));
}

/** Every file below the warehouse. */
const filesBelow = (): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('splitting entity rows', () => {
  test.each([[['k']], [['k', 'j']], [[]]])(
    'by %j every row is in exactly one shard, nulls and duplicates too',
    async (columns) => {
      const table = await moraine.project.loadTable('shop.labels');
      const schema = table.metadata.schemas[0];
      if (schema === undefined) throw new Error('no schema');
      const values = LABELS.map(
        ([k, j, l]) => `(${k || 'NULL'}, ${j || 'NULL'}, TIMESTAMPTZ '2001-01-04 00:00:00Z', '${l}')`,
      );
      const relation = `(SELECT k::BIGINT, j::BIGINT, t, l FROM (VALUES ${values.join(', ')}) AS v(k, j, t, l))`;
      const found = await deps.engine.withConnection(async (connection) => {
        const all = [];
        for (let index = 0; index < 5; index++) {
          const shard = rowsOfShard({ relation, schema }, columns, { index, count: 5 });
          const rows = await connection.rows(`SELECT c0, c1, c3 FROM ${shard.relation}`);
          all.push(
            rows.map((row) =>
              JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
            ),
          );
        }
        return all;
      });
      const expected = LABELS.map(([k, j, l]) => JSON.stringify([k ? Number(k) : null, j ? Number(j) : null, l]));
      expect(found.flat().sort()).toEqual(expected.sort());
      // Equal keys are in one shard, and no shard has everything.
      const shardsOf = (row: string) => found.filter((rows) => rows.includes(row)).length;
      expect(new Set(expected.map(shardsOf))).toEqual(new Set([1]));
      expect(found.filter((rows) => rows.length > 0).length).toBeGreaterThan(1);
    },
  );
});

test('the shards add up to the dataset that is saved at once: rows, digest, record, replay', async () => {
  const whole = await moraine.saveDataset({
    features: ['stats'],
    entities: { table: 'shop.labels' },
    saveAs: { name: 'whole', to: { table: 'sets.whole' } },
  });
  const sharded = await saveInShards('sharded');
  expect(sharded.rows).toBe(BigInt(LABELS.length));
  expect(sharded).toEqual({ ...whole, name: 'sharded', location: sharded.location });
  const rows = await lab.rowsOf('sets.sharded');
  expect(rows).toHaveLength(LABELS.length);
  expect(rows).toEqual(await lab.rowsOf('sets.whole'));
  expect(await moraine.replayDataset('sharded')).toMatchObject({ matches: true, recomputed: whole.digest });
  const { metadata } = await moraine.project.loadTable('sets.sharded');
  expect(metadata.snapshots).toHaveLength(1);
});

test('no entity rows', async () => {
  await moraine.createTable('shop.no_labels', {
    schema: (await moraine.project.loadTable('shop.labels')).metadata.schemas[0] ?? expect.unreachable(),
  });
  const none = await saveInShards('none', { entities: { table: 'shop.no_labels' } });
  expect(none.rows).toBe(0n);
  expect(await moraine.replayDataset('none')).toMatchObject({ rows: 0n, matches: true });
});

test('entity rows of the client are staged by reference, read by the shards, and deleted with the commit', async () => {
  const entities = [
    { k: 1, event_timestamp: '2001-01-04T00:00:00Z', label: 'x' },
    { k: null, event_timestamp: '2001-01-04T00:00:00Z', label: 'y' },
  ];
  const features = ['stats:v'];
  const whole = await moraine.saveDataset({ features, entities, saveAs: { name: 'rows', to: { table: 'sets.rows' } } });
  const staged = await stageEntities(deps, { features, entities: { rows: entities } }, 'sets.brought');
  expect(filesBelow().filter((file) => file.includes('/staged/'))).toHaveLength(2);
  const saved = await saveInShards('brought', { features, entities: { staged }, shards: 3 });
  expect([saved.digest, saved.rows]).toEqual([whole.digest, 2n]);
  expect(filesBelow().filter((file) => file.includes('/staged/'))).toEqual([]);
  const notStaged = planTrainingSet(deps, request('other', { entities: { staged: join(folder, 'append.csv') } }));
  expect(await rejectionCode(notStaged)).toBe('INVALID_ARGUMENT');
});

test('what changes after the plan is not seen; attempts that are repeated or late write nothing twice', async () => {
  const { planLocation, shards } = await planTrainingSet(deps, request('steady', { shards: 3 }));
  await lab.append('shop.stats', ['k,at,v', '1,2001-01-03T00:00:00Z,-1.5']);
  await lab.append('shop.labels', ['k,j,event_timestamp,label', '1,1,2001-01-04T00:00:00Z,late']);
  await moraine.apply([
    defineEntity({ name: 'thing', joinKeys: ['k'] }),
    defineFeatureView({
      name: 'stats',
      entities: [defineEntity({ name: 'thing', joinKeys: ['k'] })],
      source: { table: 'shop.stats', timestampField: 'at' },
      ttl: '1h',
    }),
  ]);
  const abandoned = await stageAll(planLocation, shards);
  const staged = await stageAll(planLocation, shards);
  expect(staged.map(({ sum }) => sum)).toEqual(abandoned.map(({ sum }) => sum));
  const first = await commitTrainingSet(deps, planLocation, staged);
  expect(first.digest).toBe((await deps.datasets.get('sharded')).record.digest);
  // A late attempt, with other files and even without any.
  expect(await commitTrainingSet(deps, planLocation, abandoned)).toEqual(first);
  expect(await commitTrainingSet(deps, planLocation, [])).toEqual(first);
  await discardTrainingSet(deps, planLocation);
  const { metadata } = await moraine.project.loadTable('sets.steady');
  expect(metadata.snapshots).toHaveLength(1);
  expect(await moraine.replayDataset('steady')).toMatchObject({ rows: BigInt(LABELS.length), matches: true });
});

test('a commit without all shards is refused', async () => {
  const { planLocation, shards } = await planTrainingSet(deps, request('partial', { shards: 2 }));
  const staged = await stageAll(planLocation, shards);
  expect(await rejectionCode(commitTrainingSet(deps, planLocation, staged.slice(1)))).toBe('INVALID_ARGUMENT');
  expect(await rejectionCode(stageTrainingShard(deps, planLocation, 2))).toBe('INVALID_ARGUMENT');
  await discardTrainingSet(deps, planLocation);
  expect(await rejectionCode(moraine.project.loadTable('sets.partial'))).toBe('TABLE_NOT_FOUND');
});

test('discarding takes back tags, table and files of this plan, and what others have made stays', async () => {
  const before = filesBelow();
  const { planLocation, shards } = await planTrainingSet(deps, request('dropped', { pin: true, shards: 2 }));
  await pinTrainingSet(deps, planLocation);
  const tags = async () => [...(await moraine.project.loadTable('shop.stats')).metadata.refs.keys()];
  expect(await tags()).toEqual(['main', 'moraine-dataset-dropped']);
  await stageAll(planLocation, shards);
  expect(filesBelow().length).toBeGreaterThan(before.length + 3);
  await discardTrainingSet(deps, planLocation);
  await discardTrainingSet(deps, planLocation);
  expect(await tags()).toEqual(['main']);
  const left = filesBelow().filter((file) => !before.includes(file));
  // The metadata of the source, which was tagged and untagged.
  expect(left.filter((file) => !/\/stats\/metadata\/[^/]*\.metadata\.json$/.test(file))).toEqual([]);
});

test('faults 80: a plan that somebody has changed takes no other files back', async () => {
  const { planLocation } = await planTrainingSet(deps, request('forged', { shards: 2 }));
  const plan = JSON.parse(readFileSync(planLocation, 'utf8')) as {
    readonly attempt: string;
    readonly location: string;
  };
  const foreign = join(plan.location, plan.attempt, 'foreign.parquet');
  mkdirSync(dirname(foreign), { recursive: true });
  writeFileSync(foreign, 'x');
  const before = filesBelow();
  writeFileSync(planLocation, JSON.stringify({ ...plan, attempt: '', location: dirname(plan.location) }));
  expect(await rejectionCode(discardTrainingSet(deps, planLocation))).toBe('METADATA_CORRUPT');
  expect(filesBelow()).toEqual(before);
  writeFileSync(planLocation, JSON.stringify(plan));
  await discardTrainingSet(deps, planLocation);
  expect([existsSync(foreign), existsSync(planLocation)]).toEqual([true, false]);
});

test.each([
  ['DATASET_ALREADY_EXISTS', { name: 'whole' }],
  ['TABLE_ALREADY_EXISTS', { to: 'shop.labels' }],
  ['TABLE_ALREADY_EXISTS', { to: 'sets.whole' }],
  ['TABLE_NOT_FOUND', { entities: { table: 'shop.nothing' } }],
  ['FEATURE_VIEW_NOT_FOUND', { features: ['nothing'] }],
  ['COLUMN_NOT_FOUND', { entities: { table: 'shop.times' } }],
  ['SNAPSHOT_NOT_FOUND', { asOf: { snapshotId: '1' } }],
  ['DUPLICATE_NAME', { features: ['stats:v', { view: 'stats', alias: 'again', features: ['v'] }] }],
])('%s before anything is written', async (code, change) => {
  const before = filesBelow();
  expect(await rejectionCode(planTrainingSet(deps, request('fresh', { to: 'fresh.table', ...change })))).toBe(code);
  expect(filesBelow()).toEqual(before);
});

test('rows that an equal plan has committed are not taken back: they are recorded by the next attempt', async () => {
  const first = await planTrainingSet(deps, request('equal', { pin: true }));
  const second = await planTrainingSet(deps, request('equal', { pin: true, shards: 2 }));
  const staged = await stageAll(second.planLocation, second.shards);
  const committed = await commitTrainingSet(deps, second.planLocation, staged);
  // As after a kill between the rows and the record.
  const { catalog } = await moraine.project.resolveTable('moraine.datasets');
  await catalog.dropTable({ namespace: ['moraine'], name: 'datasets' });
  await discardTrainingSet(deps, first.planLocation);
  const { refs } = (await moraine.project.loadTable('shop.stats')).metadata;
  expect([...refs.keys()]).toEqual(['main', 'moraine-dataset-equal']);
  // A plan that is made now has nothing to retrieve.
  const third = await planTrainingSet(deps, request('equal', { pin: true }));
  expect(third.shards).toBe(0);
  expect(await commitTrainingSet(deps, third.planLocation, [])).toEqual(committed);
  expect(await moraine.replayDataset('equal')).toMatchObject({ matches: true });
});
