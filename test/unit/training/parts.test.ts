/** Training sets whose sources are read in parts: each file once, and the shards answer as they would from the sources. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { entitiesOfTable, retrievalFacts, retrievalReads } from '../../../estimates/index.js';
import { currentSchema, currentSnapshot } from '../../../iceberg/index.js';
import { defineEntity, defineFeatureView, type Moraine } from '../../../index.js';
import { datasetDeps } from '../../../project/index.js';
import { changeSchema } from '../../../tables/index.js';
import {
  commitTrainingSet,
  discardTrainingSet,
  parseTrainingSetRequest,
  planTrainingSet,
  reduceTrainingPart,
  stageEntities,
  stageTrainingShard,
  type TrainingDeps,
} from '../../../training/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { MoraineFolder } from '../../support/moraine-folder.js';
import { listsOf, type ReducedLists, reduceParts, stageShards } from '../../support/training-shards.js';

let lab: MoraineFolder;
let moraine: Moraine;
let deps: TrainingDeps;

const SHARDS = 4;
const KEYS = Array.from({ length: 24 }, (_, k) => k);

beforeAll(async () => {
  lab = await MoraineFolder.open();
  ({ moraine } = lab);
  const visits = (day: string, value: (k: number) => number, keys = KEYS) =>
    lab.append('shop.visits', ['k,at,v', ...keys.map((k) => `${k},2001-01-${day}T00:00:00Z,${value(k)}.5`)]);
  // Older than the ttl; older than every entity row, but within the ttl; in time; and after them all.
  await visits('01', (k) => k);
  await visits('08', (k) => 100 + k);
  await visits(
    '10',
    (k) => 200 + k,
    KEYS.filter((k) => k % 2 === 0),
  );
  await visits(
    '10',
    (k) => 300 + k,
    KEYS.filter((k) => k % 3 === 0),
  );
  await visits('20', (k) => 900 + k);
  for (const j of [0, 1]) {
    const lines = KEYS.map((k) => `${k},${j},2001-01-09T00:00:00Z,${1000 * (j + 1) + k}`);
    await lab.append('shop.pairs', ['k,j,at,p', ...lines]);
  }
  await lab.append('shop.days', ['at,d', '2001-01-09T00:00:00Z,9', '2001-01-11T00:00:00Z,11']);
  await lab.append('shop.items', ['j,at,i', '0,2001-01-09T00:00:00Z,70', '1,2001-01-09T00:00:00Z,71']);
  for (const [j, day] of ['10', '12'].entries()) {
    const lines = [...KEYS, 99, ''].map((k) => `${k},${j},2001-01-${day}T00:00:00Z`);
    await lab.append('shop.labels', ['k,j,event_timestamp', ...lines]);
  }
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const item = defineEntity({ name: 'item', joinKeys: ['j'] });
  const view = (name: string, entities: Parameters<typeof defineFeatureView>[0]['entities'], ttl?: '5d') =>
    defineFeatureView({
      name,
      entities,
      source: { table: `shop.${name}`, timestampField: 'at' },
      ...(ttl === undefined ? {} : { ttl }),
    });
  await moraine.apply([
    thing,
    item,
    view('visits', [thing], '5d'),
    view('pairs', [thing, item]),
    view('days', []),
    view('items', [item]),
  ]);
  deps = await datasetDeps(moraine.project);
});
afterAll(() => lab.close());

const request = (name: string, more: object = {}) =>
  parseTrainingSetRequest({
    name,
    features: ['visits', 'pairs', 'days'],
    entities: { table: 'shop.labels' },
    to: `sets.${name}`,
    shards: SHARDS,
    ...more,
  });

const planned = (planLocation: string) =>
  JSON.parse(readFileSync(planLocation, 'utf8')) as {
    readonly shardColumns: readonly string[];
    readonly reduction: {
      readonly parts: readonly { readonly view: string | null; readonly files: readonly string[] }[];
    };
  };

const reduceAll = (planLocation: string, parts: number) => reduceParts(deps, planLocation, parts);
const stageAll = (planLocation: string, reduced?: ReducedLists) => stageShards(deps, planLocation, SHARDS, reduced);

const reducedFiles = (): readonly string[] =>
  readdirSync(lab.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.includes('-reduced-'))
    .map((entry) => join(entry.parentPath, entry.name));

/** What a row of the labels gets, by the words of the definitions. */
function expectedRow(k: number | null, j: number): readonly unknown[] {
  const known = k !== null && k < KEYS.length ? k : null;
  // Of the two commits of the tenth, the later one wins a tie; the eighth is the newest day of other keys.
  const visit = (key: number) => (key % 3 === 0 ? 300 + key : key % 2 === 0 ? 200 + key : 100 + key) + 0.5;
  const days = { 0: 9, 1: 11 }[j];
  return [k, j, known === null ? null : visit(known), known === null ? null : 1000 * (j + 1) + known, days];
}

test('each file that can count is in one part, and shards are split by the column that views share', async () => {
  const { planLocation, parts, shards, smallParts } = await planTrainingSet(deps, request('planned'));
  expect([parts, shards]).toEqual([7, SHARDS]);
  const { shardColumns, reduction } = planned(planLocation);
  // How long these take says nothing of the largest one.
  const sizes = reduction.parts.map(({ files }) => files.reduce((sum, file) => sum + statSync(file).size, 0));
  const most = sizes.reduce((a, b) => Math.max(a, b));
  expect(smallParts).toEqual(sizes.flatMap((size, part) => (size < most / 2 ? [part] : [])));
  expect(shardColumns).toEqual(['k']);
  expect(reduction.parts.map(({ view, files }) => [view, files.length])).toEqual([
    [null, 1],
    [null, 1],
    ['visits', 1],
    ['visits', 1],
    ['visits', 1],
    ['pairs', 1],
    ['pairs', 1],
  ]);
  expect(new Set(reduction.parts.flatMap(({ files }) => files)).size).toBe(7);
  expect(await rejectionCode(reduceTrainingPart(deps, planLocation, 7))).toBe('INVALID_ARGUMENT');
  expect(await rejectionCode(stageTrainingShard(deps, planLocation, 0, { reduced: [] }))).toBe('INVALID_ARGUMENT');
  await discardTrainingSet(deps, planLocation);
});

test('an estimate has the parts of the plan, and the rows that they then stage', async () => {
  const table = await deps.loadSource('shop.labels');
  const source = { table, snapshot: currentSnapshot(table.metadata), schema: currentSchema(table.metadata) };
  const entities = await entitiesOfTable(source);
  const factsOf = async (shards: number) =>
    (await retrievalFacts(deps, { features: ['visits', 'pairs', 'days'] }, entities, { shards })).facts;
  const facts = await factsOf(SHARDS);
  // `days` has no keys to be split by: every shard reads it.
  expect([facts.entityParts, ...facts.views.map(({ parts }) => parts)]).toEqual([2, 3, 2, 0]);
  // Labels of 24 known keys and two others; visits of the files that can count, 24, 12 and 8; pairs.
  expect(retrievalReads(facts).staged.map(({ parts, rows }) => [parts, rows])).toEqual([
    [2, 2 * 26],
    [3, 24 + 12 + 8],
    [2, 2 * 24],
  ]);
  const { planLocation, parts } = await planTrainingSet(deps, request('estimated'));
  let staged = 0n;
  for (let part = 0; part < parts; part++) staged += (await reduceTrainingPart(deps, planLocation, part)).rows;
  expect(staged).toBe(52n + 44n + 48n);
  await discardTrainingSet(deps, planLocation);
  // Three shards read everything themselves.
  const few = await factsOf(3);
  expect([few.entityParts, retrievalReads(few).staged]).toEqual([0, []]);
});

test('rows are those of the definitions, the digest that of a set that is saved at once, and nothing reduced is left', async () => {
  const { planLocation, parts } = await planTrainingSet(deps, request('parted'));
  const reduced = await reduceAll(planLocation, parts);
  const saved = await commitTrainingSet(deps, planLocation, await stageAll(planLocation, reduced), listsOf(reduced));
  expect(reducedFiles()).toEqual([]);
  const whole = await moraine.saveDataset({
    features: ['visits', 'pairs', 'days'],
    entities: { table: 'shop.labels' },
    saveAs: { name: 'whole', to: { table: 'sets.whole' } },
  });
  expect([saved.digest, saved.rows]).toEqual([whole.digest, whole.rows]);
  const rows = (await lab.rowsOf('sets.parted')).map((row) => Object.entries(JSON.parse(row) as object));
  const found = rows.map((row) => row.filter(([name]) => name !== 'event_timestamp').map(([, value]) => Number(value)));
  const expected = [...KEYS, 99, null].flatMap((k) => [0, 1].map((j) => expectedRow(k, j).map(Number)));
  const sorted = (all: readonly (readonly number[])[]) => all.map((row) => row.join()).sort();
  expect(sorted(found)).toEqual(sorted(expected));
});

test('a part that was killed is taken again: each attempt leaves the same rows, and a discarded plan leaves no file', async () => {
  const before = reducedFiles();
  const { planLocation, parts } = await planTrainingSet(deps, request('again'));
  const [killed, kept] = [await reduceAll(planLocation, parts), await reduceAll(planLocation, parts)];
  expect(new Set([...killed, ...kept]).size).toBe(2 * parts);
  const sums = async (reduced?: readonly (string | null)[]) =>
    (await stageAll(planLocation, reduced)).map(({ sum, rows }) => [sum, rows]);
  // A worker that knows of no parts reads the sources.
  const alone = await sums();
  expect(await sums(killed)).toEqual(alone);
  expect(await sums(kept)).toEqual(alone);
  expect(alone.filter(([, rows]) => rows !== 0n).length).toBeGreaterThan(2);
  await discardTrainingSet(deps, planLocation);
  expect(reducedFiles()).toEqual(before);
});

test('entity rows of the client are staged once, split by a part, and deleted with the commit', async () => {
  const rows = [
    ...KEYS.map((k) => ({ k, j: k % 2, event_timestamp: '2001-01-10T00:00:00Z', note: null })),
    { k: null, j: 0, event_timestamp: '2001-01-10T00:00:00Z', note: null },
  ];
  const features = ['visits', 'days'];
  const saveAs = { name: 'brought_whole', to: { table: 'sets.brought_whole' } };
  const whole = await moraine.saveDataset({ features, entities: rows, saveAs });
  const staged = await stageEntities(deps, { features, entities: { rows } }, 'sets.brought');
  const { planLocation, parts } = await planTrainingSet(deps, request('brought', { features, entities: { staged } }));
  expect(planned(planLocation).reduction.parts.map(({ view }) => view)).toEqual([null, 'visits', 'visits', 'visits']);
  const reduced = await reduceAll(planLocation, parts);
  const shards = await stageAll(planLocation, reduced);
  const saved = await commitTrainingSet(deps, planLocation, shards, listsOf(reduced));
  expect([saved.digest, saved.rows]).toEqual([whole.digest, BigInt(rows.length)]);
  expect(reducedFiles()).toEqual([]);
});

test.each([
  ['of few shards', { shards: 3 }],
  ['of views that share no column', { features: ['visits', 'items'] }],
  ['of a single file', { features: ['items'] }],
  ['of a view without entities', { features: ['days'] }],
])('a training set %s has no parts', async (_, more) => {
  const { planLocation, parts } = await planTrainingSet(deps, request('without', more));
  expect([parts, planned(planLocation).reduction]).toEqual([0, null]);
  await discardTrainingSet(deps, planLocation);
});

test('a view with a column that no file is written with is read by the shards', async () => {
  for (const day of ['09', '10']) {
    await lab.append('shop.codes', ['k,at,c', ...KEYS.map((k) => `${k},2001-01-${day}T00:00:00Z,${Number(day) + k}`)]);
  }
  const { catalog, identifier } = await moraine.project.resolveTable('shop.codes');
  const { metadata } = await catalog.loadTable(identifier);
  const schema = currentSchema(metadata);
  const code = { id: 99, name: 'code', required: false, type: { kind: 'fixed', length: 4 } } as const;
  await catalog.commitTable(identifier, changeSchema(metadata, { ...schema, fields: [...schema.fields, code] }));
  const source = { table: 'shop.codes', timestampField: 'at' };
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  await moraine.apply([thing, defineFeatureView({ name: 'codes', entities: [thing], source })]);
  const features = ['codes:c', 'visits'];
  const { planLocation, parts } = await planTrainingSet(deps, request('codes', { features }));
  const { reduction } = planned(planLocation);
  expect(new Set(reduction.parts.map(({ view }) => view))).toEqual(new Set([null, 'visits']));
  const reduced = await reduceAll(planLocation, parts);
  const staged = await stageAll(planLocation, reduced);
  await commitTrainingSet(deps, planLocation, staged, listsOf(reduced));
  const rows = (await lab.rowsOf('sets.codes')).map((row) => JSON.parse(row) as Readonly<Record<string, unknown>>);
  const found = rows.map(({ k, c }) => `${String(k)}: ${String(c)}`).sort();
  // Each key has two labels, both after its newer code.
  const expected = [...KEYS.map((k) => `${k}: ${10 + k}`), '99: null', 'null: null']
    .flatMap((row) => [row, row])
    .sort();
  expect(found).toEqual(expected);
});
