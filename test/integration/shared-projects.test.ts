/** Projects whose tables are objects of a store, or whose catalog is a server, do by configuration alone what a project of files does. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateMultipartUploadCommand, HeadObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonLines, moraine } from '../support/cli.js';
import { expectSameAsOnFiles } from '../support/demo.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { startGlue } from '../support/glue-server.js';
import { startPostgres } from '../support/postgres-server.js';
import { python } from '../support/python.js';
import { s3OfRest, startRestServer } from '../support/rest-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { live, localAnswers, makeProject, SECRET } from '../support/shared-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
  await server.makeBucket('lake');
});
afterAll(() => server.close());

test('a project on S3 gives the answers of one on files, its tables are read by PyIceberg, and its secret is nowhere', async () => {
  const local = await localAnswers(server);
  const project = await makeProject(server, { page: 'docs/storage.md', heading: 'S3 and stores with its protocol' });
  const remote = await live(project);
  expect(remote.answers).toEqual(local.answers);
  expect(remote.rows).toEqual(local.rows);
  expect(remote.rows).toHaveLength(320);
  expect(remote.doctor).toContain('storage s3://lake/warehouse: writable');

  const read = await python<{ rows: number; orders: number; online: number }>(
    'read_store.py',
    JSON.stringify({
      type: 'sql',
      uri: `sqlite:///${join(project.folder, '.moraine/catalog.db')}`,
      ...server.options,
    }),
  );
  const orders = remote.rows.map((row) => Number((JSON.parse(row) as { orders: number | null }).orders));
  expect(read).toMatchObject({ rows: 320, orders: orders.reduce((sum, value) => sum + value, 0) });
  expect(read.online).toBeGreaterThan(0);

  // An upload whose process was killed.
  const Key = 'warehouse/shop/customer_orders/data/killed.parquet';
  await server.client.send(new CreateMultipartUploadCommand({ Bucket: 'lake', Key }));
  const uploads = async () =>
    (await server.client.send(new ListMultipartUploadsCommand({ Bucket: 'lake' }))).Uploads ?? [];
  expect(await uploads()).toHaveLength(1);
  await project.run('maintain', 'shop.customer_orders', '--orphans-older-than', '0s', '--allow-young');
  expect(await uploads()).toEqual([]);

  // What was fetched is kept, and is nothing that an answer depends on.
  const kept = JSON.parse(await project.run('cache', 'show', '--json')) as { files: number; bytes: number };
  expect(kept.files).toBeGreaterThan(0);
  expect(kept.bytes).toBeGreaterThan(0);
  expect(await project.run('cache', 'clear')).toContain('content  0 files, 0 B of at most 10.7 GB');
  const scan = async () => jsonLines(await project.run('--verbose', 'table', 'scan', 'shop.customer_orders', '--json'));
  const told = () => project.outputs.at(-1)?.stderr.split('\n');
  const again = await scan();
  const [summary = '', traffic] = told() ?? [];
  const { rows, storageTraffic } = JSON.parse(summary) as { rows: string; storageTraffic: Record<string, number> };
  const { requests, readBytes = 0, writtenBytes } = storageTraffic;
  expect([rows, writtenBytes]).toEqual(['320', 0]);
  expect(traffic).toBe(`storage: ${requests} requests, ${(readBytes / 1000).toFixed(1)} kB read, 0 B written`);
  const files = jsonLines(await project.run('table', 'files', 'shop.customer_orders', '--json'));
  // The pointed-at metadata, a manifest list, a manifest, and the data files, which are small.
  expect(requests).toBe(3 + files.length);
  expect(again.map((row) => JSON.stringify(row)).toSorted()).toEqual(local.rows);
  await scan();
  const { storageTraffic: warm } = JSON.parse(told()?.[0] ?? '') as { storageTraffic: unknown };

  // A folder of the bucket gets another name, and its metadata file is read by its location.
  const named = ['copy.orders', 's3://lake/warehouse/shop/customer_orders/', '--json'];
  const { metadataLocation } = JSON.parse(await project.run('table', 'register', ...named)) as {
    metadataLocation: string;
  };
  expect(metadataLocation).toMatch(/^s3:\/\/lake\/warehouse\/shop\/customer_orders\/metadata\/.*\.metadata\.json$/);
  // That file is all that a scan asks for when the rest is kept.
  const pointedAt = await server.client.send(
    new HeadObjectCommand({ Bucket: 'lake', Key: metadataLocation.replace('s3://lake/', '') }),
  );
  expect(warm).toEqual({ requests: 1, readBytes: pointedAt.ContentLength, writtenBytes: 0 });
  const byLocation = jsonLines(await project.run('table', 'scan', metadataLocation));
  expect(byLocation.map((row) => JSON.stringify(row)).toSorted()).toEqual(local.rows);
  const elsewhere = await moraine(['table', 'scan', metadataLocation, '--root', 's3://lake/other'], {
    cwd: project.folder,
    env: {
      LAKE_ENDPOINT: server.endpoint,
      LAKE_ACCESS_KEY: server.options['s3.access-key-id'],
      LAKE_SECRET_KEY: SECRET,
    },
  });
  expect([elsewhere.code, elsewhere.stderr]).toEqual([
    expect.any(Number),
    expect.stringContaining('[LOCATION_REFUSED]'),
  ]);

  for (const { stdout, stderr } of project.outputs) expect(stdout + stderr).not.toContain(SECRET);
  for (const name of readdirSync(join(project.folder, '.moraine'), { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    expect(readFileSync(join(name.parentPath, name.name)).includes(SECRET), name.name).toBe(false);
  }
  // Nothing of the tables lies in the project's folder.
  const copy = temporaryFolder();
  cpSync(project.folder, copy, { recursive: true, filter: (path) => !path.endsWith('.moraine') });
  const left = readdirSync(copy, { recursive: true }).map(String);
  expect(left.filter((name) => /parquet|avro|metadata/.test(name))).toEqual([]);
});

// PostgreSQL and Glue at night; other tests have workers, faults and rights on them.
if (IS_LONG_FORM)
  test('a project on S3 with a PostgreSQL database makes the rows that it makes on local files, also for PyIceberg', async () => {
    const postgres = await startPostgres();
    try {
      const uri = await postgres.makeDatabase();
      await expectSameAsOnFiles(server, {
        heading: 'PostgreSQL',
        database: uri,
        shown: `catalog lake: ${uri.replace(/\/\/.*@/, '//')}, 3 namespaces`,
        python: { type: 'sql', uri: uri.replace('postgresql:', 'postgresql+psycopg2:'), ...server.options },
      });
    } finally {
      await postgres.close();
    }
  });

test('a project on S3 with a REST server makes the rows that it makes on local files, also for PyIceberg', async () => {
  const rest = await startRestServer('s3://lake/rest', s3OfRest(server));
  try {
    const project = await expectSameAsOnFiles(server, {
      heading: 'REST',
      catalog: rest.uriOf('lake'),
      shown: `catalog lake: ${rest.uriOf('lake')}, 3 namespaces`,
      python: { type: 'rest', uri: rest.uriOf('lake'), ...server.options },
    });
    // The server writes metadata, and everything else lies where it put the tables.
    expect(
      readdirSync(project.folder, { recursive: true }).filter((name) =>
        /^(?!data|\.moraine\/cache).*(parquet|avro|metadata)/.test(String(name)),
      ),
    ).toEqual([]);
  } finally {
    await rest.close();
  }
});

if (IS_LONG_FORM)
  test('a project on S3 with AWS Glue makes the rows that it makes on local files, also for PyIceberg', async () => {
    const glue = await startGlue(server);
    try {
      await expectSameAsOnFiles(server, {
        heading: 'AWS Glue',
        catalog: glue.endpoint,
        shown: `catalog lake: AWS Glue in ${glue.endpoint}, 3 namespaces`,
        python: { type: 'glue', ...glue.options, ...server.options },
      });
    } finally {
      await glue.close();
    }
  });

test('a project that init makes for Glue and S3 works as it is', async () => {
  const glue = await startGlue(server);
  try {
    const folder = temporaryFolder();
    const env = { LAKE_SECRET_KEY: SECRET };
    const run = async (...args: string[]): Promise<string> => {
      const result = await moraine(args, { cwd: folder, env });
      expect(result.code, result.stderr).toBe(0);
      expect(result.stdout + result.stderr).not.toContain(SECRET);
      return result.stdout;
    };
    const options = (flag: string, values: Readonly<Record<string, string>>): string[] =>
      Object.entries(values).flatMap(([name, value]) => [
        flag,
        `${name}=${name.endsWith('secret-access-key') ? '${LAKE_SECRET_KEY}' : value}`,
      ]);
    const where = ['--catalog', 'glue', '--warehouse', 's3://lake/init'];
    const all = [...options('--catalog-option', glue.options), ...options('--storage-option', server.options)];
    await run('init', '.', ...where, ...all);
    expect(await run('doctor')).toContain('storage s3://lake/init: writable');
    await run('table', 'append', 'new_shop.customer_orders', 'data/customer_orders.csv', '--create');
    expect(await run('table', 'show', 'new_shop.customer_orders')).toContain('s3://lake/init/new_shop/customer_orders');
  } finally {
    await glue.close();
  }
});
