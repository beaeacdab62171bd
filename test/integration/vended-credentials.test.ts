/** Files that are opened with what a catalog gives: credentials that end, and requests that another signs. A real store checks them. */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { commitMaterialization, extractShard, planMaterialization } from '../../materialization/index.js';
import { datasetDeps, materializationDeps, openProject, type Project } from '../../project/index.js';
import { stageRows } from '../../staging/index.js';
import { StorageGrants, type StoreRequest, type TableGrant } from '../../storage/index.js';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
import { commitAppend, commitUpdates } from '../../tables/index.js';
import {
  commitTrainingSet,
  parseTrainingSetRequest,
  planTrainingSet,
  stageTrainingShard,
} from '../../training/index.js';
import { describeStorageBehavior } from '../conformance/storage-behavior.js';
import { moraine } from '../support/cli.js';
import { liveRows } from '../support/compaction-lab.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type Fate, startFaultyProxy } from '../support/faulty-proxy.js';
import { s3OfRest, startRestServer } from '../support/rest-server.js';
import { RotatedKeys } from '../support/rotated-keys.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

let store: ServerWithUsers;
let roots = 0;
beforeAll(async () => {
  store = await startMinio();
  await store.makeBucket('lake');
});
afterAll(() => store.close());

/** A storage without credentials, and what a catalog gives for all of a root. */
function grantedRoot(grant: (options: Readonly<Record<string, string>>) => TableGrant['prefixes']) {
  roots += 1;
  const root = `s3://lake/root${roots}`;
  const { 's3.endpoint': endpoint = '', 's3.region': region = '', ...keys } = store.options;
  const grants = new StorageGrants({ scope: 'test' });
  const prefixes = grant(keys);
  grants.set('table', { folders: [root], prefixes, renew: () => Promise.resolve(prefixes) });
  const options = { 's3.endpoint': endpoint, 's3.region': region };
  return Promise.resolve({
    io: new S3FileIO({ roots: [root], options, grants }),
    root,
    spellings: [root.replace('s3:', 's3a:'), root.replace('s3:', 's3n:')],
    waysOut: [`${root}/../x`],
    clockTickMs: 1000,
  });
}

describeStorageBehavior('MinIO, with credentials that a catalog gave', () =>
  grantedRoot((keys) => [{ prefix: '', options: keys }]),
);

describeStorageBehavior('MinIO, with requests that another signs', () =>
  grantedRoot((keys) => [{ prefix: '', options: {}, sign: signerWith(keys) }]),
);

/** Signs as a catalog does: it sees the request without its body, or with that of a deletion. */
function signerWith(keys: Readonly<Record<string, string>>): NonNullable<TableGrant['prefixes'][number]['sign']> {
  const signer = new SignatureV4({
    service: 's3',
    region: 'us-east-1',
    uriEscapePath: false,
    applyChecksum: false,
    credentials: { accessKeyId: keys['s3.access-key-id'] ?? '', secretAccessKey: keys['s3.secret-access-key'] ?? '' },
    sha256: class {
      readonly #hash;
      constructor(secret?: unknown) {
        this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
      }
      update(data: Uint8Array): void {
        this.#hash.update(data);
      }
      digest(): Promise<Uint8Array> {
        return Promise.resolve(this.#hash.digest());
      }
      reset(): void {
        throw new Error('not needed');
      }
    },
  });
  return async ({ method, url, headers, body }: StoreRequest) => {
    expect(body === undefined).toBe(!url.searchParams.has('delete'));
    const request = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    };
    return (await signer.sign(request)).headers;
  };
}

/** The address of a REST catalog that gives credentials. */
async function catalogWith(keys: RotatedKeys): Promise<string> {
  const rest = await startRestServer('s3://lake/rest', { ...s3OfRest(store), 'access-file': keys.file });
  onTestFinished(async () => {
    keys.stop();
    await rest.close();
  });
  roots += 1;
  return rest.uriOf(`c${roots}`);
}

/** A project without credentials, on such a catalog. */
async function projectWith(keys: RotatedKeys): Promise<Project> {
  const catalogs = { lake: { type: 'rest', uri: await catalogWith(keys) } } as const;
  const project = await openProject({ config: { catalogs, storage: { roots: ['s3://lake'] } } });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['ns']);
  const schema = { schemaId: 0, identifierFieldIds: [], fields: [] };
  await catalog.createTable({ namespace: ['ns'], name: 't' }, { schema });
  return project;
}

test('credentials that last seconds are replaced in the midst of reading and committing, before they end', async () => {
  const project = await projectWith(await RotatedKeys.start(store, { everyMs: 2000, lifeMs: 3000 }));
  const table = await project.loadTable('ns.t');
  const folder = `${table.metadata.location}/data`;
  const end = Date.now() + 8000;
  let rounds = 0;
  for (; Date.now() < end; rounds += 1) {
    const [file, content] = [`${folder}/${rounds}`, new Uint8Array(100).fill(rounds)];
    await table.io.create(file, content);
    expect(await table.io.read(file)).toEqual(content);
    const value = String(rounds);
    const done = await commitUpdates(table, ({ properties }) =>
      properties.get('round') === value ? null : [{ action: 'set-properties', updates: new Map([['round', value]]) }],
    );
    expect(done.metadata.properties.get('round')).toBe(value);
    await sleep(50);
  }
  const { files } = await table.io.listPage(folder, { maxFiles: 1000 });
  expect(files).toHaveLength(rounds);
});

test('credentials that the store takes no longer are asked for again; an error says whose they were, and no secret', async () => {
  const keys = await RotatedKeys.start(store, { lifeMs: 60_000 });
  const project = await projectWith(keys);
  const { io, metadata } = await project.loadTable('ns.t');
  const file = `${metadata.location}/data/file`;
  await io.create(file, new Uint8Array(1));
  await sleep(5100);
  await keys.rotate(1);
  expect(await io.read(file)).toEqual(new Uint8Array(1));
  // The next ones are refused at once: asking again would not help.
  await keys.rotate(0);
  const error = await failureOf(io.stat(file));
  expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  expect(error.message).toContain(`The store refuses the access to "${file}" that the catalog gave with its table`);
  expect(JSON.stringify([error.message, error.details])).not.toContain('canary');
});

test('credentials that end in the middle of a scan, and of a commit, are replaced: no row is missing, and the commit lands once', async () => {
  const proxy = await startFaultyProxy(store.endpoint, { remembers: false });
  onTestFinished(() => proxy.close());
  const keys = await RotatedKeys.start(store, { lifeMs: 60_000 });
  const options = { 's3.endpoint': proxy.address, 's3.region': 'us-east-1' };
  const catalogs = { lake: { type: 'rest', uri: await catalogWith(keys) } } as const;
  const project = await openProject({ config: { catalogs, storage: { roots: ['s3://lake'], options } } });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['ns']);
  const fields = [{ id: 1, name: 'n', required: false, type: { kind: 'long' } }] as const;
  await catalog.createTable(
    { namespace: ['ns'], name: 't' },
    { schema: { schemaId: 0, identifierFieldIds: [], fields } },
  );
  const engine = await project.engine();
  const append = async (from: number): Promise<void> => {
    const table = await project.loadTable('ns.t');
    const select = `SELECT i AS n FROM range(${from}, ${from + 100}) r(i)`;
    const files = await engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID() }),
    );
    await commitAppend(table, { files });
  };
  /** The store takes only new credentials from the `nth` request of this kind on. */
  let refused = 0;
  const endAt = (nth: number, method: string, path: RegExp): void => {
    let seen = 0;
    const since = Date.now();
    proxy.fateOf = async (request): Promise<Fate> => {
      if (request.method !== method || !path.test(request.path) || (seen += 1) !== nth) return 'pass';
      // Those that were refused are asked for again five seconds after they were given at the earliest.
      await sleep(Math.max(0, since + 5100 - Date.now()));
      await keys.rotate(1);
      refused += 1;
      return 'pass';
    };
  };
  for (let file = 0; file < 5; file += 1) await append(100 * file);
  const reader = await openProject({ config: { catalogs, storage: { roots: ['s3://lake'], options } } });
  onTestFinished(() => reader.close());
  const table = await reader.loadTable('ns.t');
  endAt(3, 'GET', /\/data\/.*parquet/);
  const rows = await liveRows({ engine: await reader.engine() }, table);
  expect(rows.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 500 }, (_, n) => String(n)));
  expect(refused).toBe(1);
  endAt(2, 'PUT', /\/metadata\//);
  await append(500);
  expect(refused).toBe(2);
  const { snapshots } = (await project.loadTable('ns.t')).metadata;
  expect(snapshots).toHaveLength(6);
});

test('nothing is given for the place beside a table', async () => {
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  onTestFinished(() => void vi.unstubAllEnvs());
  const project = await projectWith(await RotatedKeys.start(store, { lifeMs: 60_000 }));
  const { io, metadata } = await project.loadTable('ns.t');
  await io.create(`${metadata.location}/data/x`, new Uint8Array(1));
  expect(await rejectionCode(io.create(`${metadata.location}-beside/x`, new Uint8Array(1)))).toBe(
    'STORAGE_UNAVAILABLE',
  );
});

test('each step of a run, in a process that has seen no table yet, asks for those that it knows from the plan', async () => {
  const uri = await catalogWith(await RotatedKeys.start(store, { lifeMs: 600_000 }));
  const folder = temporaryFolder();
  const run = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await moraine(args, { cwd: folder, env: { AWS_EC2_METADATA_DISABLED: 'true' } });
    expect(code, stderr).toBe(0);
  };
  await run('init', '.');
  const config = {
    catalogs: { lake: { type: 'rest', uri } },
    storage: { roots: ['s3://lake'] },
    definitions: ['features.yaml'],
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  await run('table', 'append', 'shop.customer_orders', 'data/customer_orders.csv', '--create');
  await run('table', 'append', 'shop.labels', 'data/entities.csv', '--create');
  await run('apply');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  onTestFinished(() => void vi.unstubAllEnvs());
  /** A process of its own, as far as access to files goes. */
  const other = async (): Promise<Project> => {
    const project = await openProject({ cwd: folder });
    onTestFinished(() => project.close());
    return project;
  };

  const view = 'customer_activity';
  const { planLocation } = await planMaterialization(await materializationDeps(await other()), {
    view,
    attemptId: randomUUID(),
  });
  const plan = planLocation ?? expect.unreachable();
  const extractor = await other();
  const deps = await materializationDeps(extractor);
  expect(await rejectionCode(extractShard(deps, plan, 0))).toBe('STORAGE_UNAVAILABLE');
  await extractor.reach(`moraine_online.${view}`, plan);
  const { manifestLocation, rows } = await extractShard(deps, plan, 0);
  expect(rows).toBe(8n);
  const committer = await other();
  await committer.reach(`moraine_online.${view}`, plan);
  const committed = await commitMaterialization(await materializationDeps(committer), plan, [
    manifestLocation ?? expect.unreachable(),
  ]);
  expect(committed.outcome).toBe('committed');

  const request = parseTrainingSetRequest({
    name: 'set',
    features: [view],
    entities: { table: 'shop.labels' },
    to: 'shop.set',
    shards: 1,
  });
  const set = await planTrainingSet(await datasetDeps(await other()), request);
  const stager = await other();
  const stagerDeps = await datasetDeps(stager);
  expect(await rejectionCode(stageTrainingShard(stagerDeps, set.planLocation, 0))).toBe('STORAGE_UNAVAILABLE');
  // Its table is not made yet.
  await stager.reach('shop.set', set.planLocation);
  const staged = await stageTrainingShard(stagerDeps, set.planLocation, 0);
  const last = await other();
  await last.reach('shop.set', set.planLocation);
  expect((await commitTrainingSet(await datasetDeps(last), set.planLocation, [staged])).rows).toBe(5n);
});
