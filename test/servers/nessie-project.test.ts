/** A project that reads one branch of Nessie and writes another. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonLines, moraine } from '../support/cli.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

let s3: S3Server;
let nessie: NessieServer;
beforeAll(async () => {
  s3 = await startS3Server();
  await s3.makeBucket('lake');
  nessie = await startNessie(s3, 's3://lake/nessie');
});
afterAll(async () => {
  await nessie.close();
  await s3.close();
});

interface Materialized {
  readonly kind: string;
  readonly reason: string;
  readonly rows: string;
}

test('a source that changed ten times is materialized incrementally from one branch to another, and read as it was', async () => {
  await nessie.makeReference('features', 'main');
  const folder = temporaryFolder();
  const env = { LAKE_SECRET_KEY: s3.options['s3.secret-access-key'] };
  const run = async (...args: string[]): Promise<string> => {
    const result = await moraine(args, { cwd: folder, env });
    expect(result.code, result.stderr).toBe(0);
    return result.stdout;
  };
  await run('init', '.');
  const config = {
    catalog: 'features',
    catalogs: {
      features: { type: 'rest', uri: nessie.uriOf('features') },
      lake: { type: 'rest', uri: nessie.uriOf('main') },
    },
    storage: { roots: ['s3://lake'], options: { ...s3.options, 's3.secret-access-key': '${LAKE_SECRET_KEY}' } },
    definitions: ['features.yaml'],
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  const definitions = readFileSync(join(folder, 'features.yaml'), 'utf8');
  writeFileSync(join(folder, 'features.yaml'), definitions.replace('table: shop.', 'table: lake/shop.'));
  const materialize = async () =>
    JSON.parse(await run('materialize', 'customer_activity', '--wait', '--json')) as Materialized;
  const countOf = async (...args: string[]) =>
    jsonLines(await run('table', 'scan', 'lake/shop.customer_orders', ...args)).length;
  const append = (file: string) => run('table', 'append', 'lake/shop.customer_orders', file);

  await run('table', 'append', 'lake/shop.customer_orders', 'data/customer_orders.csv', '--create');
  await run('apply');
  expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '8' });
  const first = jsonLines(await run('table', 'history', 'lake/shop.customer_orders', '--json'));

  // One new value of one customer at a time.
  for (let day = 1; day <= 10; day += 1) {
    const file = join(folder, 'one.csv');
    const time = `2026-03-${String(day).padStart(2, '0')}T00:00:00Z`;
    writeFileSync(
      file,
      `customer_id,event_ts,created,orders,mean_basket,returned\n3,${time},${time},${100 + day},1.5,false\n`,
    );
    await append(file);
  }
  const next = await materialize();
  expect(next).toMatchObject({ kind: 'incremental', rows: '1' });
  expect(next.reason).not.toContain('expired');
  const online = await run(
    'online',
    'get',
    'customer_activity',
    '--entity',
    'customer_id=3',
    '--at',
    '2026-03-11',
    '--json',
  );
  expect(online).toContain('110');
  expect(await materialize()).toMatchObject({ kind: 'nothing' });

  // The source as it was: by snapshot, and by time.
  const rows = await countOf();
  const [{ snapshotId: id = '' } = {}] = first as readonly { readonly snapshotId?: string }[];
  expect(await countOf('--snapshot', String(id))).toBe(rows - 10);

  // Each branch has its own tables.
  const branches = ['main', 'features'].map(async (branch) => {
    const { entries } = (await nessie.call('GET', `trees/${branch}/entries`)) as {
      readonly entries: readonly { readonly type: string; readonly name: { readonly elements: readonly string[] } }[];
    };
    return entries
      .filter(({ type }) => type === 'ICEBERG_TABLE')
      .map(({ name }) => name.elements.join('.'))
      .toSorted();
  });
  expect(await Promise.all(branches)).toEqual([
    ['shop.customer_orders'],
    ['moraine.registry', 'moraine_online.customer_activity'],
  ]);

  // What belongs to Nessie is left to it.
  const before = await countOf();
  expect(await run('maintain', 'lake/shop.customer_orders', '--older-than', '0s', '--wait')).toContain(
    'left to Nessie',
  );
  expect(await run('maintain', 'lake/shop.customer_orders', '--dry-run')).toBe(
    "lake/shop.customer_orders: snapshots and files are left to Nessie's garbage collection (nessie-gc).\n",
  );
  expect(await countOf('--snapshot', String(id))).toBe(before - 10);
});
