/** Online reads of decoded parts: one and a hundred entities, many readers at once, little memory, cold parts, and growth by runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { largest } from '../../errors/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { OnlineReader } from '../../online/index.js';
import { compactDeps, materializationDeps, type Project } from '../../project/index.js';
import { projectRoot } from '../../test/support/paths.js';
import { freePorts } from '../../workers/server/free-ports.js';
import { forkProgram } from '../fork-program.js';
import { ask } from '../http-load.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { entityAt, Keys, online, readAll } from '../online-reads.js';
import {
  appendFeatures,
  checksumOfTable,
  ENTITIES,
  makeOnlineSource,
  makeOnlineTable,
  ONLINE_VIEW,
  sleep,
} from '../online-source.js';
import { PartStatements } from '../part-statement.js';
import { median, percentile } from '../percentile.js';
import { benchCatalog, openBenchProject } from '../world.js';

const NAME = 'online';
const RUNS = 20;
const RUN_ROWS = 1_000;
const MB = 2 ** 20;
/** Entities that are read before resident memory is looked at, so many at a time: each request needs nearly every part. */
const MANY_READS = Number(process.env['MORAINE_BENCH_READS'] ?? 2_000_000);
const MANY_KEYS = 4_000;
/** What the query engine may use where memory is looked at. */
const ENGINE_MB = 256;
const STALENESS = { maxStalenessMs: 10_000 };

const READS: Readonly<Record<BenchSize, number>> = { S: 20_000, M: 50_000 };

interface Opened {
  readonly project: Project;
  readonly reader: OnlineReader;
}

async function open(context: BenchContext, cacheBytes: number, memoryLimit = '4GB'): Promise<Opened> {
  const project = await openBenchProject(context.dataFolder, memoryLimit);
  const deps = await materializationDeps(project);
  return {
    project,
    reader: new OnlineReader({ ...deps, cacheBytes, readTimeoutMs: 600_000, queueTimeoutMs: 600_000 }),
  };
}

async function close({ project, reader }: Opened): Promise<void> {
  await reader.close();
  await project.close();
}

/** Commits between two compactions of the table that is written, as a policy would have them. */
const COMPACT_AFTER = 100;

/**
 * Runs the work while another process commits once a second.
 * @returns what it gives, and how often that process has committed each second
 */
export async function besideWriter<Figures extends object>(
  context: BenchContext,
  work: () => Promise<Figures>,
): Promise<Figures & { readonly commitsPerSecond: number }> {
  const writer = forkProgram(NAME, 'writer', context);
  const ended = once(writer, 'exit');
  const early = ended.then(() => Promise.reject(new Error('the process that commits has ended early')));
  early.catch(() => undefined);
  let commits = 0;
  writer.on('message', () => (commits += 1));
  try {
    await Promise.race([once(writer, 'message'), early]);
    const [from, before] = [performance.now(), commits];
    const figures = await Promise.race([work(), early]);
    return { ...figures, commitsPerSecond: ((commits - before) * 1_000) / (performance.now() - from) };
  } finally {
    writer.kill('SIGTERM');
    await ended;
  }
}

/** Reads one after the other: their times, and how many found all that they needed in memory. */
async function countedReads(reader: OnlineReader, count: number, next: () => ReturnType<Keys['uniform']>) {
  const reads = online(reader, STALENESS);
  const before = reader.cacheStats;
  const times: number[] = [];
  let whole = 0;
  for (let read = 0; read < count; read += 1) {
    const { misses } = reader.cacheStats;
    times.push((await reads.latencies(1, next)).p50);
    if (reader.cacheStats.misses === misses) whole += 1;
  }
  const { hits, misses } = reader.cacheStats;
  const found = hits - before.hits;
  return {
    parts: found / (found + misses - before.misses),
    reads: whole / count,
    p50: median(times),
    p99: percentile(times, 0.99),
  };
}

export const onlineReads: BenchJob = {
  name: NAME,
  title:
    'Online reads of decoded rows, beside a commit each second: one and a hundred entities, 64 readers, a quarter of the memory, cold parts, growth by runs.',
  runs: 1,
  async prepare(context) {
    const project = await openBenchProject(context.dataFolder);
    await makeOnlineTable(project, context.size, { runs: RUNS, rows: RUN_ROWS });
    await project.close();
  },
  programs: {
    /** A commit of the online table each second, and compactions, until it is ended. After one that took longer the next ones come at once. */
    async writer(context) {
      const project = await openBenchProject(context.dataFolder);
      const deps = await materializationDeps(project);
      const first = Math.floor(Date.now() / 1_000) % 10_000_000;
      const began = performance.now();
      for (let commits = 0; ; ) {
        await appendFeatures(project, context.size, first + commits, RUN_ROWS);
        await materializeDirect(deps, { view: ONLINE_VIEW });
        commits += 1;
        process.send?.('committed');
        if (commits % COMPACT_AFTER === 0)
          await compactDirect(await compactDeps(project), {
            table: `moraine_online.${ONLINE_VIEW}`,
            strategy: 'latest',
          });
        await sleep(largest([0, began + commits * 1_000 - performance.now()]));
      }
    },
  },
  variants: {
    async hot(context, measure) {
      const opened = await open(context, 4_096 * MB);
      const { reader, project } = opened;
      const entities = ENTITIES[context.size];
      const found = await readAll(reader, entities);
      const expected = await checksumOfTable(project);
      if (found !== expected) throw new Error(`the values' checksum is ${found}, DuckDB's is ${expected}`);
      const decodedMb = reader.cacheStats.bytes / MB;
      const figures = await besideWriter(context, () =>
        measure(async () => {
          const keys = new Keys(entities);
          const one = await online(reader, STALENESS).latencies(READS[context.size], () => keys.uniform(1));
          const hundred = await online(reader, STALENESS).latencies(2_000, () => keys.uniform(100));
          const single = await online(reader, STALENESS).throughput(1, 4_000, () => keys.uniform(1));
          const many = await online(reader, STALENESS).throughput(64, 4_000, () => keys.uniform(1));
          const checking = await online(reader, {}).latencies(500, () => keys.uniform(1));
          return {
            p50: one.p50,
            p99: one.p99,
            p50of100: hundred.p50,
            p99of100: hundred.p99,
            many: many / single,
            perSecond: single,
            checkedP50: checking.p50,
            checkedP99: checking.p99,
          };
        }),
      );
      await close(opened);
      return { ...figures, decodedMb };
    },
    async quarter(context, measure) {
      const whole = await open(context, 4_096 * MB);
      await readAll(whole.reader, ENTITIES[context.size]);
      const budget = whole.reader.cacheStats.bytes / 4;
      await close(whole);
      globalThis.gc?.();
      const opened = await open(context, budget, `${ENGINE_MB}MiB`);
      const keys = new Keys(ENTITIES[context.size]);
      const baseMb = process.memoryUsage().rss / MB;
      const measured = await besideWriter(context, async () => {
        const figures: Record<string, number> = { budgetMb: budget / MB };
        await measure(async () => {
          for (const kind of ['uniform', 'zipf'] as const) {
            await online(opened.reader, STALENESS).latencies(200, () => keys[kind](1));
            const { parts, reads, p50, p99 } = await countedReads(opened.reader, 1_000, () => keys[kind](1));
            Object.assign(figures, { [`${kind}Parts`]: parts, [`${kind}Reads`]: reads });
            Object.assign(figures, { [`${kind}P50`]: p50, [`${kind}P99`]: p99 });
          }
        });
        figures['heldMb'] = opened.reader.cacheStats.bytes / MB;
        for (let read = 0; read < MANY_READS; read += MANY_KEYS) {
          const kind = read % (2 * MANY_KEYS) === 0 ? 'uniform' : 'zipf';
          await opened.reader.getOnlineFeatures({ view: ONLINE_VIEW, ...STALENESS, ...keys[kind](MANY_KEYS) });
        }
        figures['residentMb'] = process.memoryUsage().rss / MB;
        figures['residentLimitMb'] = baseMb + (1.25 * budget) / MB + ENGINE_MB;
        return figures;
      });
      await close(opened);
      return measured;
    },
    /** Reads of a part each, in turn with a statement of ours and statements of plain DuckDB. */
    async cold(context, measure) {
      const [decoding, stating] = [await open(context, 4_096 * MB), await open(context, 0)];
      const keys = new Keys(ENTITIES[context.size]);
      const places = Array.from({ length: 100 }, (_, place) => place + 1);
      const raw = await PartStatements.warm(decoding.project, places.map(entityAt));
      for (const { reader } of [decoding, stating])
        await reader.getOnlineFeatures({ view: ONLINE_VIEW, ...keys.only(0) });
      const figures = await besideWriter(context, () =>
        measure(async () => {
          const [parts, statements, rawParts, rawEntities]: number[][] = [[], [], [], []];
          for (const place of places) {
            const { misses } = decoding.reader.cacheStats;
            const one = await online(decoding.reader, STALENESS).latencies(1, () => keys.only(place));
            // Of two entities of one bucket the second one finds it decoded.
            if (decoding.reader.cacheStats.misses > misses) parts?.push(one.p50);
            statements?.push((await online(stating.reader, STALENESS).latencies(1, () => keys.only(place))).p50);
            rawParts?.push(await raw.readPart(entityAt(place)));
            rawEntities?.push(await raw.readEntity(entityAt(place)));
          }
          return {
            part: median(parts ?? []),
            statement: median(statements ?? []),
            raw: median(rawParts ?? []),
            rawEntity: median(rawEntities ?? []),
          };
        }),
      );
      raw.close();
      await close(decoding);
      await close(stating);
      return figures;
    },
    /** A process of the command, until it says that every view is open; and then its first read. */
    async start(context, measure) {
      const config = { catalogs: { local: benchCatalog(context.dataFolder) }, engine: { threads: 2 } };
      const file = join(context.scratchFolder, 'moraine.yaml');
      await writeFile(file, JSON.stringify(config));
      const [port = 0] = await freePorts(1);
      const url = `http://127.0.0.1:${port}`;
      const command = [join(projectRoot, 'dist/cli/main.js'), 'serve', '--config', file, '--port', String(port)];
      const isReady = () =>
        fetch(`${url}/ready`).then(
          ({ ok }) => ok,
          () => false,
        );
      return await besideWriter(context, async () => {
        const began = performance.now();
        const service = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'ignore'] });
        const ended = once(service, 'exit');
        const figures = await measure(async () => {
          while (!(await isReady())) await sleep(10);
          const readyMs = performance.now() - began;
          await ask(url, [0]);
          return { readyMs, firstMs: performance.now() - began - readyMs };
        });
        service.kill('SIGTERM');
        await ended;
        return figures;
      });
    },
    /** Ten keys after 0 and after 50 incremental runs, in a table of its own. */
    async growth(context, measure) {
      const folder = join(context.scratchFolder, 'growth');
      const project = await openBenchProject(folder);
      await makeOnlineSource(project, 'S');
      const deps = await materializationDeps(project);
      await materializeDirect(deps, { view: ONLINE_VIEW });
      const reader = new OnlineReader({ ...deps, readTimeoutMs: 600_000, queueTimeoutMs: 600_000 });
      await readAll(reader, ENTITIES.S);
      const figures = await measure(async () => {
        const keys = new Keys(ENTITIES.S);
        const none = await online(reader, STALENESS).latencies(3_000, () => keys.uniform(10));
        for (let run = 0; run < 50; run += 1) {
          await appendFeatures(project, 'S', run, RUN_ROWS);
          await materializeDirect(deps, { view: ONLINE_VIEW });
        }
        await reader.getOnlineFeatures({ view: ONLINE_VIEW, ...keys.uniform(10) });
        await sleep(3_000);
        await reader.getOnlineFeatures({ view: ONLINE_VIEW, ...keys.uniform(10) });
        await sleep(3_000);
        const fifty = await online(reader, STALENESS).latencies(3_000, () => keys.uniform(10));
        return { none: none.p50, fifty: fifty.p50 };
      });
      await reader.close();
      await project.close();
      await rm(folder, { recursive: true, force: true });
      return figures;
    },
  },
  figures(medians, size) {
    const of = (variant: string, name: string): number => medians[variant]?.extra[name] ?? Number.NaN;
    const line = (
      what: string,
      value: number,
      unit: string,
      options: { readonly floor?: number; readonly atMost?: number; readonly atLeast?: number } = {},
    ) => figure(NAME, size, what, value, unit, options);
    return [
      line('1 entity, p50', of('hot', 'p50'), 'ms', { atMost: 0.05 }),
      line('1 entity, p99', of('hot', 'p99'), 'ms', { atMost: 1 }),
      line('100 entities, p50', of('hot', 'p50of100'), 'ms', { atMost: 2 }),
      line('100 entities, p99', of('hot', 'p99of100'), 'ms', { atMost: 10 }),
      line('reads of 1 entity per second, one reader', of('hot', 'perSecond'), '1/s'),
      line('throughput of 64 readers over that of one', of('hot', 'many'), 'x', { atLeast: 1 }),
      line('1 entity with a look at the catalog (maxStalenessMs 0), p50', of('hot', 'checkedP50'), 'ms'),
      line('the same, p99', of('hot', 'checkedP99'), 'ms'),
      line('everything decoded', of('hot', 'decodedMb'), 'MB'),
      line('a quarter of it, uniform keys: reads answered from memory, of all', of('quarter', 'uniformReads'), ''),
      line('uniform keys: parts found in memory, of those looked for', of('quarter', 'uniformParts'), ''),
      line('uniform keys, p50', of('quarter', 'uniformP50'), 'ms'),
      line('uniform keys, p99', of('quarter', 'uniformP99'), 'ms'),
      line('Zipf keys: reads answered from memory, of all', of('quarter', 'zipfReads'), ''),
      line('Zipf keys: parts found in memory, of those looked for', of('quarter', 'zipfParts'), ''),
      line('Zipf keys, p50', of('quarter', 'zipfP50'), 'ms'),
      line('Zipf keys, p99', of('quarter', 'zipfP99'), 'ms'),
      line('decoded rows held', of('quarter', 'heldMb'), 'MB', { floor: of('quarter', 'budgetMb'), atMost: 1 }),
      line(`resident memory after ${MANY_READS.toLocaleString('en')} entities`, of('quarter', 'residentMb'), 'MB', {
        floor: of('quarter', 'residentLimitMb'),
        atMost: 1,
      }),
      line(
        'a part that is not decoded, p50, over a warm DuckDB statement that reads its columns',
        of('cold', 'part'),
        'ms',
        {
          floor: of('cold', 'raw'),
          atMost: 2,
        },
      ),
      line('the same over our statement for the entity alone, which decodes nothing', of('cold', 'part'), 'ms', {
        floor: of('cold', 'statement'),
      }),
      line('the same over a warm DuckDB statement for the entity alone', of('cold', 'part'), 'ms', {
        floor: of('cold', 'rawEntity'),
      }),
      line('`moraine serve` until it is ready', of('start', 'readyMs'), 'ms', { atMost: 2_000 }),
      line('its first read of 1 entity', of('start', 'firstMs'), 'ms'),
      line('10 entities after 50 runs, p50', of('growth', 'fifty'), 'ms', { floor: of('growth', 'none') }),
      ...['hot', 'quarter', 'cold'].map((variant) =>
        line(`commits each second meanwhile (${variant})`, of(variant, 'commitsPerSecond'), '1/s'),
      ),
    ];
  },
};
