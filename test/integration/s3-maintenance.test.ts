/** Sweeps of tables in a bucket: thousands of objects, clocks that differ, odd names, and folders that two catalogs claim. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { quoteLiteral } from '../../engine/index.js';
import { sweepOrphans } from '../../maintenance/index.js';
import { maintenanceDeps, openProject } from '../../project/index.js';
import { listFiles } from '../../storage/index.js';
import { jsonLines, moraine, startMoraine } from '../support/cli.js';
import { failureOf } from '../support/error-code.js';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js';
import { expectIntact } from '../support/intact-table.js';
import { type S3Server, type ServerWithUsers, startMinio, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

const DAY_MS = 86_400_000;
const OLD = 1_205;
const TABLE = 'shop.orders';

let store: ServerWithUsers;
/** Unlike MinIO it lists the uploads below a prefix. */
let moto: S3Server;
let proxy: FaultyProxy;
beforeAll(async () => {
  [store, moto] = await Promise.all([startMinio(), startS3Server()]);
  for (const server of [store, moto]) await server.makeBucket('lake');
  proxy = await startFaultyProxy(store.endpoint);
  vi.stubEnv('LAKE_SECRET_KEY', store.options['s3.secret-access-key'] ?? '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([proxy.close(), store.close(), moto.close()]);
});

/** A project whose catalogs have SQLite files here and their tables in the bucket. @param warehouses by the catalogs' names */
async function projectIn(warehouses: Readonly<Record<string, string>>, endpoint = proxy.address) {
  const folder = temporaryFolder();
  const catalogs = Object.entries(warehouses).map(
    ([name, warehouse]) => `  ${name}: { uri: ${name}.db, warehouse: ${JSON.stringify(warehouse)} }\n`,
  );
  writeFileSync(
    join(folder, 'moraine.yaml'),
    `catalog: ${Object.keys(warehouses)[0]}
catalogs:
${catalogs.join('')}storage:
  roots: [s3://lake]
  options:
    s3.endpoint: ${endpoint}
    s3.region: us-east-1
    s3.access-key-id: ${store.options['s3.access-key-id']}
    s3.secret-access-key: \${LAKE_SECRET_KEY}
`,
  );
  writeFileSync(join(folder, 'rows.csv'), 'id,city\n1,Zürich\n2,"a=b/c%41"\n3,\n');
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await moraine(args, { cwd: folder });
    expect(code, `moraine ${args.join(' ')}: ${stderr}`).toBe(0);
    return stdout;
  };
  const project = await openProject({ cwd: folder, fileFolders: [folder] });
  onTestFinished(() => project.close());
  return { run, project };
}

async function namesBelow(project: Awaited<ReturnType<typeof projectIn>>['project'], location: string) {
  const names: string[] = [];
  for await (const file of listFiles(project.io, location)) names.push(file.location.slice(location.length + 1));
  return names.toSorted();
}

test('a sweep of more than a thousand objects takes what is old by the clock of the store, in pages and in bulk, and nothing else', async () => {
  const { run, project } = await projectIn({ lake: 's3://lake/many' });
  await run('table', 'append', TABLE, 'rows.csv', '--create');
  const { metadata } = await project.loadTable(TABLE);
  const live = await namesBelow(project, metadata.location);
  const place = async (name: string, ageDays: number): Promise<void> => {
    await project.io.create(`${metadata.location}/${name}`, new Uint8Array(1));
    await store.age(`${metadata.location}/${name}`, new Date(Date.now() - ageDays * DAY_MS));
  };
  const old = Array.from({ length: OLD }, (_, index) => `data/old-${index}.parquet`);
  for (let start = 0; start < OLD; start += 32) {
    await Promise.all(old.slice(start, start + 32).map((name) => place(name, 4)));
  }
  const young = ['data/now.parquet', 'metadata/now.avro'];
  for (const name of young) await place(name, 0);

  const deps = maintenanceDeps(project);
  const sweep = async (hostDays: number) => {
    proxy.seen.length = 0;
    const nowMs = () => BigInt(Date.now() + hostDays * DAY_MS);
    const { deletedFiles, next } = await sweepOrphans({ ...deps, nowMs }, TABLE, { olderThanMs: BigInt(3 * DAY_MS) });
    const sent = (method: string, part: string) =>
      proxy.seen.filter((seen) => seen.method === method && seen.path.includes(part)).length;
    return { deletedFiles, next, lists: sent('GET', 'list-type=2'), bulkDeletes: sent('POST', 'delete') };
  };
  // This machine is two days behind the store: nothing is old enough for both.
  expect(await sweep(-2)).toMatchObject({ deletedFiles: 0, next: null });
  // It is ten days ahead: what is young by the store's clock stays. One of the deletions is that of the file that asks for the time.
  expect(await sweep(10)).toEqual({ deletedFiles: OLD, next: null, lists: 2, bulkDeletes: Math.ceil(OLD / 250) + 1 });
  expect(await namesBelow(project, metadata.location)).toEqual([...live, ...young].toSorted());
  await expectIntact(await project.loadTable(TABLE));
  expect(jsonLines(await run('table', 'scan', TABLE))).toHaveLength(3);
});

test('a table below a prefix of odd characters is written, read and swept', async () => {
  const warehouse = 's3://lake/a=b/%41 ?#;\'"+&ü/wh';
  const { run, project } = await projectIn({ lake: warehouse });
  await run('table', 'append', TABLE, 'rows.csv', '--create', '--partition', 'city');
  await run('table', 'append', TABLE, 'rows.csv');
  const { metadata } = await project.loadTable(TABLE);
  expect(metadata.location.startsWith(`${warehouse}/`)).toBe(true);
  const orphan = `${metadata.location}/data/city=x%2Fy/old.parquet`;
  await project.io.create(orphan, new Uint8Array(1));
  await store.age(orphan, new Date(Date.now() - 4 * DAY_MS));
  await run('maintain', TABLE, '--older-than', '0s', '--retain-last', '1');
  expect(await namesBelow(project, `${metadata.location}/data`)).toHaveLength(6);
  await expectIntact(await project.loadTable(TABLE));
  const rows = jsonLines(await run('table', 'scan', TABLE)).map((row) => JSON.stringify(row));
  const twice = ['{"id":1,"city":"Zürich"}', '{"id":2,"city":"a=b/c%41"}', '{"id":3,"city":null}'];
  expect(rows.toSorted()).toEqual([...twice, ...twice].toSorted());
});

test('a folder of a bucket that tables of two catalogs claim is not swept', async () => {
  const { run, project } = await projectIn({ one: 's3://lake/shared', two: 's3://lake/shared' });
  await run('table', 'append', `one/${TABLE}`, 'rows.csv', '--create');
  const { metadataLocation, metadata } = await project.loadTable(`one/${TABLE}`);
  await run('table', 'register', `two/shop.mine`, metadataLocation);
  const orphan = `${metadata.location}/data/old.parquet`;
  await project.io.create(orphan, new Uint8Array(1));
  await store.age(orphan, new Date(Date.now() - 4 * DAY_MS));
  const refused = await failureOf(sweepOrphans(maintenanceDeps(project), `one/${TABLE}`, {}));
  expect(refused.code).toBe('FOLDER_SHARED');
  expect(refused.message).toContain('two/shop.mine');
  expect((await project.io.stat(orphan)).sizeBytes).toBe(1);
});

test('a damaged object of a table is an error that names it, never fewer rows; once it is put right, the rows are there', async () => {
  const { run, project } = await projectIn({ lake: 's3://lake/damaged' });
  await run('table', 'append', TABLE, 'rows.csv', '--create');
  const { metadata } = await project.loadTable(TABLE);
  const names = await namesBelow(project, metadata.location);
  const kinds = [/\.parquet$/, /metadata\/[0-9a-f][^/]*\.avro$/, /snap-.*\.avro$/, /00001-.*\.metadata\.json$/];
  for (const kind of kinds) {
    const name = names.find((each) => kind.test(each)) ?? expect.unreachable(`${kind} of ${names.join()}`);
    const location = `${metadata.location}/${name}`;
    const content = await project.io.read(location);
    await run('cache', 'clear');
    for (const damage of [null, content.subarray(0, content.length / 2)]) {
      await project.io.delete(location);
      if (damage !== null) await project.io.create(location, damage);
      const { code, stdout, stderr } = await moraine(['table', 'scan', TABLE], { cwd: project.config.directory });
      expect([code === 0, stdout]).toEqual([false, '']);
      expect(stderr).toContain(name);
    }
    await project.io.delete(location);
    await project.io.create(location, content);
    expect(jsonLines(await run('table', 'scan', TABLE))).toHaveLength(3);
  }
});

test.each([
  ['a part of it has arrived: there is no object, and the parts are given up', 'PUT', 'partNumber=2', 0],
  ['it was complete: the object is an orphan, which goes', 'POST', 'uploadId=', 1],
] as const)('a process is killed in its upload once %s', async (_, method, part, objects) => {
  const beforeMoto = await startFaultyProxy(moto.endpoint, { remembers: false });
  onTestFinished(() => beforeMoto.close());
  const { run, project } = await projectIn({ lake: `s3://lake/${method.toLowerCase()}` }, beforeMoto.address);
  await run('table', 'append', TABLE, 'rows.csv', '--create');
  const folder = project.config.directory;
  const large = join(folder, 'large.parquet');
  const engine = await project.engine();
  const rows = `SELECT i AS id, ${'md5(random()::VARCHAR) || '.repeat(10)}'' AS city FROM range(200000) t(i)`;
  await engine.withConnection((connection) => connection.run(`COPY (${rows}) TO ${quoteLiteral(large)}`));
  const child = startMoraine(['table', 'append', TABLE, large], { cwd: folder });
  const ended = once(child, 'exit');
  beforeMoto.fateOf = (seen) => {
    if (seen.method !== method || !seen.path.includes(part)) return 'pass';
    return { deliver: (answer) => (child.kill('SIGKILL'), answer) };
  };
  expect(await ended).toEqual([null, 'SIGKILL']);
  beforeMoto.fateOf = () => 'pass';
  const { metadata } = await project.loadTable(TABLE);
  const [bucket = '', ...prefix] = metadata.location.slice('s3://'.length).split('/');
  const uploads = async () => {
    const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: `${prefix.join('/')}/` });
    return ((await moto.client.send(list)).Uploads ?? []).length;
  };
  const dataFiles = async () => (await namesBelow(project, `${metadata.location}/data`)).length;
  expect([await dataFiles(), await uploads()]).toEqual([1 + objects, 1 - objects]);
  await sleep(1100); // the store's clock ticks in seconds
  await sweepOrphans(maintenanceDeps(project), TABLE, { olderThanMs: 0n, allowYoung: true });
  expect([await dataFiles(), await uploads()]).toEqual([1, 0]);
  expect(jsonLines(await run('table', 'scan', TABLE))).toHaveLength(3);
});
