/** Projects and inputs below folders that a reader could take for values, globs or compressed files: only the content of files counts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../../index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../../project/index.js';
import { moraineOk } from '../../support/cli.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const AT = '2001-01-01T00:00:00.000000Z';
const TABLE = 'shop.orders';
/** Written to a Parquet, a CSV and a JSON Lines file, four rows each. */
const ROWS = ['us', 'null', '-0', 'a b', 'a+b', '%20', 'eu', '', '__HIVE_DEFAULT_PARTITION__', 'a/b', 'a=b', 'é'].map(
  (region, index) => ({ k: index + 1, region, at: AT, n: (index + 1) * 10 }),
);
type Row = (typeof ROWS)[number];

const FOLDERS = [
  // Names of the table's columns, and of those inside statements.
  'k=1/region=zz/at=1999-01-01/n=7/t0=5/t1=zz/c1=9/c2=zz/p0=3/json=x',
  '[x]/a*b?c/**/[!a]/[a-c]',
  // A backslash only without a glob character: see the last test.
  `100% %20 %zz #a;b&c/q'uo"te/ sp  ace /{a,b}/~/new\nline/back\\slash/é漢😀/x.gz`,
];

let duckdb: DuckDBInstance;
beforeAll(async () => {
  duckdb = await DuckDBInstance.create(':memory:');
});
afterAll(() => duckdb.closeSync());

async function writeParquetFile(path: string, rows: readonly Row[]): Promise<void> {
  const values = rows.map(({ k, region, at, n }) => `(${k}::BIGINT, '${region}', '${at}'::TIMESTAMPTZ, ${n}::BIGINT)`);
  const connection = await duckdb.connect();
  await connection.run(
    `COPY (FROM (VALUES ${values.join(', ')}) t(k, region, "at", n)) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`,
  );
  connection.closeSync();
}

const csv = (rows: readonly Row[]): string =>
  ['k,region,at,n', ...rows.map(({ k, region, at, n }) => `${k},"${region}",${at},${n}`), ''].join('\n');
const jsonLines = (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

async function open(cwd: string, inputs = cwd): Promise<Moraine> {
  const moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd, fileFolders: [inputs] });
  onTestFinished(() => moraine.close());
  return moraine;
}

const PULL = { joinKeys: ['k'], features: ['region', 'n'], timestampField: 'at' };

async function rowsOf(moraine: Moraine, source: { table: string } | { sql: string } = { table: TABLE }) {
  const reader = await moraine.pullAll({ source, ...PULL });
  const rows = await reader.toRows();
  await reader.close();
  return rows.toSorted((a, b) => Number(a['k']) - Number(b['k']));
}

test.each(FOLDERS)('a project and its inputs below %j', async (name) => {
  const folder = join(temporaryFolder(), name);
  mkdirSync(folder, { recursive: true });
  const path = (file: string): string => join(folder, file);
  await writeParquetFile(path('x.parquet'), ROWS.slice(0, 4));
  writeFileSync(path('x.csv'), csv(ROWS.slice(4, 8)));
  writeFileSync(path('x.jsonl'), jsonLines(ROWS.slice(8)));
  const moraine = await open(folder);
  for (const file of ['x.parquet', 'x.csv', 'x.jsonl']) {
    await moraine.appendFile(TABLE, path(file), { create: true });
  }
  const values = ROWS.map(({ k, region, n, at }) => ({ k, region, n, at }));
  expect(await rowsOf(moraine)).toEqual(values);
  expect(await rowsOf(moraine, { sql: `SELECT * FROM ${TABLE}` })).toEqual(values);

  const order = defineEntity({ name: 'order', joinKeys: ['k'] });
  const source = { table: TABLE, timestampField: 'at' };
  await moraine.apply([order, defineFeatureView({ name: 'orders', entities: [order], source, online: true })]);
  const frame = path('frame.csv');
  writeFileSync(frame, `k,event_timestamp\n${ROWS.map(({ k }) => `${k},2001-02-01T00:00:00Z\n`).join('')}`);
  const request = { features: ['orders:region', 'orders:n'], entities: { file: frame } };
  const { table } = await moraine.getHistoricalFeatures(request);
  const retrieved = (table.toArray() as Record<string, unknown>[]).map((row) => [
    Number(row['k']),
    row['region'],
    Number(row['n']),
  ]);
  expect(retrieved).toEqual(ROWS.map(({ k, region, n }) => [k, region, n]));

  const deps = await materializationDeps(moraine.project);
  await materializeDirect(deps, { view: 'orders' });
  const served = async (): Promise<unknown[]> => {
    const { rows } = await moraine.getOnlineFeatures({
      view: 'orders',
      entities: ROWS.map(({ k }) => ({ k })),
      readTimeoutMs: 60_000,
    });
    return rows.map((row) => row.map(({ value }) => (typeof value === 'bigint' ? Number(value) : value)));
  };
  expect(await served()).toEqual(ROWS.map(({ region, n }) => [region, n]));

  expect(await moraine.deleteRows(TABLE, "k < 3 OR region = 'a=b'")).toMatchObject({ rows: 3n });
  const left = values.filter(({ k, region }) => k >= 3 && region !== 'a=b');
  expect(await rowsOf(moraine)).toEqual(left);
  const compactions = [
    { table: TABLE, strategy: 'binpack', targetSizeBytes: 200 },
    { table: TABLE, strategy: 'sort', columns: ['n'], targetSizeBytes: 200 },
    { table: TABLE, strategy: 'sort', columns: ['region', 'k'], zOrder: true, targetSizeBytes: 300 },
  ] as const;
  for (const compaction of compactions) {
    const { filesRemoved, skipped } = await compactDirect(await compactDeps(moraine.project), compaction);
    expect([filesRemoved > 0, skipped]).toEqual([true, []]);
    expect(await rowsOf(moraine)).toEqual(left);
  }
  await compactDirect(await compactDeps(moraine.project), { table: 'moraine_online.orders', strategy: 'latest' });
  await materializeDirect(deps, { view: 'orders' });
  const gone = [null, null];
  const known = new Map(left.map(({ k, region, n }) => [k, [region, n]]));
  expect(await served()).toEqual(ROWS.map(({ k }) => known.get(k) ?? gone));
});

test('entity rows of a file below customer_id=5/ are those in the file', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), 'engine: { threads: 1 }\n');
  writeFileSync(
    join(folder, 'orders.jsonl'),
    [5, 6].map((id) => `{"customer_id":${id},"at":"${AT}","n":${id * 10}}\n`).join(''),
  );
  const moraine = await open(folder);
  await moraine.appendFile(TABLE, join(folder, 'orders.jsonl'), { create: true });
  const customer = defineEntity({ name: 'customer', joinKeys: ['customer_id'] });
  const source = { table: TABLE, timestampField: 'at' };
  await moraine.apply([customer, defineFeatureView({ name: 'orders', entities: [customer], source })]);
  mkdirSync(join(folder, 'customer_id=5'));
  const connection = await duckdb.connect();
  const rows = `SELECT 6::BIGINT AS customer_id, TIMESTAMPTZ '2001-02-01 00:00:00Z' AS event_timestamp`;
  await connection.run(`COPY (${rows}) TO '${folder}/customer_id=5/e.parquet' (FORMAT parquet)`);
  connection.closeSync();
  const args = ['--features', 'orders:n', '--entities', 'customer_id=5/e.parquet', '--format', 'jsonl'];
  const answer = await moraineOk(['features', 'historical', ...args], { cwd: folder });
  expect(JSON.parse(answer)).toMatchObject({ customer_id: 6, n: 60 });
});

test.each([
  ['csv', csv],
  ['tsv', (rows: readonly Row[]) => csv(rows).replaceAll(',', '\t')],
  ['jsonl', jsonLines],
])('the first bytes of a %s file tell whether it is gzip, not its name', async (extension, textOf) => {
  const folder = temporaryFolder();
  const text = textOf(ROWS);
  const files = {
    [`a.${extension}.gz`]: text,
    [`b.${extension}`]: gzipSync(text),
    [`c.${extension}.GZ`]: gzipSync(text),
  };
  const moraine = await open(folder);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content);
    const table = `shop.${name.charAt(0)}`;
    expect(await moraine.appendFile(table, join(folder, name), { create: true })).toMatchObject({ rows: 12n });
    expect((await rowsOf(moraine, { table })).map(({ region }) => region)).toEqual(ROWS.map(({ region }) => region));
  }
});

test('a path with a backslash and a glob character is refused: readers would open another file', async () => {
  const folder = join(temporaryFolder(), 'a\\[b');
  mkdirSync(folder);
  await expect(
    createMoraine({ config: {}, cwd: folder }).then(({ project }) => project.engine()),
  ).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('it has a backslash, and one of the characters * ? [') as string,
  });
});
