/** One run over several workers, each with a quarter of a core and a disk of its own; tables lie in an S3 server. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Project } from '../project/index.js';
import { connectClient, type ProjectSettings } from '../workers/index.js';
import { startOrJoinLocalServer } from '../workers/server/local-server.js';
import {
  type BenchContext,
  type BenchJob,
  type BenchSize,
  type BenchVariant,
  figure,
  type Measurement,
} from './job.js';
import { comeFirst, type LimitedWorker, startLimitedWorker } from './limited-workers.js';
import { type BenchStore, openStoreProject, startStore, storeConfig } from './store.js';
import { digestOfTable } from './table-digest.js';

const CORES = 0.25;
const SECRET = 's3.secret-access-key';
/** Pieces of every run but the unsharded one: as many as the most workers have. */
const PIECES = 4;

type Temporal = Awaited<ReturnType<typeof connectClient>>;

/** Where a run is started. */
export interface RunContext {
  readonly temporal: Temporal;
  readonly settings: ProjectSettings;
}

/** A kind of run that workers share. */
export interface WorkerRun {
  readonly name: string;
  readonly title: string;
  prepare(project: Project, size: BenchSize): Promise<void>;
  /** Drops what an earlier run has made. */
  clear(project: Project): Promise<void>;
  /** A small run of the kind, so that every worker has begun to work. */
  warmUp(context: RunContext, pieces: number): Promise<unknown>;
  /** Starts the run, waits for its end, and says which it was. */
  run(context: RunContext, pieces: number): Promise<{ readonly workflowId: string; readonly runId: string }>;
  /** The table with the rows that the run has made. */
  readonly made: { readonly namespace: readonly string[]; readonly name: string };
}

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

/** Takes away the tables that earlier runs have made. */
export async function dropTables(project: Project, tables: readonly WorkerRun['made'][]): Promise<void> {
  const catalog = await project.catalog();
  for (const table of tables) if (await catalog.tableExists(table)) await catalog.dropTable(table);
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

/** A run whose pieces so many workers take, and one that plans and commits, which has no limit. */
const byWorkers =
  (shared: WorkerRun, count: number, pieces: number): BenchVariant =>
  async (context, measure) => {
    const comeLast = comeFirst();
    const figures = await inStore(context, async (project, store) => {
      await shared.clear(project);
      const server = await startOrJoinLocalServer({ stateFolder: join(context.scratchFolder, 'state') });
      const { address } = server;
      const taskQueue = `${shared.name}-${randomUUID()}`;
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
        const ran = { temporal, settings: { ...settings, project: await project.identity() } };
        await shared.warmUp(ran, PIECES);
        const cpu = (): number => workers.reduce((sum, worker) => sum + worker.cpuSeconds(), 0);
        const before = cpu();
        const run = await measure(() => shared.run(ran, pieces));
        const used = cpu() - before;
        const history = await temporal.client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
        return { cpu: used, megabytes: bytesOf(history) / 2 ** 20, digest: await digestOfTable(project, shared.made) };
      } finally {
        await temporal.close();
        for (const worker of workers) await worker.stop();
        await server.close();
      }
    });
    await comeLast();
    return figures;
  };

/** The job that measures a run by one, two and four workers, in four pieces, and by one in one piece. */
export function jobOfWorkers(shared: WorkerRun): BenchJob {
  const { name, title } = shared;
  return {
    name,
    title,
    runs: 1,
    prepare: (context) => inStore(context, (project) => shared.prepare(project, context.size)),
    variants: {
      'one worker, one shard': byWorkers(shared, 1, 1),
      'one worker': byWorkers(shared, 1, PIECES),
      'two workers': byWorkers(shared, 2, PIECES),
      'four workers': byWorkers(shared, 4, PIECES),
    },
    figures: (medians, size) => figuresOf(name, medians, size),
  };
}

function figuresOf(name: string, medians: Readonly<Record<string, Measurement>>, size: BenchSize) {
  const of = (variant: string): Measurement => {
    const found = medians[variant];
    if (found === undefined) throw new Error(`${variant} was not measured`);
    return found;
  };
  const whole = of('one worker, one shard');
  const [one, two, four] = [of('one worker'), of('two workers'), of('four workers')];
  const all = [whole, one, two, four];
  const extra = ({ extra: values }: Measurement, value: string): number => values[value] ?? Number.NaN;
  const equal = all.every((each) => extra(each, 'digest') === extra(one, 'digest'));
  const times = (fewer: Measurement, more: Measurement): number => fewer.wallSeconds / more.wallSeconds;
  // Of size S the run is as short as its steps' own cost.
  const bars = size === 'M';
  const more = (
    variant: Measurement,
    what: string,
    { value, unit, base, bar }: { value: string; unit: string; base: Measurement; bar: boolean },
  ) =>
    figure(name, size, what, extra(variant, value), unit, {
      floor: extra(base, value),
      ...(bar && bars ? { atMost: 1.15 } : {}),
    });
  const costs = (what: string, value: string, unit: string) => [
    more(one, `${what} of one worker over one without parts`, { value, unit, base: whole, bar: false }),
    more(two, `${what} of two workers over one`, { value, unit, base: one, bar: true }),
    more(four, `${what} of four workers over one`, { value, unit, base: one, bar: true }),
  ];
  return [
    figure(name, size, 'wall of one worker, one shard', whole.wallSeconds, 's'),
    figure(name, size, 'wall of one worker', one.wallSeconds, 's'),
    figure(name, size, 'one worker over two', times(one, two), 'times', bars ? { atLeast: 1.7 } : {}),
    figure(name, size, 'one worker over four', times(one, four), 'times', bars ? { atLeast: 3 } : {}),
    ...costs('CPU', 'cpu', 's'),
    ...costs('bytes', 'megabytes', 'MiB'),
    figure(name, size, 'runs with equal digests', equal ? all.length : 0, 'runs', { atLeast: all.length }),
  ];
}
