/**
 * Two workers with disks of their own share nothing but a bucket, a catalog and Temporal. Materializations, backfills, compactions and
 * maintenance run at a time, and now and then a worker is killed and starts anew with an empty disk.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { parse } from 'yaml';
import { jsonLines } from '../support/cli.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { expectIntact } from '../support/intact-table.js';
import {
  answersOf,
  answersOfOne,
  append,
  begin,
  expectNothingBesides,
  type Machine,
  machineOf,
  ONLINE,
  projectOf,
  Reader,
  ROWS,
  SOURCE,
  VIEW,
  Workers,
  workTogether,
} from '../support/machines.js';
import { projectRoot } from '../support/paths.js';
import { PASSWORD, type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { s3OfRest, startRestServer } from '../support/rest-server.js';
import { RotatedKeys } from '../support/rotated-keys.js';
import { historiesOf } from '../support/run-histories.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { testSettings } from '../support/temporal.js';

const ROUNDS = IS_LONG_FORM ? 2 : 1;
const KILL_AFTER_MS = 2500;

let store: ServerWithUsers;
let postgres: PostgresServer;
beforeAll(async () => {
  [store, postgres] = await Promise.all([startMinio(), startPostgres()]);
  await store.makeBucket('lake');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([store.close(), postgres.close()]);
});

/** Every secret that the catalog or the configuration gives has it. */
const SECRET_MARK = 'canary-secret';

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
    const rest = await startRestServer('s3://lake/rest', { ...s3OfRest(store), 'access-file': rotated.file });
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

const kinds = ['on PostgreSQL', 'on REST that gives credentials of 15 seconds'] as const;
test.each(IS_LONG_FORM ? kinds : kinds.slice(0, 1))(
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
    for (const name of ['LAKE_PASSWORD', 'LAKE_SECRET_KEY'] as const) vi.stubEnv(name, env[name]);
    const client = await machineOf(config, env);
    await begin(client);
    const project = await projectOf(client);
    const reader = await Reader.start(project);
    const workers = new Workers(config, env);
    await Promise.all([workers.start(), workers.start()]);

    const [first] = jsonLines(await client.run('materialize', VIEW, '--wait', '--json')) as [{ workflowId: string }];
    expect(first).not.toHaveProperty('storageTraffic');
    await expectTraffic(client, first.workflowId);
    for (let round = 0; round < ROUNDS; round += 1) {
      await reader.append(() => append(client));
      const work = workTogether(client, round);
      await Promise.race([sleep(KILL_AFTER_MS), work]);
      await workers.replaceOldest();
      await Promise.race([work, workers.ended]);
    }
    await client.run('materialize', VIEW, '--wait');
    for (const dryRun of [['--dry-run'], []]) {
      const maintained = await client.run('maintain', SOURCE, '--older-than', '1d', ...dryRun, '--wait', '--json');
      expect(maintained).not.toContain('storageTraffic');
    }
    expect(await reader.stop()).toBeGreaterThan(5);
    const shared = await answersOf(client);
    expect(shared).toEqual(await answersOfOne(1 + ROUNDS));
    expect(shared.rows).toHaveLength(ROWS * (1 + ROUNDS));
    for (const worker of workers.all) expect(worker.errors()).not.toContain(SECRET_MARK);
    const histories = await historiesOf(taskQueueOfTest);
    expect(histories.length).toBeGreaterThan(5);
    expect(histories.join('\n')).not.toContain(SECRET_MARK);
    await workers.stop();
    for (const name of [SOURCE, ONLINE]) {
      await expectNothingBesides(project, name);
      await expectIntact(await project.loadTable(name));
    }
  },
);
