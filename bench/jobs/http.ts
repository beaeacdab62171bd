/** Online reads over HTTP, beside a bare route of the same web framework and beside Feast's own server on Redis. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fastify from 'fastify';
import { quoteLiteral, readableScanSql } from '../../engine/index.js';
import { largest } from '../../errors/index.js';
import { OnlineReader } from '../../online/index.js';
import { materializationDeps, type Project } from '../../project/index.js';
import { openScan } from '../../scans/index.js';
import { startService } from '../../service/index.js';
import { sizeOfFiles } from '../../staging/index.js';
import { loadTable, planFiles, selectSnapshot } from '../../tables/index.js';
import { projectRoot } from '../../test/support/paths.js';
import { pythonEnvironment } from '../../test/support/python-environment.js';
import { freePorts } from '../../workers/server/free-ports.js';
import { debianProgram } from '../debian-programs.js';
import { forkProgram } from '../fork-program.js';
import { ask, decodeAll, digestOfAnswers, LOAD_NAMES, LOADS, measureLoad, measureLoads } from '../http-load.js';
import { type BenchContext, type BenchJob, type Figure, figure } from '../job.js';
import { Keys, online, readAll } from '../online-reads.js';
import { checksumOfTable, ENTITIES, FEATURE_NAMES, ONLINE_VIEW, sleep } from '../online-source.js';
import { openBenchProject } from '../world.js';
import { besideWriter, onlineReads } from './online.js';

const run = promisify(execFile);
const NAME = 'http';
const FEAST_ENV = { ...process.env, FEAST_USAGE: 'False', PYTHONDONTWRITEBYTECODE: '1' };

const openHot = (context: BenchContext) =>
  openBenchProject(context.dataFolder, '4GB', [context.scratchFolder], { cache: { maxSize: '4GB' } });

async function openNewest(project: Project) {
  const identifier = { namespace: ['moraine_online'], name: ONLINE_VIEW };
  const table = await loadTable(await project.catalog(), project.io, identifier);
  const { schema, snapshot } = selectSnapshot(table.metadata);
  return { table, schema, snapshot, plan: await planFiles(table, { schema, snapshot }) };
}

/** Memory of decoded rows by the service's own metrics. */
async function decodedBytes(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^moraine_online_cache_bytes (\S+)$/m.exec(metrics)?.[1]);
}

/** The newest row of each entity, as the file that Feast's store is filled from. */
async function writeNewestRows(context: BenchContext, path: string): Promise<void> {
  const project = await openHot(context);
  const { table, schema, snapshot, plan } = await openNewest(project);
  const features = FEATURE_NAMES.map((name) => (name === 'm1' ? 'm1::DOUBLE AS m1' : name)).join(', ');
  await (await project.engine()).withConnection(async (connection) => {
    const { scan } = await openScan(connection, { table, snapshot, schema }, plan);
    const all = await readableScanSql(connection, { ...scan, schema, extras: { sequenceNumber: 'seq' } });
    const newest = `SELECT entity_id, event_timestamp AS event_ts, ${features} FROM ${all}
      QUALIFY row_number() OVER (PARTITION BY entity_id ORDER BY event_timestamp DESC, seq DESC) = 1`;
    await connection.run(`COPY (${newest}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
  });
  await project.close();
}

async function serve(context: BenchContext) {
  const project = await openHot(context);
  const service = await startService({ project, port: 0, version: '0', log: { write: () => undefined } });
  await decodeAll(service.url, ENTITIES[context.size]);
  return { project, service, close: () => service.close().then(() => project.close()) };
}

/** What our service answers from the table as it is now. */
async function digestOfOurs(context: BenchContext): Promise<number> {
  const { service, close } = await serve(context);
  const digest = await digestOfAnswers(service.url, ENTITIES[context.size]);
  await close();
  return digest;
}

/** The loads of many connections, spread over servers. */
async function measureShared(urls: readonly string[], entities: number): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const name of LOAD_NAMES) {
    const load = LOADS[name];
    if (load.connections === 1) continue;
    const own = { ...load, connections: load.connections / urls.length };
    const measured = await Promise.all(urls.map((url) => measureLoad(url, own, Math.floor(entities / 0.95))));
    figures[`${name} perSecond`] = measured.reduce((sum, { perSecond }) => sum + perSecond, 0);
    figures[`${name} p99`] = largest(measured.map(({ p99 }) => p99));
  }
  return figures;
}

/** Reads in this process, once every value is known to be DuckDB's. */
async function measureLibrary(context: BenchContext): Promise<Record<string, number>> {
  const project = await openHot(context);
  const deps = await materializationDeps(project);
  const reader = new OnlineReader({ ...deps, cacheBytes: 2 ** 32, readTimeoutMs: 60_000, queueTimeoutMs: 60_000 });
  const entities = ENTITIES[context.size];
  const [found, expected] = [await readAll(reader, entities), await checksumOfTable(project)];
  if (found !== expected) throw new Error(`the values' checksum is ${found}, DuckDB's is ${expected}`);
  const figures = await besideWriter(context, async () => {
    const keys = new Keys(entities);
    const reads = online(reader, { maxStalenessMs: 10_000 });
    const one = await reads.latencies(20_000, () => keys.uniform(1));
    const hundred = await reads.latencies(2_000, () => keys.uniform(100));
    return { libraryP50: one.p50, libraryP50of100: hundred.p50 };
  });
  await reader.close();
  await project.close();
  return figures;
}

/** A process of ours, ended after the work. */
async function beside<T>(child: ChildProcess, work: () => Promise<T>): Promise<T> {
  const ended = once(child, 'exit');
  try {
    return await Promise.race([work(), ended.then(() => Promise.reject(new Error('a server has ended early')))]);
  } finally {
    child.kill();
    await ended.catch(() => undefined);
  }
}

async function untilReady(isReady: () => Promise<boolean>): Promise<void> {
  while (!(await isReady().catch(() => false))) await sleep(100);
}

/** Redis in memory only, filled by Feast; then Feast's server on it. */
async function measureFeast(context: BenchContext): Promise<Record<string, number>> {
  const folder = context.scratchFolder;
  const rows = join(folder, 'newest.parquet');
  await writeNewestRows(context, rows);
  const interpreter = pythonEnvironment(join(projectRoot, 'test/interop/requirements-feast-redis.txt'));
  const { path, env } = debianProgram('redis-server');
  const [redisPort = 0, port = 0] = await freePorts(2);
  const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  const redis = spawn(path, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
  const python = (...own: readonly string[]) => ['-W', 'ignore', ...own];
  return await beside(redis, async () => {
    await sleep(1_000);
    const program = join(projectRoot, 'bench/programs/feast_redis.py');
    const options = { env: FEAST_ENV, maxBuffer: 1 << 24 };
    const { stdout } = await run(interpreter, python(program, folder, String(redisPort), rows), options);
    const library = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, number>;
    const start = `import sys; sys.argv[0] = 'feast'; from feast.cli.cli import cli; cli()`;
    const serve = ['--chdir', folder, 'serve', '--port', String(port), '--workers', '2', '--max-requests', '0'];
    const server = spawn(interpreter, python('-c', start, ...serve, '--no-access-log'), {
      env: FEAST_ENV,
      stdio: 'ignore',
    });
    return await beside(server, async () => {
      const url = `http://127.0.0.1:${port}`;
      await untilReady(async () => (await fetch(`${url}/health`)).ok);
      const entities = ENTITIES[context.size];
      if ((await digestOfAnswers(url, entities)) !== (await digestOfOurs(context)))
        throw new Error("Feast's server answers other values");
      return { ...(await besideWriter(context, () => measureLoads(url, entities))), ...library };
    });
  });
}

export const http: BenchJob = {
  name: NAME,
  title:
    "Online reads over HTTP, everything decoded, beside a commit each second; floors: a bare route of the web framework, Feast's server on Redis.",
  runs: 1,
  data: onlineReads.name,
  prepare: (context) => onlineReads.prepare(context),
  programs: {
    async second(context) {
      const { service } = await serve(context);
      process.send?.(service.url);
      await once(process, 'SIGTERM');
    },
  },
  variants: {
    async ours(context, measure) {
      const { project, service, close } = await serve(context);
      const decodedMb = (await decodedBytes(service.url)) / 2 ** 20;
      const filesMb =
        Number(sizeOfFiles((await openNewest(project)).plan.files.map(({ file }) => file)).bytes) / 2 ** 20;
      const figures = await measure(() =>
        besideWriter(context, () => measureLoads(service.url, ENTITIES[context.size])),
      );
      await close();
      return { ...figures, decodedMb, filesMb };
    },
    /** As many processes as Feast's server has workers, each with half of the connections. */
    async two(context, measure) {
      const { service, close } = await serve(context);
      const second = forkProgram(NAME, 'second', context);
      const figures = await beside(second, async () => {
        const [url] = (await once(second, 'message')) as [string];
        return await measure(() =>
          besideWriter(context, () => measureShared([service.url, url], ENTITIES[context.size])),
        );
      });
      await close();
      return figures;
    },
    library: (context, measure) => measure(() => measureLibrary(context)),
    async bare(context, measure) {
      const project = await openHot(context);
      const service = await startService({ project, port: 0, version: '0', log: { write: () => undefined } });
      const answers = new Map<number, object>();
      for (const count of [1, 100]) {
        const keys = Array.from({ length: count }, (_, place) => place);
        await untilReady(async () => (await ask(service.url, keys)).results.length > 0);
        answers.set(count, await ask(service.url, keys));
      }
      await service.close();
      await project.close();
      const app = fastify();
      app.post('/get-online-features', (request, reply) => {
        const { entities } = request.body as { readonly entities: { readonly entity_id: readonly number[] } };
        return reply.send(answers.get(entities.entity_id.length));
      });
      const url = await app.listen({ host: '127.0.0.1', port: 0 });
      const figures = await measure(() => besideWriter(context, () => measureLoads(url, ENTITIES[context.size])));
      await app.close();
      return figures;
    },
    feast: (context, measure) => measure(() => measureFeast(context)),
  },
  figures(medians, size) {
    const of = (variant: string, name: string): number => medians[variant]?.extra[name] ?? Number.NaN;
    const line = (
      what: string,
      value: number,
      unit: string,
      options: { floor?: number; atMost?: number } = {},
    ): Figure => figure(NAME, size, what, value, unit, options);
    return [
      ...LOAD_NAMES.flatMap((load) => [
        line(`${load}, p50`, of('ours', `${load} p50`), 'ms', { floor: of('feast', `${load} p50`), atMost: 1 }),
        line(`${load}, p99`, of('ours', `${load} p99`), 'ms', { floor: of('feast', `${load} p99`), atMost: 1 }),
        line(
          `${load}, time of a request at full throughput, over Feast's`,
          1000 / of('ours', `${load} perSecond`),
          'ms',
          {
            floor: 1000 / of('feast', `${load} perSecond`),
            atMost: 0.2,
          },
        ),
        line(`${load}, the same over a bare route`, 1000 / of('ours', `${load} perSecond`), 'ms', {
          floor: 1000 / of('bare', `${load} perSecond`),
          atMost: 2,
        }),
      ]),
      ...LOAD_NAMES.filter((load) => LOADS[load].connections > 1).flatMap((load) => [
        line(
          `${load}, two services: time of a request, over Feast's two workers`,
          1000 / of('two', `${load} perSecond`),
          'ms',
          {
            floor: 1000 / of('feast', `${load} perSecond`),
            atMost: 0.2,
          },
        ),
        line(`${load}, two services, p99`, of('two', `${load} p99`), 'ms', {
          floor: of('feast', `${load} p99`),
          atMost: 1,
        }),
      ]),
      line("our read of 1 entity in its own process over Feast's on Redis, p50", of('library', 'libraryP50'), 'ms', {
        floor: of('feast', 'p50'),
        atMost: 0.2,
      }),
      line('the same of 100 entities', of('library', 'libraryP50of100'), 'ms', {
        floor: of('feast', 'p50of100'),
        atMost: 0.2,
      }),
      line("Feast's read of 1 entity on SQLite in its own process, p50", of('feast', 'sqlitep50'), 'ms'),
      line("Feast's read of 100 entities on SQLite, p50", of('feast', 'sqlitep50of100'), 'ms'),
      line("memory of Redis for the entities' values", of('feast', 'redisMb'), 'MB'),
      line("Feast's file of SQLite", of('feast', 'sqliteMb'), 'MB'),
      line('our decoded rows in memory', of('ours', 'decodedMb'), 'MB', { floor: of('feast', 'redisMb') }),
      line('our live files', of('ours', 'filesMb'), 'MB', { floor: of('feast', 'redisMb') }),
      ...['ours', 'two', 'feast'].map((variant) =>
        line(`commits each second meanwhile (${variant})`, of(variant, 'commitsPerSecond'), '1/s'),
      ),
    ];
  },
};
