/** Workers between which and their store and catalog there are proxies with faults of a seed, and what must hold of their work. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Random } from '../worlds/random.js';
import { numberIn } from './environment.js';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.js';
import { expectIntact } from './intact-table.js';
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
} from './machines.js';
import { PASSWORD } from './postgres-server.js';
import type { S3Server, ServerWithUsers } from './s3-server.js';
import { testSettings } from './temporal.js';
import { Weather } from './weather.js';

const LIMIT_MS = 600_000;
const LONG_AGO = new Date(Date.now() - 30 * 86_400_000);
const first = numberIn('MORAINE_SEED', /^-?\d{1,10}$/) ?? 1;
const minutes = numberIn('MORAINE_FAULT_MINUTES', /^\d{1,4}(\.\d+)?$/) ?? 0;
const ROUNDS = minutes > 0 ? 2 : 1;
const rate = (numberIn('MORAINE_FAULT_PERCENT', /^\d{1,2}(\.\d+)?$/) ?? 3) / 100;

/** A catalog as it stands in `moraine.yaml`: of this machine, and of those that reach it through faults. */
export interface FaultyCatalog {
  readonly direct: string;
  readonly faulty: string;
}

/** Makes a catalog for one test, whose new tables lie in the warehouse unless it decides so itself. */
export type CatalogKind = (weather: Weather, warehouse: string) => Promise<FaultyCatalog>;

/** A proxy of HTTP that ends with the test. */
export async function proxyOf(target: string): Promise<FaultyProxy> {
  const proxy = await startFaultyProxy(target, { remembers: false });
  onTestFinished(() => proxy.close());
  return proxy;
}

const configOf = (catalog: string, store: S3Server, endpoint: string, taskQueue: string): string => `
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

async function survive(store: ServerWithUsers, kind: string, makeCatalog: CatalogKind, seed: number): Promise<void> {
  const random = new Random(`weather ${kind} ${seed}`);
  const weather = new Weather(random, rate);
  const { address, taskQueue } = testSettings();
  const warehouse = `s3://lake/${kind.toLowerCase()}-${randomUUID().slice(0, 8)}`;
  const catalogs = await makeCatalog(weather, warehouse);
  const proxy = await proxyOf(store.endpoint);
  proxy.fateOf = weather.ofStore;
  const env = {
    LAKE_PASSWORD: PASSWORD,
    LAKE_SECRET_KEY: store.options['s3.secret-access-key'] ?? '',
    AWS_EC2_METADATA_DISABLED: 'true',
    TEMPORAL_ADDRESS: address,
  };
  const client = await machineOf(configOf(catalogs.direct, store, store.endpoint, taskQueue), env);
  await begin(client);
  const project = await projectOf(client);
  const { location } = (await project.loadTable(SOURCE)).metadata;
  const ofOthers = [
    `${location}-of-others/data/f.parquet`,
    `${location.slice(0, location.lastIndexOf('/'))}/f-${seed}.parquet`,
  ];
  const orphan = `${location}/data/of-a-run-long-ago.parquet`;
  for (const each of [...ofOthers, orphan]) {
    await project.io.create(each, new Uint8Array(1));
    await store.age(each, LONG_AGO);
  }
  const reader = await Reader.start(project);
  const workers = new Workers(configOf(catalogs.faulty, store, proxy.address, taskQueue), env);
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
  const sweeps = (await project.loadTable(SOURCE)).catalog?.fileOwner === undefined;
  expect(await Promise.all([...ofOthers, orphan].map(left))).toEqual([1, 1, sweeps ? 0 : 1]);
  for (const name of [SOURCE, ONLINE]) {
    if (sweeps) await expectNothingBesides(project, name);
    await expectIntact(await project.loadTable(name));
  }
  expect(await answersOf(client)).toEqual(answers);
  // Which kinds a short run meets is chance.
  expect(weather.total).toBeGreaterThan(5);
  process.stdout.write(`faults of seed ${seed}, ${kind}: ${weather.summary}\n`);
}

let expected: ReturnType<typeof answersOfOne> | undefined;

/**
 * Tests with a catalog of each kind. The answers are those of one machine without faults, readers see whole appends at every moment, every run
 * has one snapshot, no live file is missing, and no file of others has gone.
 *
 *   MORAINE_SEED            the first seed (1)
 *   MORAINE_FAULT_MINUTES   goes on with further seeds until so much time has passed
 *   MORAINE_FAULT_PERCENT   faults per hundred requests (3)
 *
 * @param only those that are tried where no time is given
 */
export function describeFaultLoop<Kind extends string>(
  storeOf: () => ServerWithUsers,
  kinds: Readonly<Record<Kind, CatalogKind>>,
  only: readonly Kind[],
): void {
  const survives = async (kind: Kind, seed: number): Promise<void> => {
    await survive(storeOf(), kind, kinds[kind], seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}, ${kind}`, { cause: error });
    });
  };

  describe('faults between workers, store and catalog are survived', () => {
    if (minutes === 0) {
      test.each(only)('with a catalog on %s', (kind) => survives(kind, first), LIMIT_MS);
      return;
    }

    test(
      `for ${minutes} minutes, with every catalog`,
      async () => {
        const endMs = performance.now() + minutes * 60_000;
        const failures: unknown[] = [];
        let seed = first;
        for (; performance.now() < endMs; seed += 1) {
          for (const kind of Object.keys(kinds) as Kind[]) {
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
}
