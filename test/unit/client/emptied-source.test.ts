/** Sources that lose their last row, get their first one, or have no file at all, for every type of key that online tables allow. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine, parseSchema } from '../../../index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { type MaterializationRequest, materializeDirect } from '../../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../../project/index.js';

/** The key of the only entity in a column of each type, as files of text and requests give it. */
const KEYS = {
  int: '7',
  long: '9007199254740993',
  string: 'a b',
  boolean: 'true',
  date: '2001-02-03',
  time: '01:02:03.000004',
  timestamp: '2001-02-03T01:02:03.000004',
  timestamptz: '2001-02-03T01:02:03.000004Z',
  uuid: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
  'decimal(9, 2)': '12.30',
  binary: '0102',
} as const;

type Kind = keyof typeof KEYS;
const kinds = Object.keys(KEYS) as Kind[];
const columnOf = (kind: Kind): string => `k_${kind.replaceAll(/\W+/g, '_')}`;
/** Each type alone, all of them together, none. Only the first three have keys that are encoded. */
const SHAPES: readonly (readonly [string, readonly Kind[]])[] = [
  ['every type', kinds],
  ['no key', []],
  ['time', ['time']],
  ...kinds.filter((kind) => kind !== 'time').map((kind) => [kind, [kind]] as const),
];
const ENCODED = SHAPES.slice(0, 3);
const viewOf = (index: number): string => `view_${index}`;

let folder: string;
let moraine: Moraine;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-emptied-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  await createTable('types.facts', [...KEY_COLUMNS, ['at', 'timestamptz'], ['v', 'double']]);
  await createTable('types.frame', [...KEY_COLUMNS, ['event_timestamp', 'timestamptz']]);
  const definitions = SHAPES.flatMap(([, keys], index) => {
    const source = { table: 'types.facts', timestampField: 'at' };
    const online = { online: true, onlineBuckets: 1, features: ['v'] };
    const [first, ...others] = keys.map(columnOf);
    if (first === undefined) return [defineFeatureView({ name: viewOf(index), entities: [], source, ...online })];
    const entity = defineEntity({ name: `entity_${index}`, joinKeys: [first, ...others] });
    return [entity, defineFeatureView({ name: viewOf(index), entities: [entity], source, ...online })];
  });
  const service = {
    kind: 'featureService',
    name: 'first',
    definition: { name: 'first', features: [{ view: viewOf(0) }] },
  } as const;
  await moraine.apply([...definitions, service]);
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

const KEY_COLUMNS = kinds.map((kind) => [columnOf(kind), kind] as const);

async function createTable(name: string, columns: readonly (readonly [string, string])[]): Promise<void> {
  const fields = columns.map(([column, type], index) => ({ id: index + 1, name: column, required: false, type }));
  await moraine.createTable(name, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
}

async function appendLines(table: string, lines: readonly (readonly string[])[]): Promise<void> {
  const path = join(folder, 'rows.csv');
  writeFileSync(path, lines.map((line) => `${line.join(',')}\n`).join(''));
  await moraine.appendFile(table, path);
}

/** Appends rows of the only entity, or of no entity. */
async function append(rows: readonly { readonly at: string; readonly v: number; readonly hasKeys?: boolean }[]) {
  await appendLines('types.facts', [
    [...kinds.map(columnOf), 'at', 'v'],
    ...rows.map(({ at, v, hasKeys = true }) => [...kinds.map((kind) => (hasKeys ? KEYS[kind] : '')), at, String(v)]),
  ]);
}

/** Materializes views, and gives the kinds of runs. */
async function materializeAll(
  shapes = SHAPES,
  request: Partial<MaterializationRequest> = {},
): Promise<ReadonlySet<string>> {
  const deps = await materializationDeps(moraine.project);
  const ran = new Set<string>();
  for (const [index, [name]] of shapes.entries()) {
    const { plan } = await materializeDirect(deps, { view: viewOf(index), ...request }).catch((error: unknown) => {
      throw new Error(`keys of ${name}: ${String(error)}`, { cause: error });
    });
    ran.add(plan.kind);
  }
  return ran;
}

/** The one feature of the entity, as each view serves it. */
async function served(shapes = SHAPES): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  for (const [index, [, keys]] of shapes.entries()) {
    const entity = Object.fromEntries(keys.map((kind) => [columnOf(kind), KEYS[kind]]));
    const request = { view: viewOf(index), entities: [entity], entitiesAsText: true, readTimeoutMs: 60_000 };
    const { rows } = await moraine.getOnlineFeatures(request);
    values.push(rows[0]?.[0]?.status === 'PRESENT' ? rows[0][0].value : rows[0]?.[0]?.status);
  }
  return values;
}

const everywhere = (value: unknown): readonly unknown[] => SHAPES.map(() => value);
const T1 = '2001-01-01T00:00:00Z';
const T2 = '2001-01-02T00:00:00Z';

describe('a source', () => {
  it('without a file gives nothing; its first row is served; with its last file deleted, the entity is not found', async () => {
    expect(await materializeAll()).toEqual(new Set(['nothing']));
    await append([{ at: T1, v: 1 }]);
    expect(await materializeAll()).toEqual(new Set(['incremental']));
    expect(await served()).toEqual(everywhere(1));
    // Every row of its only file: the file goes.
    expect(await moraine.deleteRows('types.facts', 'v = 1')).toMatchObject({ filesRemoved: 1 });
    expect(await materializeAll()).toEqual(new Set(['rebuild-buckets']));
    expect(await served()).toEqual(everywhere('NOT_FOUND'));
    expect(await materializeAll()).toEqual(new Set(['nothing']));
  });

  it('without a row answers whatever else reads it: retrieval, a dataset, pulls, the log, compaction', async () => {
    const key = kinds.map((kind) => [columnOf(kind), KEYS[kind]] as const);
    await appendLines('types.frame', [
      [...key.map(([column]) => column), 'event_timestamp'],
      [...key.map(([, value]) => value), T2],
    ]);
    const entities = { table: 'types.frame' };
    const request = { features: ['view_0', 'view_1', 'view_2'], entities, fullFeatureNames: true };
    const saveAs = { name: 'none', to: { table: 'types.dataset' } };
    expect(await moraine.saveDataset({ ...request, saveAs })).toMatchObject({ rows: 1n });
    expect(await moraine.replayDataset('none')).toMatchObject({ rows: 1n, matches: true });
    const { table } = await moraine.getHistoricalFeatures(request);
    const features = [0, 1, 2].map((index) => `${viewOf(index)}__v`);
    expect(features.map((name) => table.getChild(name)?.get(0) as unknown)).toEqual([null, null, null]);
    const read = { entities: [Object.fromEntries(key)], entitiesAsText: true };
    const response = await moraine.getOnlineFeatures({ ...read, service: 'first', readTimeoutMs: 60_000 });
    await moraine.writeLoggedFeatures('first', [{ response, ...read }]);
    expect(await moraine.compareLoggedFeatures({ service: 'first' })).toMatchObject({ rows: 1, matches: true });
    const source = { source: { table: 'types.facts' }, joinKeys: kinds.map(columnOf), timestampField: 'at' };
    for (const reader of [await moraine.pullAll(source), await moraine.pullLatest(source)]) {
      expect(await reader.toRows()).toEqual([]);
      await reader.close();
    }
    const deps = await compactDeps(moraine.project);
    const online = `moraine_online.${viewOf(0)}`;
    const compactions = [
      ['types.facts', 'binpack'] as const,
      [online, 'binpack'] as const,
      [online, 'latest'] as const,
    ];
    for (const [name, strategy] of compactions) {
      expect(await compactDirect(deps, { table: name, strategy })).toMatchObject({ rows: 0n });
    }
  });

  it('that gets rows again after its last one was deleted serves them, late ones and those of a window', async () => {
    const second = BigInt(Date.parse(T2)) * 1000n;
    await append([{ at: T2, v: 2 }]);
    await materializeAll(ENCODED, { endUs: second });
    expect(await served(ENCODED)).toEqual(['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND']);
    await materializeAll(ENCODED, { startUs: second });
    expect(await served(ENCODED)).toEqual([2, 2, 2]);
    await append([{ at: T1, v: 3 }]);
    await materializeAll(ENCODED);
    expect(await served(ENCODED)).toEqual([2, 2, 2]);
    await moraine.deleteRows('types.facts', 'v = 2');
    await materializeAll(ENCODED);
    expect(await served(ENCODED)).toEqual([3, 3, 3]);
  });

  it('whose last row of an entity is deleted by position serves what is left', async () => {
    await moraine.deleteRows('types.facts', 'v = 3');
    await append([
      { at: T1, v: 4 },
      { at: T2, v: 5, hasKeys: false },
    ]);
    await materializeAll(ENCODED);
    expect(await served(ENCODED)).toEqual([4, 5, 4]);
    expect(await moraine.deleteRows('types.facts', 'v = 4')).toMatchObject({ rows: 1n, filesRemoved: 0 });
    await materializeAll(ENCODED);
    expect(await served(ENCODED)).toEqual(['NOT_FOUND', 5, 'NOT_FOUND']);
  });
});
