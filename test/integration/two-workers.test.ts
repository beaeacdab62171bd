/**
 * Two workers with disks of their own share nothing but a bucket, a catalog and Temporal. Materializations, backfills, compactions and
 * maintenance run at a time, and now and then a worker is killed and starts anew with an empty disk.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { jsonLines, moraine } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';
import { PASSWORD, type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { startRestServer } from '../support/rest-server.js';
import { RotatedKeys } from '../support/rotated-keys.js';
import { historiesOf } from '../support/run-histories.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const ROUNDS = 2;
const KILL_AFTER_MS = 2500;
const VIEW = 'customer_activity';
const SOURCE = 'shop.customer_orders';

let store: ServerWithUsers;
let postgres: PostgresServer;
beforeAll(async () => {
  [store, postgres] = await Promise.all([startMinio(), startPostgres()]);
  await store.makeBucket('lake');
});
afterAll(async () => {
  await Promise.all([store.close(), postgres.close()]);
});

/** Every secret that the catalog or the configuration gives has it. */
const SECRET_MARK = 'canary-secret';

/** A machine: a folder with the configuration, the catalog's database and the store. */
interface Machine {
  readonly folder: string;
  readonly run: (...args: string[]) => Promise<string>;
}

/** What machines share, as it stands in `moraine.yaml`: a catalog, and the store, whose credentials the catalog may give. */
const CATALOGS = {
  // The configuration of the workers of temporal-compose.yml, with the addresses of here.
  'on PostgreSQL': async () => {
    const uri = new URL(await postgres.makeDatabase());
    const { configs } = parse(readFileSync(join(projectRoot, 'temporal-compose.yml'), 'utf8')) as ComposeFile;
    return configs['lake-project'].content
      .replaceAll('$$', '$')
      .replace('moraine:', `${uri.username}:`)
      .replace('lake-catalog:5432/lake', `${uri.host}${uri.pathname}`)
      .replace('http://store:7070', store.endpoint)
      .replace('s3.access-key-id: moraine', `s3.access-key-id: ${store.options['s3.access-key-id']}`);
  },
  'on REST that gives credentials of 15 seconds': async () => {
    const rotated = await RotatedKeys.start(store, { everyMs: 10_000, lifeMs: 15_000 });
    onTestFinished(() => rotated.stop());
    const rest = await startRestServer('s3://lake/rest', {
      'io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
      'client.region': 'us-east-1',
      's3.endpoint': store.endpoint,
      's3.path-style-access': 'true',
      's3.access-key-id': store.options['s3.access-key-id'] ?? '',
      's3.secret-access-key': store.options['s3.secret-access-key'] ?? '',
      'access-file': rotated.file,
    });
    onTestFinished(() => rest.close());
    return `
catalogs: { lake: { type: rest, uri: "${rest.uriOf('lake')}" } }
storage: { roots: [s3://lake], options: { s3.endpoint: "${store.endpoint}", s3.region: us-east-1 } }
`;
  },
} as const;

interface ComposeFile {
  readonly configs: { readonly 'lake-project': { readonly content: string } };
}

const configOf = (shared: string, taskQueue: string): string => `${shared}
temporal: { taskQueue: ${taskQueue} }
online: { buckets: 4 }
definitions: [features.yaml]
`;

/** A run says what its steps asked of the store. */
async function expectTraffic({ run }: Machine, workflowId: string): Promise<void> {
  const shown = JSON.parse(await run('run', 'show', workflowId, '--json')) as Record<string, Record<string, number>>;
  const { requests, readBytes, writtenBytes } = shown['storageTraffic'] ?? {};
  for (const count of [requests, readBytes, writtenBytes]) expect(count).toBeGreaterThan(0);
  expect(await run('run', 'show', workflowId)).toMatch(/^storage +[\d,]+ requests, .* read, .* written$/m);
}

async function machineOf(
  config: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Machine> {
  const folder = temporaryFolder();
  const run = async (...args: string[]): Promise<string> => {
    const result = await moraine(args, { cwd: folder, env });
    expect(result.code, `moraine ${args.join(' ')}: ${result.stderr}`).toBe(0);
    return result.stdout;
  };
  await run('init', '.');
  if (config !== undefined) writeFileSync(join(folder, 'moraine.yaml'), config);
  return { folder, run };
}

const append = (machine: Machine, ...options: string[]): Promise<string> =>
  machine.run('table', 'append', SOURCE, 'data/customer_orders.csv', ...options);

/** What a project answers, once everything has been done. */
async function answersOf({ run }: Machine) {
  const online = [];
  for (const customer of [1, 3, 4, 99]) {
    const entity = ['--entity', `customer_id=${customer}`, '--at', '2026-01-31'];
    online.push(await run('online', 'get', VIEW, ...entity));
  }
  const rows = jsonLines(await run('table', 'scan', SOURCE)).map((row) => JSON.stringify(row));
  return {
    online,
    historical: await run('features', 'historical', '--features', 'churn_model', '--entities', 'data/entities.csv'),
    rows: rows.toSorted(),
  };
}

test.each(['on PostgreSQL', 'on REST that gives credentials of 15 seconds'] as const)(
  'with a catalog %s they do each piece of work once, whoever is killed, and the answers are those of one machine',
  async (kind) => {
    const { address, taskQueue } = testSettings();
    const taskQueueOfTest = `${taskQueue}-${randomUUID().slice(0, 8)}`;
    const config = configOf(await CATALOGS[kind](), taskQueueOfTest);
    const env = {
      LAKE_PASSWORD: PASSWORD,
      LAKE_SECRET_KEY: store.options['s3.secret-access-key'] ?? '',
      AWS_EC2_METADATA_DISABLED: 'true',
      TEMPORAL_ADDRESS: address,
    };
    const client = await machineOf(config, env);
    await append(client, '--create', '--partition', 'month(event_ts)');
    await client.run('apply');

    const workers: WorkerProcess[] = [];
    onTestFinished(async () => {
      for (const worker of workers) worker.kill('SIGKILL');
      await Promise.all(workers.map(({ ended }) => ended));
    });
    /** A worker on a machine that nobody used before. */
    const startWorker = async (): Promise<WorkerProcess> => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'moraine.yaml'), config);
      const worker = await startWorkerProcess(folder, ['worker'], env);
      workers.push(worker);
      return worker;
    };
    const running = [await startWorker(), await startWorker()];

    const [first] = jsonLines(await client.run('materialize', VIEW, '--wait', '--json')) as [{ workflowId: string }];
    expect(first).not.toHaveProperty('storageTraffic');
    await expectTraffic(client, first.workflowId);
    for (let round = 0; round < ROUNDS; round += 1) {
      await append(client);
      const range = ['--start', `2026-01-0${1 + round}`, '--end', `2026-01-${10 + round}`, '--step', '1d'];
      const work = Promise.all([
        client.run('materialize', VIEW, '--wait'),
        client.run('backfill', VIEW, ...range, '--wait'),
        client.run('compact', SOURCE, '--strategy', 'binpack', '--wait'),
        client.run('maintain', SOURCE, '--older-than', '1d', '--orphans-older-than', '3d', '--wait'),
      ]);
      await Promise.race([sleep(KILL_AFTER_MS), work]);
      running.shift()?.kill('SIGKILL');
      running.push(await startWorker());
      await work;
    }
    await client.run('materialize', VIEW, '--wait');
    for (const dryRun of [['--dry-run'], []]) {
      const maintained = await client.run('maintain', SOURCE, '--older-than', '1d', ...dryRun, '--wait', '--json');
      expect(maintained).not.toContain('storageTraffic');
    }
    const shared = await answersOf(client);

    const single = await machineOf(undefined, { TEMPORAL_ADDRESS: undefined });
    await append(single, '--create', '--partition', 'month(event_ts)');
    for (let round = 0; round < ROUNDS; round += 1) await append(single);
    await single.run('apply');
    await single.run('materialize', VIEW);
    expect(shared).toEqual(await answersOf(single));
    expect(shared.rows).toHaveLength(160 * (1 + ROUNDS));
    for (const worker of workers) expect(worker.errors()).not.toContain(SECRET_MARK);
    const histories = await historiesOf(taskQueueOfTest);
    expect(histories.length).toBeGreaterThan(5);
    expect(histories.join('\n')).not.toContain(SECRET_MARK);
  },
);
