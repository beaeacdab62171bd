/** Trino beside Moraine, on one Nessie catalog and one store: each reads what the other wrote; and Trino as the only door to a catalog. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Catalog, openSqlCatalog, openTrinoCatalog } from '../../catalogs/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { openStorage } from '../../storage/index.js';
import { loadTable, planFiles } from '../../tables/index.js';
import { jsonLines, moraine } from '../support/cli.js';
import { failureOf } from '../support/error-code.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { onNessie, onPostgres, startTrino, type TrinoServer } from '../support/trino-server.js';

let s3: S3Server;
let nessie: NessieServer;
let trino: TrinoServer;
let postgres: PostgresServer;
let database: string;
/** The catalog that only Trino reaches, as the tests look at it. */
let names: Catalog;
beforeAll(async () => {
  s3 = await startS3Server();
  await s3.makeBucket('lake');
  nessie = await startNessie(s3, 's3://lake/nessie');
  postgres = await startPostgres();
  database = await postgres.makeDatabase();
  names = await openSqlCatalog({ name: 'door', uri: database, warehouse: 's3://lake/door', io: await openStore() });
  await names.createNamespace(['shop']);
  trino = await startTrino(s3, {
    lake: onNessie(nessie, 'main'),
    door: onPostgres(database, 'door', 's3://lake/door'),
  });
});
afterAll(async () => {
  await trino.close();
  await names.close();
  await postgres.close();
  await nessie.close();
  await s3.close();
});

const openStore = () => openStorage({ roots: ['s3://lake'], options: s3.options });

async function makeProject() {
  const folder = temporaryFolder();
  const env = { LAKE_SECRET_KEY: s3.options['s3.secret-access-key'] };
  const run = async (...args: string[]): Promise<string> => {
    const result = await moraine(args, { cwd: folder, env });
    expect(result.code, result.stderr).toBe(0);
    return result.stdout;
  };
  await run('init', '.');
  const config = {
    catalogs: { lake: { type: 'rest', uri: nessie.uriOf('main') } },
    storage: { roots: ['s3://lake'], options: { ...s3.options, 's3.secret-access-key': '${LAKE_SECRET_KEY}' } },
    definitions: ['features.yaml'],
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  return { folder, run };
}

const sorted = (rows: readonly (readonly unknown[])[]): readonly string[] =>
  rows.map((row) => row.map(String).join(' | ')).toSorted();

test('Trino reads what Moraine wrote, with its deletes and its compactions, and the online table', async () => {
  const { run } = await makeProject();
  const orders = 'shop.customer_orders';
  const create = ['--create', '--partition', 'month(event_ts)', '--partition', 'bucket[4](customer_id)'];
  await run('table', 'append', orders, 'data/customer_orders.csv', ...create);
  await run('table', 'append', orders, 'data/customer_orders.csv');
  await run('table', 'delete', orders, '--where', 'orders = 4');
  const columns = ['customer_id', 'event_ts', 'orders', 'mean_basket', 'returned'];
  const ours = async (table: string, names: readonly string[]) =>
    sorted(
      jsonLines(await run('table', 'scan', table)).map((row) =>
        names.map((name) => (row as Record<string, unknown>)[name]),
      ),
    );
  const theirs = async (table: string, expressions: readonly string[]) =>
    sorted(await trino.query(`SELECT ${expressions.join(', ')} FROM ${table}`));
  const asText = ["format_datetime(event_ts, 'yyyy-MM-dd''T''HH:mm:ss''Z''')"];
  const selected = ['customer_id', ...asText, 'orders', 'mean_basket', 'returned'];
  const deletes = `SELECT count(*) FROM shop."customer_orders$files" WHERE content = 1`;

  const [[deleteFiles] = []] = await trino.query(deletes);
  expect(Number(deleteFiles)).toBeGreaterThan(0);
  const before = await ours(orders, columns);
  expect(before.length).toBeGreaterThan(200);
  expect(before.length).toBeLessThan(320);
  const normal = (rows: readonly string[]) => rows.map((row) => row.replace(/(T[\d:]+)(\.0+)?(Z|\+00:00)/, '$1Z'));
  expect(normal(await theirs(orders, selected))).toEqual(normal(before));

  await run('compact', orders, '--strategy', 'binpack', '--wait');
  expect(normal(await theirs(orders, selected))).toEqual(normal(before));

  await run('apply');
  await run('materialize', 'customer_activity', '--wait');
  const online = 'moraine_online.customer_activity';
  expect(await theirs(online, ['customer_id', 'orders'])).toEqual(await ours(online, ['customer_id', 'orders']));
  expect(await theirs(online, ['customer_id', 'orders'])).toHaveLength(8);
});

test('Moraine reads and materializes what Trino wrote: inserted, updated, deleted, and evolved', async () => {
  const { folder, run } = await makeProject();
  await trino.query('CREATE SCHEMA trino');
  await trino.query(`CREATE TABLE trino.events (
    customer_id bigint, event_ts timestamp(6) with time zone, name varchar, price decimal(12, 3), day date, ok boolean, score double
  ) WITH (partitioning = ARRAY['bucket(customer_id, 4)', 'day(event_ts)'], format_version = 2)`);
  await trino.query(`INSERT INTO trino.events VALUES
    (9007199254740993, timestamp '2026-01-01 00:00:00.123456 UTC', 'a', 1.500, date '1969-12-31', true, nan()),
    (9223372036854775807, timestamp '1969-12-31 23:59:59.999999 UTC', 'ü 🙂', -0.001, date '2026-01-01', false, -0.0),
    (-5, timestamp '2026-01-02 00:00:00 UTC', NULL, NULL, NULL, NULL, NULL),
    (2, timestamp '2026-01-02 00:00:00 UTC', 'gone', 0, NULL, NULL, 1.5)`);
  await trino.query('DELETE FROM trino.events WHERE customer_id = 2');
  await trino.query("UPDATE trino.events SET name = 'changed' WHERE customer_id = -5");
  await trino.query('ALTER TABLE trino.events ADD COLUMN more integer');
  await trino.query(`INSERT INTO trino.events VALUES
    (9007199254740993, timestamp '2026-01-03 00:00:00 UTC', 'b', 2, NULL, NULL, 0.1, 7)`);

  const columns = 'customer_id,event_ts,name,price,day,ok,more';
  const csv = await run('table', 'scan', 'trino.events', '--columns', columns, '--format', 'csv');
  expect(csv.trimEnd().split('\n').toSorted()).toEqual([
    '-5,2026-01-02T00:00:00.000000Z,changed,,,,',
    '9007199254740993,2026-01-01T00:00:00.123456Z,a,1.500,1969-12-31,true,',
    '9007199254740993,2026-01-03T00:00:00.000000Z,b,2.000,,,7',
    '9223372036854775807,1969-12-31T23:59:59.999999Z,ü 🙂,-0.001,2026-01-01,false,',
    columns,
  ]);

  const definitions = {
    entities: [{ name: 'customer', joinKeys: ['customer_id'] }],
    featureViews: [
      {
        name: 'from_trino',
        entities: ['customer'],
        source: { table: 'trino.events', timestampField: 'event_ts' },
        online: true,
      },
    ],
  };
  writeFileSync(join(folder, 'features.yaml'), JSON.stringify(definitions));
  await run('apply');
  const materialize = async () =>
    JSON.parse(await run('materialize', 'from_trino', '--wait', '--json')) as {
      readonly kind: string;
      readonly rows: string;
    };
  expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '3' });
  await trino.query(`INSERT INTO trino.events VALUES
    (-5, timestamp '2026-01-04 00:00:00 UTC', 'newest', 9, NULL, NULL, 0.1, 8)`);
  expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '1' });
  expect(await trino.query('SELECT name, more FROM moraine_online.from_trino WHERE customer_id = -5')).toContainEqual([
    'newest',
    8,
  ]);
});

/** A project of its own catalog, in a file, with the tables of others behind Trino. */
async function makeReadingProject() {
  const folder = temporaryFolder();
  const env = { LAKE_SECRET_KEY: s3.options['s3.secret-access-key'], LAKE_TRINO: `${trino.address}/door` };
  const call = (...args: string[]) => moraine(args, { cwd: folder, env });
  const run = async (...args: string[]): Promise<string> => {
    const result = await call(...args);
    expect(result.code, result.stderr).toBe(0);
    return result.stdout;
  };
  const storage = Object.entries({ ...s3.options, 's3.secret-access-key': '${LAKE_SECRET_KEY}' });
  const options = storage.flatMap(([name, value]) => ['--storage-option', `${name}=${value}`]);
  const where = ['--catalog', trino.address.replace('http:', 'trino+http:') + '/door', '--warehouse', 's3://lake'];
  await run('init', '.', ...where, ...options);
  return { folder, run, call };
}

test('a table that only Trino reaches is read with its deletes, materialized incrementally, and never written', async () => {
  const { folder, run, call } = await makeReadingProject();
  await trino.query(`CREATE TABLE door.shop.events (
    customer_id bigint, event_ts timestamp(6) with time zone, total bigint
  ) WITH (partitioning = ARRAY['bucket(customer_id, 2)'], format_version = 2)`);
  await trino.query(`INSERT INTO door.shop.events VALUES
    (9007199254740993, timestamp '2026-01-01 00:00:00 UTC', 9223372036854775807),
    (1, timestamp '2026-01-01 00:00:00 UTC', 10), (1, timestamp '2026-01-02 00:00:00 UTC', 11),
    (2, timestamp '2026-01-01 00:00:00 UTC', 20)`);
  await trino.query('DELETE FROM door.shop.events WHERE customer_id = 2');
  await trino.query("DELETE FROM door.shop.events WHERE event_ts = timestamp '2026-01-02 00:00:00 UTC'");

  expect(await run('doctor')).toContain(`catalog trino: ${trino.address}/door, 1 namespace`);
  expect(jsonLines(await run('table', 'list', '--json'))).toMatchObject([
    { name: 'trino/shop.events', rows: '4', deleteFiles: '2' },
  ]);
  const csv = await run('table', 'scan', 'trino/shop.events', '--columns', 'customer_id,total', '--format', 'csv');
  expect(csv.trimEnd().split('\n').toSorted()).toEqual([
    '1,10',
    '9007199254740993,9223372036854775807',
    'customer_id,total',
  ]);

  const source = { table: 'trino/shop.events', timestampField: 'event_ts' };
  const definitions = {
    entities: [{ name: 'customer', joinKeys: ['customer_id'] }],
    featureViews: [{ name: 'totals', entities: ['customer'], source, online: true }],
  };
  writeFileSync(join(folder, 'features.yaml'), JSON.stringify(definitions));
  await run('apply');
  const materialize = async () =>
    JSON.parse(await run('materialize', 'totals', '--wait', '--json')) as {
      readonly kind: string;
      readonly rows: string;
    };
  expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '2' });
  await trino.query("INSERT INTO door.shop.events VALUES (1, timestamp '2026-01-03 00:00:00 UTC', 12)");
  expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '1' });
  expect(await run('online', 'get', 'totals', '--entity', 'customer_id=1', '--at', '2026-01-04', '--json')).toContain(
    '12',
  );

  const before = await trino.query('SELECT snapshot_id FROM door.shop."events$snapshots" ORDER BY committed_at');
  writeFileSync(join(folder, 'rows.csv'), 'customer_id,event_ts,total\n7,2026-01-01T00:00:00Z,1\n');
  const changes = [
    ['table', 'append', 'trino/shop.events', 'rows.csv'],
    ['table', 'append', 'trino/shop.others', 'rows.csv', '--create'],
    ['table', 'delete', 'trino/shop.events', '--where', 'total = 10'],
    ['compact', 'trino/shop.events', '--strategy', 'binpack'],
    ['table', 'move', 'trino/shop.events', '--to', 'lake'],
    ['maintain', 'trino/shop.events', '--older-than', '0s'],
  ];
  for (const change of changes) {
    const { code, stderr } = await call(...change);
    expect([code, stderr], change.join(' ')).toEqual([6, expect.stringContaining('is read through Trino')]);
  }
  expect(await trino.query('SELECT snapshot_id FROM door.shop."events$snapshots" ORDER BY committed_at')).toEqual(
    before,
  );
});

test('what Trino says of a table is compared with its files', async () => {
  const io = await openStore();
  const open = (door = 'door') => openTrinoCatalog({ name: 'lake', uri: `${trino.address}/${door}`, io: io });
  const catalog = open();
  const identifier = { namespace: ['shop'], name: 'compared' };
  await trino.query('CREATE TABLE door.shop.compared (id bigint)');
  expect((await loadTable(catalog, io, identifier)).metadata.snapshots).toHaveLength(1);
  for (const id of [1, 2, 3]) await trino.query(`INSERT INTO door.shop.compared VALUES (${id}), (${id + 10})`);
  await trino.query('DELETE FROM door.shop.compared WHERE id = 2');

  const table = await loadTable(catalog, io, identifier);
  const known = await names.loadTable(identifier);
  expect([table.metadataLocation, table.metadata]).toEqual([known.metadataLocation, known.metadata]);
  const all = {
    snapshot: currentSnapshot(table.metadata),
    schema: currentSchema(table.metadata),
    appliesDeletes: true,
  };
  const { files } = await planFiles(table, all);
  const paths = await trino.query('SELECT DISTINCT "$path" FROM door.shop.compared');
  expect(files.map(({ file }) => file.filePath).toSorted()).toEqual(paths.flat().toSorted());

  expect(await catalog.listNamespaces()).toEqual([['shop']]);
  expect((await catalog.listTables(['shop'])).map(({ name }) => name)).toContain('compared');
  expect([await catalog.tableExists(identifier), await catalog.tableExists({ ...identifier, name: 'none' })]).toEqual([
    true,
    false,
  ]);
  expect((await failureOf(catalog.loadTable({ ...identifier, name: 'none' }))).code).toBe('TABLE_NOT_FOUND');
  expect((await failureOf(catalog.loadTable({ ...identifier, name: 'Compared' }))).code).toBe('INVALID_ARGUMENT');
  expect((await failureOf(catalog.listTables(['none']))).code).toBe('NAMESPACE_NOT_FOUND');
  expect(await failureOf(open('doors').loadTable(identifier))).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('has no catalog doors') as string,
  });

  // Through Nessie's catalog in the same Trino.
  await trino.query('CREATE SCHEMA IF NOT EXISTS nested');
  await trino.query('CREATE TABLE nested.one AS SELECT 1 AS id');
  await loadTable(open('lake'), io, { namespace: ['nested'], name: 'one' });

  // Trino keeps metadata files in memory: somebody puts another state in place of the present one.
  const { metadata, metadataLocation } = table;
  const text = Buffer.from(await io.read(metadataLocation)).toString();
  const Key = metadataLocation.replace('s3://lake/', '');
  const [earlier, current] = metadata.snapshots.slice(-2);
  const failureWith = async (Body: string) => {
    expect(Body).not.toBe(text);
    await s3.client.send(new PutObjectCommand({ Bucket: 'lake', Key, Body }));
    const store = await openStore();
    const other = openTrinoCatalog({ name: 'lake', uri: `${trino.address}/door`, io: store });
    return await failureOf(loadTable(other, store, identifier));
  };
  const pointers = new RegExp(`("current-snapshot-id":|"main":\\{"snapshot-id":)${current?.snapshotId}`, 'g');
  expect(await failureWith(text.replaceAll(pointers, `$1${earlier?.snapshotId}`))).toMatchObject({
    code: 'METADATA_CORRUPT',
    message: expect.stringContaining(
      `its snapshot is ${earlier?.snapshotId}, and the catalog says ${current?.snapshotId}`,
    ) as string,
  });
  const lists = [current, earlier].map((snapshot) => snapshot?.manifestList ?? '');
  expect(await failureWith(text.replaceAll(lists[0] ?? '', lists[1] ?? ''))).toMatchObject({
    code: 'METADATA_CORRUPT',
    message: expect.stringMatching(/the catalog says that it has .*parquet, which snapshot/) as string,
  });
  await s3.client.send(new PutObjectCommand({ Bucket: 'lake', Key, Body: text }));
  await loadTable(open(), io, identifier);

  await trino.query('DROP TABLE door.shop.compared');
  expect((await failureOf(loadTable(catalog, io, identifier))).code).toBe('TABLE_NOT_FOUND');
});

test('a table of format version 3, which Trino itself does not read, is read with its deletion vectors', async () => {
  const folder = temporaryFolder();
  const env = { LAKE_SECRET_KEY: s3.options['s3.secret-access-key'], LAKE_DATABASE: database };
  const run = async (...args: string[]): Promise<string> => {
    const result = await moraine(args, { cwd: folder, env });
    expect(result.code, result.stderr).toBe(0);
    return result.stdout;
  };
  const config = {
    catalogs: {
      door: { type: 'sql', uri: '${LAKE_DATABASE}', warehouse: 's3://lake/door' },
      trino: { type: 'trino', uri: `${trino.address}/door` },
    },
    storage: { roots: ['s3://lake'], options: { ...s3.options, 's3.secret-access-key': '${LAKE_SECRET_KEY}' } },
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  writeFileSync(join(folder, 'rows.csv'), 'id,name\n1,a\n2,b\n3,c\n');
  const fields = [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'name', required: false, type: 'string' },
  ];
  writeFileSync(join(folder, 'schema.json'), JSON.stringify({ type: 'struct', fields }));
  await run('table', 'create', 'shop.newest', '--schema', 'schema.json', '--format-version', '3');
  await run('table', 'append', 'shop.newest', 'rows.csv');
  await run('table', 'delete', 'shop.newest', '--where', 'id = 2');
  await expect(trino.query('SELECT * FROM door.shop.newest')).rejects.toThrow(/version/i);
  expect(jsonLines(await run('table', 'scan', 'trino/shop.newest'))).toEqual([
    { id: 1, name: 'a' },
    { id: 3, name: 'c' },
  ]);
});
