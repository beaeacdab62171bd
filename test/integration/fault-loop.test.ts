/**
 * Two workers, of which one is killed now and then, and between them and the store and the catalog proxies with faults of a seed: latency,
 * resets, errors of things that were done and that were not, cut, slow and wrong bodies. The answers are those of one machine without faults, readers
 * see whole appends at every moment, every run has one snapshot, no live file is missing, and no file of others has gone.
 *
 *   MORAINE_SEED            the first seed (1)
 *   MORAINE_FAULT_MINUTES   goes on with further seeds until so much time has passed; with all kinds of catalogs
 *   MORAINE_FAULT_PERCENT   faults per hundred requests (3)
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startFaultyConnections } from '../support/faulty-connection.js';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js';
import { type GlueServer, startGlue } from '../support/glue-server.js';
import { expectIntact } from '../support/intact-table.js';
import {
  answersOf,
  answersOfOne,
  append,
  begin,
  expectNothingBesides,
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
import { PASSWORD, type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { numberIn } from '../support/property-runs.js';
import { type RestServer, s3OfRest, startRestServer } from '../support/rest-server.js';
import { type S3Server, type ServerWithUsers, startMinio, startS3Server } from '../support/s3-server.js';
import { testSettings } from '../support/temporal.js';
import { Weather } from '../support/weather.js';
import { Random } from '../worlds/random.js';

const ROUNDS = 2;
const LIMIT_MS = 600_000;
const LONG_AGO = new Date(Date.now() - 30 * 86_400_000);
const first = numberIn('MORAINE_SEED', /^-?\d{1,10}$/) ?? 1;
const minutes = numberIn('MORAINE_FAULT_MINUTES', /^\d{1,4}(\.\d+)?$/) ?? 0;
const rate = (numberIn('MORAINE_FAULT_PERCENT', /^\d{1,2}(\.\d+)?$/) ?? 3) / 100;

let store: ServerWithUsers;
let postgres: PostgresServer;
let rest: RestServer;
let moto: S3Server;
let glue: GlueServer;
let expected: Promise<Awaited<ReturnType<typeof answersOfOne>>> | undefined;
beforeAll(async () => {
  [store, postgres, moto] = await Promise.all([startMinio(), startPostgres(), startS3Server()]);
  await store.makeBucket('lake');
  glue = await startGlue(moto);
  rest = await startRestServer('s3://lake/rest', s3OfRest(store));
  vi.stubEnv('LAKE_PASSWORD', PASSWORD);
  vi.stubEnv('LAKE_SECRET_KEY', store.options['s3.secret-access-key'] ?? '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([store.close(), postgres.close(), rest.close(), glue.close(), moto.close()]);
});

/** A catalog as it stands in `moraine.yaml`: of this machine, and of those that reach it through faults. */
interface Catalogs {
  readonly direct: string;
  readonly faulty: string;
}

async function proxyOf(target: string): Promise<FaultyProxy> {
  const proxy = await startFaultyProxy(target, { remembers: false });
  onTestFinished(() => proxy.close());
  return proxy;
}

const KINDS = {
  PostgreSQL: async (weather: Weather, warehouse: string): Promise<Catalogs> => {
    const { hostname, port, pathname } = new URL(await postgres.makeDatabase());
    const connections = await startFaultyConnections(Number(port));
    onTestFinished(() => connections.close());
    connections.fateOf = weather.ofConnections;
    const at = (host: string): string =>
      `{ uri: "postgresql://moraine:\${LAKE_PASSWORD}@${host}${pathname}", warehouse: "${warehouse}" }`;
    return { direct: at(`${hostname}:${port}`), faulty: at(`127.0.0.1:${connections.port}`) };
  },
  REST: async (weather: Weather): Promise<Catalogs> => {
    const name = `catalog-${randomUUID().slice(0, 8)}`;
    const proxy = await proxyOf(new URL(rest.uriOf('')).origin);
    proxy.fateOf = weather.ofRest;
    return {
      direct: `{ type: rest, uri: "${rest.uriOf(name)}" }`,
      faulty: `{ type: rest, uri: "${proxy.address}/${name}" }`,
    };
  },
  Glue: async (weather: Weather, warehouse: string): Promise<Catalogs> => {
    const proxy = await proxyOf(glue.endpoint);
    proxy.fateOf = weather.ofGlue;
    const account = String(100_000_000_000 + Math.floor(Math.random() * 1e9));
    const at = (endpoint: string): string =>
      `{ type: glue, warehouse: "${warehouse}", options: { glue.endpoint: "${endpoint}", glue.region: us-east-1, glue.access-key-id: "${account}", glue.secret-access-key: "\${LAKE_SECRET_KEY}" } }`;
    return { direct: at(glue.endpoint), faulty: at(proxy.address) };
  },
} as const;

const configOf = (catalog: string, endpoint: string, taskQueue: string): string => `
catalogs: { lake: ${catalog} }
storage:
  roots: [s3://lake]
  options:
    s3.endpoint: ${endpoint}
    s3.region: us-east-1
    s3.access-key-id: ${store.options['s3.access-key-id'] ?? ''}
    s3.secret-access-key: \${LAKE_SECRET_KEY}
    s3.request-timeout: "5"
temporal: { taskQueue: ${taskQueue} }
online: { buckets: 4 }
definitions: [features.yaml]
`;

async function survive(kind: keyof typeof KINDS, seed: number): Promise<void> {
  const random = new Random(`weather ${kind} ${seed}`);
  const weather = new Weather(random, rate);
  const { address, taskQueue } = testSettings();
  const warehouse = `s3://lake/${kind.toLowerCase()}-${randomUUID().slice(0, 8)}`;
  const catalogs = await KINDS[kind](weather, warehouse);
  const proxy = await proxyOf(store.endpoint);
  proxy.fateOf = weather.ofStore;
  const env = {
    LAKE_PASSWORD: PASSWORD,
    LAKE_SECRET_KEY: store.options['s3.secret-access-key'] ?? '',
    AWS_EC2_METADATA_DISABLED: 'true',
    TEMPORAL_ADDRESS: address,
  };
  const client = await machineOf(configOf(catalogs.direct, store.endpoint, taskQueue), env);
  await begin(client);
  const project = await projectOf(client);
  const { location } = (await project.loadTable(SOURCE)).metadata;
  const ofOthers = [
    `${location}-of-others/data/f.parquet`,
    `${location.slice(0, location.lastIndexOf('/'))}/f.parquet`,
  ];
  const orphan = `${location}/data/of-a-run-long-ago.parquet`;
  for (const each of [...ofOthers, orphan]) {
    await project.io.create(each, new Uint8Array(1));
    await store.age(each, LONG_AGO);
  }
  const reader = await Reader.start(project);
  const workers = new Workers(configOf(catalogs.faulty, proxy.address, taskQueue), env);
  await Promise.all([workers.start(), workers.start()]);
  for (let round = 0; round < ROUNDS; round += 1) {
    await reader.append(() => append(client));
    const work = workTogether(client, round);
    await Promise.race([sleep(random.int(500, 6000)), work]);
    await workers.replaceOldest();
    await Promise.race([work, workers.ended]);
  }
  await client.run('materialize', VIEW, '--wait');
  expect(await reader.stop()).toBeGreaterThan(5);
  await workers.stop();
  expected ??= answersOfOne(1 + ROUNDS);
  const answers = await answersOf(client);
  expect(answers).toEqual(await expected);
  expect(answers.rows).toHaveLength(ROWS * (1 + ROUNDS));
  const left = async (file: string) =>
    await project.io.stat(file).then(
      ({ sizeBytes }) => sizeBytes,
      () => 0,
    );
  expect(await Promise.all([...ofOthers, orphan].map(left))).toEqual([1, 1, 0]);
  for (const name of [SOURCE, ONLINE]) {
    await expectNothingBesides(project, name);
    await expectIntact(await project.loadTable(name));
  }
  expect(await answersOf(client)).toEqual(answers);
  expect(weather.counts.size).toBeGreaterThan(3);
  process.stdout.write(`faults of seed ${seed}, ${kind}: ${weather.summary}\n`);
}

async function survives(kind: keyof typeof KINDS, seed: number): Promise<void> {
  await survive(kind, seed).catch((error: unknown) => {
    throw new Error(`seed ${seed}, ${kind}`, { cause: error });
  });
}

describe('faults between workers, store and catalog are survived', () => {
  if (minutes === 0) {
    test.each(['PostgreSQL', 'REST'] as const)('with a catalog on %s', (kind) => survives(kind, first), LIMIT_MS);
    return;
  }

  test(
    `for ${minutes} minutes, with all catalogs`,
    async () => {
      const endMs = performance.now() + minutes * 60_000;
      const failures: unknown[] = [];
      let seed = first;
      for (; performance.now() < endMs; seed += 1) {
        for (const kind of ['PostgreSQL', 'REST', 'Glue'] as const) {
          await survives(kind, seed).catch((error: unknown) => {
            process.stdout.write(`FAILED: ${inspect(error, { depth: 5 })}\n`);
            failures.push(error);
          });
        }
      }
      process.stdout.write(`faults: seeds ${first}..${seed - 1}, ${failures.length} failures\n`);
      if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
    },
    LIMIT_MS + minutes * 60_000,
  );
});
