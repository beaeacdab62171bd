/** Online reads and writes of a table in an S3 server that is some way off: first reads, parts that are not decoded, decoded parts, and commits. */
import { join } from 'node:path';
import { onlineWriteBatch } from '../../client/index.js';
import { OnlineReader } from '../../online/index.js';
import { materializationDeps } from '../../project/index.js';
import { measureTraffic, noTraffic } from '../../storage/index.js';
import { type BenchContext, type BenchJob, figure } from '../job.js';
import { Keys, online, readAll } from '../online-reads.js';
import { ENTITIES, FEATURE_NAMES, makeOnlineTable, ONLINE_VIEW } from '../online-source.js';
import { openStoreProject, startStore } from '../store.js';

const NAME = 'online-store';
const LATENCY_MS = 20;
const RUNS = 20;
const RUN_ROWS = 1_000;
/** Reads of parts that are not decoded; each is of another bucket, mostly. */
const COLD_READS = 50;
const COMMITS = 20;
const STALENESS = { maxStalenessMs: 3_600_000 };

/** Opens the project with an empty disk cache, or with what an earlier call has left in it. */
async function open(context: BenchContext, latencyMs: number) {
  const store = await startStore(context.dataFolder, latencyMs);
  const project = await openStoreProject(context.dataFolder, store, join(context.scratchFolder, 'cache'));
  const close = async (): Promise<void> => {
    await project.close();
    await store.close();
  };
  return { project, close };
}

/** Milliseconds of single reads, each of keys that are far from those of the others, and the requests that they took together. */
async function coldReads(reader: OnlineReader, keys: Keys) {
  const traffic = noTraffic();
  const { p50 } = await measureTraffic(traffic, () =>
    online(reader, STALENESS).latencies(COLD_READS, (place) => keys.only(place + 1)),
  );
  return { p50, requests: traffic.requests / COLD_READS };
}

const rowOf = (entity: number, run: number) => ({
  entity_id: entity,
  event_timestamp: new Date(Date.UTC(2027, 0, 1) + run).toISOString(),
  ...Object.fromEntries(FEATURE_NAMES.map((name) => [name, null])),
});

export const onlineStore: BenchJob = {
  name: NAME,
  title:
    'Online reads and writes of a table in an S3 server that is 20 ms away: the first read, parts that are not decoded, with and without their files on disk, decoded parts, and commits of ten rows.',
  runs: 1,
  async prepare(context) {
    const { project, close } = await open(context, 0);
    await makeOnlineTable(project, context.size, { runs: RUNS, rows: RUN_ROWS });
    await close();
  },
  variants: {
    async ours(context, measure) {
      const { project, close } = await open(context, LATENCY_MS);
      const deps = await materializationDeps(project);
      const keys = new Keys(ENTITIES[context.size]);
      const limits = { readTimeoutMs: 60_000, queueTimeoutMs: 60_000 };
      const figures = await measure(async () => {
        const began = performance.now();
        const reader = new OnlineReader({ ...deps, ...limits });
        await reader.getOnlineFeatures({ view: ONLINE_VIEW, ...keys.only(0) });
        const firstMs = performance.now() - began;
        const far = await coldReads(reader, keys);
        await reader.close();

        const again = new OnlineReader({ ...deps, ...limits });
        await again.getOnlineFeatures({ view: ONLINE_VIEW, ...keys.only(0) });
        const near = await coldReads(again, keys);
        await readAll(again, ENTITIES[context.size]);
        const hot = await online(again, STALENESS).latencies(20_000, () => keys.uniform(1));
        const hundred = await online(again, STALENESS).latencies(2_000, () => keys.uniform(100));
        const looked = await online(again, {}).latencies(100, () => keys.uniform(1));
        await again.close();
        return {
          ...{ firstMs, farMs: far.p50, farRequests: far.requests, nearMs: near.p50, nearRequests: near.requests },
          ...{ p50: hot.p50, p99: hot.p99, p50of100: hundred.p50, p99of100: hundred.p99, lookedMs: looked.p50 },
        };
      });
      const times: number[] = [];
      const traffic = noTraffic();
      await measureTraffic(traffic, async () => {
        for (let run = 0; run < COMMITS; run += 1) {
          const rows = Array.from({ length: 10 }, (_, place) => rowOf(run * 10 + place, run));
          const began = performance.now();
          await onlineWriteBatch(project, { view: ONLINE_VIEW, rows });
          times.push(performance.now() - began);
        }
      });
      await close();
      const sorted = times.toSorted((a, b) => a - b);
      return { ...figures, commitMs: sorted[COMMITS / 2] ?? Number.NaN, commitRequests: traffic.requests / COMMITS };
    },
  },
  figures(medians, size) {
    const of = (name: string): number => medians['ours']?.extra[name] ?? Number.NaN;
    const line = (what: string, name: string, unit: string, options: { readonly atMost?: number } = {}) =>
      figure(NAME, size, what, of(name), unit, options);
    return [
      line('the first read of a process, 1 entity', 'firstMs', 'ms'),
      line('a part that is not decoded, its files in the store alone, p50', 'farMs', 'ms'),
      line('requests of such a read', 'farRequests', 'requests'),
      line('a part that is not decoded, its files on disk, p50', 'nearMs', 'ms'),
      line('requests of such a read, files on disk', 'nearRequests', 'requests'),
      line('1 entity, decoded, p50', 'p50', 'ms', { atMost: 0.05 }),
      line('1 entity, decoded, p99', 'p99', 'ms', { atMost: 1 }),
      line('100 entities, decoded, p50', 'p50of100', 'ms', { atMost: 2 }),
      line('100 entities, decoded, p99', 'p99of100', 'ms', { atMost: 10 }),
      line('1 entity with a look at the catalog (maxStalenessMs 0), p50', 'lookedMs', 'ms'),
      line('a commit of ten rows, median', 'commitMs', 'ms'),
      line('requests of such a commit', 'commitRequests', 'requests'),
    ];
  },
};
