/** Online reads under each partition strategy: of entities that changed lately, of those that did not for two days, and of absent ones. */
import { join } from 'node:path';
import { type PartitionStrategy } from '../../features/index.js';
import { OnlineReader } from '../../online/index.js';
import { materializationDeps } from '../../project/index.js';
import { type BenchContext, type BenchJob, figure } from '../job.js';
import { online, readAll } from '../online-reads.js';
import { checksumOfTable, ENTITIES, entitiesOfRun, makeOnlineTable } from '../online-source.js';
import { openBenchProject } from '../world.js';

const NAME = 'online-hours';
/** Hours after the first, in which rows of a few entities were added by a run each. */
const HOURS = 48;
const HOUR_ROWS = 500;
const HOUR_S = 3_600;
const MB = 2 ** 20;
const STALENESS = { maxStalenessMs: 600_000 };
const STRATEGIES: Readonly<Record<string, PartitionStrategy>> = {
  hash: 'entity_hash',
  hours: 'timestamp',
  both: 'hybrid',
};
const BUCKETS = { entity_hash: 16, timestamp: 16, hybrid: 4 } as const;

const openStrategy = (context: BenchContext, strategy: PartitionStrategy) =>
  openBenchProject(join(context.dataFolder, strategy), '4GB', [], {
    partitionStrategy: strategy,
    buckets: BUCKETS[strategy],
  });

async function measureStrategy(
  strategy: PartitionStrategy,
  context: BenchContext,
  measure: <T>(work: () => Promise<T>) => Promise<T>,
) {
  const project = await openStrategy(context, strategy);
  const deps = await materializationDeps(project);
  const readerOf = (cacheBytes: number) =>
    new OnlineReader({ ...deps, cacheBytes, readTimeoutMs: 60_000, queueTimeoutMs: 60_000 });
  const [decoding, stating] = [readerOf(4_096 * MB), readerOf(0)];
  const entities = ENTITIES[context.size];
  const late = await entitiesOfRun(project, context.size, HOURS - 1, 100);
  const one = (entity: number) => ({ entities: [{ entity_id: entity }] });
  const recent = (place: number) => one(late[place % late.length] ?? 0);
  const any = (place: number) => one((place * 7_919) % entities);
  const absent = (place: number) => one(entities + place);
  const figures = await measure(async () => {
    const found: Record<string, number> = {};
    await online(decoding, STALENESS).latencies(1, recent);
    found['recentMb'] = decoding.cacheStats.bytes / MB;
    const coldAbsent = await online(decoding, STALENESS).latencies(1, absent);
    found['coldAbsent'] = coldAbsent.p50;
    const checksum = await readAll(decoding, entities);
    if (checksum !== (await checksumOfTable(project))) throw new Error(`${strategy}: the values' checksum is wrong`);
    for (const [kind, keys] of Object.entries({ recent, any, absent })) {
      await online(decoding, STALENESS).latencies(2_000, keys);
      found[`${kind}Hot`] = (await online(decoding, STALENESS).latencies(5_000, keys)).p50;
      await online(stating, STALENESS).latencies(2, keys);
      found[`${kind}Statement`] = (await online(stating, STALENESS).latencies(50, keys)).p50;
    }
    return found;
  });
  const { openViews } = decoding;
  await decoding.close();
  await stating.close();
  await project.close();
  return { ...figures, files: openViews[0]?.files ?? 0 };
}

export const onlineHours: BenchJob = {
  name: NAME,
  title:
    'Online reads by partition strategy, 48 hours of runs on top of the first: entities of the last hour, any, and absent ones.',
  runs: 1,
  async prepare(context) {
    for (const strategy of Object.values(STRATEGIES)) {
      const project = await openStrategy(context, strategy);
      await makeOnlineTable(project, context.size, { runs: HOURS, rows: HOUR_ROWS, stepS: HOUR_S });
      await project.close();
    }
  },
  variants: Object.fromEntries(
    Object.entries(STRATEGIES).map(([variant, strategy]) => [
      variant,
      (context, measure) => measureStrategy(strategy, context, measure),
    ]),
  ),
  figures(medians, size) {
    return Object.entries(STRATEGIES).flatMap(([variant, strategy]) => {
      const line = (what: string, name: string, unit: string) =>
        figure(NAME, size, `${strategy}: ${what}`, medians[variant]?.extra[name] ?? Number.NaN, unit, {});
      return [
        line('files', 'files', ''),
        line('decoded for an entity of the last hour', 'recentMb', 'MB'),
        line('the first read of an absent entity', 'coldAbsent', 'ms'),
        line('an entity of the last hour, decoded, p50', 'recentHot', 'ms'),
        line('any entity, decoded, p50', 'anyHot', 'ms'),
        line('an absent entity, decoded, p50', 'absentHot', 'ms'),
        line('an entity of the last hour, by a statement, p50', 'recentStatement', 'ms'),
        line('any entity, by a statement, p50', 'anyStatement', 'ms'),
        line('an absent entity, by a statement, p50', 'absentStatement', 'ms'),
      ];
    });
  },
};
