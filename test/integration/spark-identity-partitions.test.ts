/**
 * Tables with identity partitions that Apache Spark wrote, in folders `COLUMN=VALUE`: read by keys, materialized, deleted from and compacted
 * with the values that Spark read. PyIceberg reads what compactions wrote.
 */
import { dirname } from 'node:path';
import { parse } from 'lossless-json';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../index.js';
import { type CompactRequest, compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../project/index.js';
import { commitUpdates } from '../../tables/index.js';
import { describeInterop } from '../support/python.js';
import { scanRows } from '../support/scan-rows.js';
import { readTables } from '../support/spark-readers.js';
import { canonical, SPARK_IDENTITY_TABLES, sparkIdentityMetadata } from '../support/spark-tables.js';
import { temporaryFolder } from '../support/temp-folder.js';

type Row = Readonly<Record<string, unknown>>;

const NAMES = Object.keys(SPARK_IDENTITY_TABLES);
const rowsOf = (name: string): readonly Row[] => SPARK_IDENTITY_TABLES[name]?.rows ?? [];
const sorted = (rows: readonly Row[]): readonly string[] => rows.map(canonical).sort();

/** A project with the tables in its catalog; what is written from now on goes into its folder. */
async function open(): Promise<Moraine> {
  const folder = temporaryFolder();
  const roots = [`${folder}/warehouse`, dirname(dirname(dirname(dirname(sparkIdentityMetadata('texts')))))];
  const config = {
    catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } },
    storage: { roots },
    engine: { threads: 2 },
  };
  const moraine = await createMoraine({ config, cwd: folder });
  onTestFinished(() => moraine.close());
  const catalog = await moraine.project.catalog();
  await catalog.createNamespace(['p']);
  for (const name of NAMES) {
    await catalog.registerTable({ namespace: ['p'], name }, sparkIdentityMetadata(name));
    const location = `${folder}/warehouse/p/${name}`;
    await commitUpdates(await moraine.project.loadTable(`p.${name}`), (metadata) =>
      metadata.location === location ? null : [{ action: 'set-location', location }],
    );
  }
  return moraine;
}

const locationOf = async (moraine: Moraine, name: string): Promise<string> =>
  (await moraine.project.loadTable(`p.${name}`)).metadataLocation.replace(/^file:\/\//, '');

const scan = async (moraine: Moraine, name: string): Promise<readonly string[]> =>
  sorted((await scanRows(await locationOf(moraine, name), {})).map((line) => parse(line) as Row));

const text = defineEntity({ name: 'text', joinKeys: ['v'] });
const numbers = defineEntity({ name: 'numbers', joinKeys: ['i', 'l', 'd'] });
const VIEWS = [
  defineFeatureView({
    name: 'texts',
    entities: [text],
    source: { table: 'p.texts', timestampField: 'at' },
    online: true,
  }),
  defineFeatureView({
    name: 'typed',
    entities: [numbers],
    source: { table: 'p.typed', timestampField: 'ts' },
    features: ['id', 'b', 'x', 'ntz'],
    online: true,
  }),
];

/** Keys of `typed`, and the features that Spark was given with them. */
const TYPED = [
  [{ i: -7, l: -9223372036854775808n, d: '1969-12-31' }, [1n, true, -0, -1n]],
  [{ i: 0, l: 9007199254740993n, d: '2001-02-03' }, [2n, false, -Infinity, 978_307_200_000_000n]],
] as const;

const GONE = ['-0', 'null', '__HIVE_DEFAULT_PARTITION__', 'a b', ''];
const COMPACTIONS: readonly Omit<CompactRequest, 'table'>[] = [
  { strategy: 'binpack', targetSizeBytes: 230 },
  { strategy: 'sort', columns: ['id'], targetSizeBytes: 300 },
];

/** A row of PyIceberg, with floats as Spark's are printed. */
const fromPython = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const { float } = (value ?? {}) as { readonly float?: string };
      return [name, float === 'nan' ? 'NaN' : float === '-inf' ? '-Infinity' : value];
    }),
  );

describeInterop('tables with identity partitions by Apache Spark', () => {
  test('are read by keys, deleted from and compacted with the values that Spark read', async () => {
    const moraine = await open();
    await moraine.apply([text, numbers, ...VIEWS]);
    const keyed = rowsOf('texts').filter(({ v }) => v !== null);
    const keys = keyed.map(({ v }) => ({ v: String(v) }));
    const ids = keyed.map(({ id }) => BigInt(String(id)));
    const event_timestamp = new Date('2001-02-01');
    const frame = keys.map((key) => ({ ...key, event_timestamp }));
    const { table } = await moraine.getHistoricalFeatures({ features: ['texts:id'], entities: frame });
    expect((table.toArray() as readonly Row[]).map((row) => row['id'])).toEqual(ids);
    const typed = await moraine.getHistoricalFeatures({
      features: ['typed:id', 'typed:b', 'typed:x'],
      entities: TYPED.map(([key]) => ({ ...key, event_timestamp })),
    });
    const retrieved = (typed.table.toArray() as readonly Row[]).map((row) => [row['id'], row['b'], row['x']]);
    expect(retrieved).toEqual(TYPED.map(([, values]) => values.slice(0, 3)));

    const deps = await materializationDeps(moraine.project);
    for (const view of ['texts', 'typed']) await materializeDirect(deps, { view });
    const online = { readTimeoutMs: 60_000 };
    const served = await moraine.getOnlineFeatures({ ...online, features: ['texts:id'], entities: keys });
    expect(served.rows.map(([id]) => id?.value)).toEqual(ids);
    const { rows } = await moraine.getOnlineFeatures({
      ...online,
      features: ['typed:id', 'typed:b', 'typed:x', 'typed:ntz'],
      entities: TYPED.map(([key]) => key),
    });
    expect(rows.map((row) => row.map(({ value }) => value))).toEqual(TYPED.map(([, values]) => values));

    for (const name of NAMES) {
      const { metadata } = await moraine.project.loadTable(`p.${name}`);
      if (metadata.formatVersion === 1) await moraine.upgradeTable(`p.${name}`, 2);
    }
    const condition = GONE.map((value) => `v = '${value}'`).join(' OR ');
    expect(await moraine.deleteRows('p.texts', condition)).toMatchObject({ rows: 5n });
    const highest = '7fffffff-0000-4000-8000-000000000000';
    expect(await moraine.deleteRows('p.uuids', `u = '${highest}'`)).toMatchObject({ rows: 1n });
    const left = (name: string): readonly string[] =>
      sorted(rowsOf(name).filter(({ u, v }) => u !== highest && (name !== 'texts' || !GONE.includes(v as string))));

    const compaction = await compactDeps(moraine.project);
    const locations: [string, string][] = [];
    for (const request of COMPACTIONS) {
      for (const name of NAMES) {
        const { filesRemoved, skipped } = await compactDirect(compaction, { ...request, table: `p.${name}` });
        expect.soft([name, request, filesRemoved > 0, skipped]).toEqual([name, request, true, []]);
        expect.soft(await scan(moraine, name), name).toEqual(left(name));
        locations.push([name, await locationOf(moraine, name)]);
      }
    }
    const reads = await readTables(
      inject('python') ?? '',
      'pyiceberg',
      locations.map(([, location]) => location),
    );
    expect(reads).toHaveLength(2 * NAMES.length);
    for (const [index, { rows: read, error }] of reads.entries()) {
      const name = locations[index]?.[0] ?? '';
      expect.soft([error, sorted((read ?? []).map(fromPython))], name).toEqual([undefined, left(name)]);
    }
  });
});
