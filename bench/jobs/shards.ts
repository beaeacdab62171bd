/** One materialization over several workers, each with a quarter of a core and a disk of its own; tables lie in an S3 server. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestRows, readableScanSql } from '../../engine/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import type { Project } from '../../project/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import { loadTable, planFiles } from '../../tables/index.js';
import { connectClient, startMaterialization, waitForRun } from '../../workers/index.js';
import { startOrJoinLocalServer } from '../../workers/server/local-server.js';
import {
  type BenchContext,
  type BenchJob,
  type BenchSize,
  type BenchVariant,
  figure,
  type Measurement,
} from '../job.js';
import { comeFirst, type LimitedWorker, startLimitedWorker } from '../limited-workers.js';
import { type BenchStore, openStoreProject, startStore, storeConfig } from '../store.js';
import { type FeatureTableShape, makeFeatureTable } from '../world.js';

const NAME = 'shards';
const VIEW = 'shared';
const onlineOf = (view: string) => ({ namespace: ['moraine_online'], name: view });
/** Materialized first, so that every worker has begun to work. */
const WARM_UP = 'warm_up';
const CORES = 0.25;
const SECRET = 's3.secret-access-key';
/** Of every run but the unsharded one: as many as the most workers have. */
const SHARDS = 4;

const SHAPES: Readonly<Record<BenchSize, FeatureTableShape>> = {
  S: { rows: 1_000_000, entities: 50_000, files: 16 },
  M: { rows: 10_000_000, entities: 500_000, files: 16 },
};

/** @param work is given a project on the store, which is this process's own */
async function inStore<T>(
  { dataFolder, scratchFolder }: BenchContext,
  work: (project: Project, store: BenchStore) => Promise<T>,
): Promise<T> {
  const store = await startStore(dataFolder);
  const project = await openStoreProject(dataFolder, store, join(scratchFolder, 'cache'));
  try {
    return await work(project, store);
  } finally {
    await project.close();
    await store.close();
  }
}

/** The online tables of an earlier run go; their rows are in no file of a new one. */
async function dropOnline(project: Project): Promise<void> {
  const catalog = await project.catalog();
  for (const online of [VIEW, WARM_UP].map(onlineOf)) {
    if (await catalog.tableExists(online)) await catalog.dropTable(online);
  }
}

/** A number that tells online rows apart: the first 48 bits of their digest. */
async function digestOf(project: Project): Promise<number> {
  const table = await loadTable(await project.catalog(), project.io, onlineOf(VIEW));
  const schema = currentSchema(table.metadata);
  const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema });
  const engine = await project.engine();
  const { digest } = await engine.withConnection(async (connection) => {
    const opened = await openFiles(connection, table, files.map(fileToOpen));
    return await digestRows(
      connection,
      `SELECT * FROM ${await readableScanSql(connection, { ...opened, schema })}`,
      schema,
    );
  });
  return Number.parseInt(digest.slice(0, 12), 16);
}

/** Bytes that the steps of a run asked the store for, or sent, as its history has them. */
function bytesOf(history: unknown): number {
  let bytes = 0;
  const look = (value: unknown): void => {
    if (value === null || typeof value !== 'object') return;
    if (value instanceof Uint8Array) {
      const text = Buffer.from(value).toString();
      if (!text.includes('"storageTraffic"')) return;
      const { storageTraffic } = JSON.parse(text) as { storageTraffic: { readBytes: number; writtenBytes: number } };
      bytes += storageTraffic.readBytes + storageTraffic.writtenBytes;
      return;
    }
    for (const each of Object.values(value)) look(each);
  };
  look(history);
  return bytes;
}

/** A run by so many workers of parts and shards, and one that plans and commits, which has no limit. */
const byWorkers =
  (count: number, shards: number): BenchVariant =>
  async (context, measure) => {
    const comeLast = comeFirst();
    const figures = await inStore(context, async (project, store) => {
      await dropOnline(project);
      const server = await startOrJoinLocalServer({ stateFolder: join(context.scratchFolder, 'state') });
      const { address } = server;
      const taskQueue = `shards-${randomUUID()}`;
      const workers: LimitedWorker[] = [];
      const start = async (roles: string, cores?: number): Promise<void> => {
        const own = join(context.scratchFolder, `worker-${workers.length}`);
        mkdirSync(own);
        // A disk of its own: what it fetches, no other worker has.
        const config = storeConfig(context.dataFolder, store, join(own, 'cache'));
        const options = { ...config.storage.options, [SECRET]: '${BENCH_SECRET}' };
        const limits = { worker: { heavyActivities: 1 }, engine: { memoryLimit: '1GB', threads: 1 } };
        const file = { ...config, ...limits, storage: { ...config.storage, options } };
        writeFileSync(join(own, 'moraine.yaml'), JSON.stringify(file));
        const environment = { TEMPORAL_ADDRESS: address, BENCH_SECRET: store.options[SECRET] ?? '' };
        workers.push(await startLimitedWorker(own, ['--task-queue', taskQueue, '--roles', roles], environment, cores));
      };
      const settings = { address, namespace: 'default', taskQueue, connection: { address } };
      const temporal = await connectClient(settings);
      try {
        await start('workflows,light');
        for (let worker = 0; worker < count; worker++) await start('heavy', CORES);
        const owned = { ...settings, project: await project.identity() };
        const runOf = async (view: string, pieces: number) => {
          const started = await startMaterialization(temporal, owned, { view, shards: pieces });
          await waitForRun(temporal.client, started);
          return started;
        };
        await runOf(WARM_UP, SHARDS);
        const cpu = (): number => workers.reduce((sum, worker) => sum + worker.cpuSeconds(), 0);
        const before = cpu();
        const run = await measure(() => runOf(VIEW, shards));
        const used = cpu() - before;
        const history = await temporal.client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
        return { cpu: used, megabytes: bytesOf(history) / 2 ** 20, digest: await digestOf(project) };
      } finally {
        await temporal.close();
        for (const worker of workers) await worker.stop();
        await server.close();
      }
    });
    await comeLast();
    return figures;
  };

export const shards: BenchJob = {
  name: NAME,
  title:
    'A materialization by one, two and four workers with a quarter of a core each, in four parts and four shards, on tables in an S3 server; beside them one worker without parts.',
  runs: 1,
  async prepare(context) {
    await inStore(context, async (project) => {
      await makeFeatureTable(project, VIEW, SHAPES[context.size]);
      await makeFeatureTable(project, WARM_UP, { rows: 40_000, entities: 1_000, files: SHARDS });
    });
  },
  variants: {
    'one worker, one shard': byWorkers(1, 1),
    'one worker': byWorkers(1, SHARDS),
    'two workers': byWorkers(2, SHARDS),
    'four workers': byWorkers(4, SHARDS),
  },
  figures(medians, size) {
    const of = (variant: string): Measurement => {
      const found = medians[variant];
      if (found === undefined) throw new Error(`${variant} was not measured`);
      return found;
    };
    const [whole, one, two, four] = ['one worker, one shard', 'one worker', 'two workers', 'four workers'].map(of);
    if (whole === undefined || one === undefined || two === undefined || four === undefined) return [];
    const all = [whole, one, two, four];
    const extra = ({ extra: values }: Measurement, name: string): number => values[name] ?? Number.NaN;
    const equal = all.every((each) => extra(each, 'digest') === extra(one, 'digest'));
    const times = (fewer: Measurement, more: Measurement): number => fewer.wallSeconds / more.wallSeconds;
    // Of size S the run is as short as its steps' own cost.
    const bars = size === 'M';
    const more = (
      variant: Measurement,
      of: string,
      what: string,
      name: string,
      unit: string,
      base: Measurement,
      bar: boolean,
    ) =>
      figure(NAME, size, `${what} of ${of}`, extra(variant, name), unit, {
        floor: extra(base, name),
        ...(bar && bars ? { atMost: 1.15 } : {}),
      });
    return [
      figure(NAME, size, 'wall of one worker, one shard', whole.wallSeconds, 's'),
      figure(NAME, size, 'wall of one worker', one.wallSeconds, 's'),
      figure(NAME, size, 'one worker over two', times(one, two), 'times', bars ? { atLeast: 1.7 } : {}),
      figure(NAME, size, 'one worker over four', times(one, four), 'times', bars ? { atLeast: 3 } : {}),
      more(one, 'one worker over one without parts', 'CPU', 'cpu', 's', whole, false),
      more(two, 'two workers over one', 'CPU', 'cpu', 's', one, true),
      more(four, 'four workers over one', 'CPU', 'cpu', 's', one, true),
      more(one, 'one worker over one without parts', 'bytes', 'megabytes', 'MiB', whole, false),
      more(two, 'two workers over one', 'bytes', 'megabytes', 'MiB', one, true),
      more(four, 'four workers over one', 'bytes', 'megabytes', 'MiB', one, true),
      figure(NAME, size, 'runs with equal digests', equal ? all.length : 0, 'runs', { atLeast: all.length }),
    ];
  },
};
