/** Trino beside Moraine, on one Nessie catalog and one store: each reads what the other wrote, deletes included. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonLines, moraine } from '../support/cli.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { startTrino, type TrinoServer } from '../support/trino-server.js';

let s3: S3Server;
let nessie: NessieServer;
let trino: TrinoServer;
beforeAll(async () => {
  s3 = await startS3Server();
  await s3.makeBucket('lake');
  nessie = await startNessie(s3, 's3://lake/nessie');
  trino = await startTrino(nessie, 'main', s3);
});
afterAll(async () => {
  await trino.close();
  await nessie.close();
  await s3.close();
});

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
