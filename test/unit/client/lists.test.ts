/** Tables, views, services and entities as the library lists them. Expected figures come from the input and the file system. */
import { mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMoraine, type Moraine } from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';

const CONFIG = {
  catalogs: {
    local: { uri: 'catalog.db', warehouse: 'warehouse' },
    other: { uri: 'other.db', warehouse: 'elsewhere' },
  },
  catalog: 'local',
  engine: { threads: 1 },
};
const ROWS = 'k,ts,v,w\n1,2026-01-01T00:00:00Z,10,a\n2,2026-01-01T00:00:00Z,20,b\n2,2026-01-02T00:00:00Z,30,c\n';

let moraine: Moraine;
let folder: string;
let snapshotId: bigint | null;

const view = (name: string, more: object = {}) => ({
  name,
  entities: ['thing'],
  source: { table: 'shop.rows', timestampField: 'ts' },
  online: true,
  ...more,
});
const apply = (...views: object[]) =>
  moraine.apply({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: views,
    featureServices: [{ name: 'model', features: ['readings:v'] }],
  });

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-lists-')));
  moraine = await createMoraine({ cwd: folder, config: CONFIG, fileFolders: [folder] });
  writeFileSync(join(folder, 'rows.csv'), ROWS);
  ({ snapshotId } = await moraine.appendFile('shop.rows', join(folder, 'rows.csv'), { create: true }));
  await moraine.appendFile('other/shop.gone', join(folder, 'rows.csv'), { create: true });
  await moraine.appendFile('other/shop."odd.name"', join(folder, 'rows.csv'), { create: true });
  await apply(view('readings', { ttl: '7d', features: [{ name: 'v' }] }), view('all_columns', { online: false }));
  await materializeDirect(await materializationDeps(moraine.project), { view: 'readings' });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

const bytesBelow = (path: string): bigint =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + BigInt(statSync(join(entry.parentPath, entry.name)).size), 0n);

describe('tables', () => {
  it('of every catalog are listed, with the rows and bytes of their files', async () => {
    const { metadata } = await moraine.project.loadTable('shop.rows');
    const listed = await moraine.tables();
    expect(listed.map(({ name }) => name)).toEqual([
      'moraine.registry',
      'moraine_online.readings',
      'shop.rows',
      'other/shop.gone',
      'other/shop."odd.name"',
    ]);
    const dataFolder = join(metadata.location.replace(/^file:(\/\/)?/, ''), 'data');
    expect(listed[2]).toEqual({
      kind: 'table',
      name: 'shop.rows',
      catalog: 'local',
      summary: {
        formatVersion: 2,
        snapshotId,
        committedAtUs: (metadata.snapshots[0]?.timestampMs ?? 0n) * 1000n,
        rows: 3n,
        dataFiles: 1n,
        deleteFiles: 0n,
        sizeBytes: bytesBelow(dataFolder),
      },
      problem: null,
    });
    for (const { name } of listed) await moraine.project.loadTable(name);
  });

  it('that deletes were written to say how many delete files there are', async () => {
    await moraine.appendFile('shop.deleted', join(folder, 'rows.csv'), { create: true });
    await moraine.deleteRows('shop.deleted', 'k = 1');
    const listed = (await moraine.tables()).find(({ name }) => name === 'shop.deleted');
    expect(listed?.summary).toMatchObject({ rows: 3n, dataFiles: 1n, deleteFiles: 1n });
  });

  it('that cannot be read are listed with the reason', async () => {
    const { metadata } = await moraine.project.loadTable('other/shop.gone');
    rmSync(metadata.location.replace(/^file:(\/\/)?/, ''), { recursive: true });
    moraine.project.io.cache.clear();
    const listed = (await moraine.tables()).find(({ name }) => name === 'other/shop.gone');
    expect(listed).toMatchObject({ catalog: 'other', summary: null });
    expect(listed?.problem).toMatch(/does not exist/);
  });
});

describe('definitions', () => {
  it('are listed by name', async () => {
    expect((await moraine.views()).map(({ name, ttlMs, features }) => [name, ttlMs, features?.length])).toEqual([
      ['all_columns', null, undefined],
      ['readings', 604_800_000n, 1],
    ]);
    expect(await moraine.services()).toMatchObject([{ name: 'model', features: [{ view: 'readings' }] }]);
    expect(await moraine.entities()).toMatchObject([{ name: 'thing', joinKeys: ['k'] }]);
  });

  it('of a view come with the types of the source table and the state of the online table', async () => {
    const readings = await moraine.view('readings');
    expect(readings).toMatchObject({
      entities: [{ name: 'thing' }],
      features: [{ name: 'v', type: 'long' }],
      sourceProblem: null,
      sourceSnapshotId: snapshotId,
      onlineTable: { name: 'moraine_online.readings', rows: 2n, sourceSnapshotId: snapshotId, changes: [] },
    });
    expect(await moraine.view('all_columns')).toMatchObject({
      features: [
        { name: 'v', type: 'long' },
        { name: 'w', type: 'string' },
      ],
      onlineTable: null,
    });
  });

  it('that changed since the last run say what has to be materialized', async () => {
    await apply(view('readings', { features: [{ name: 'v' }, { name: 'w' }] }));
    const { onlineTable } = await moraine.view('readings');
    expect(onlineTable?.changes).toEqual(["feature 'w' was added"]);
  });

  it('of a view whose source is gone say why', async () => {
    const catalog = await moraine.project.catalog();
    await catalog.dropTable({ namespace: ['shop'], name: 'rows' });
    expect(await moraine.view('readings')).toMatchObject({
      features: [
        { name: 'v', type: null },
        { name: 'w', type: null },
      ],
      sourceProblem: expect.stringContaining('Table local/shop.rows does not exist.') as string,
      sourceSnapshotId: null,
      onlineTable: { rows: 2n },
    });
    expect((await moraine.view('all_columns')).features).toBeNull();
  });

  it('that do not exist are answered with the nearest names', async () => {
    await expect(moraine.view('reading')).rejects.toMatchObject({
      code: 'FEATURE_VIEW_NOT_FOUND',
      message: "There is no feature view 'reading'. Did you mean 'readings'?",
    });
  });
});
