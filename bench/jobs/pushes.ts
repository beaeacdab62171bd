/** Pushes over HTTP at a fixed rate, beside reads, compaction and expiry. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { runBehind, threadIds } from '../../processes/index.js';
import { compactDeps, maintenanceDeps, materializationDeps } from '../../project/index.js';
import { startService } from '../../service/index.js';
import { expireOnce } from '../../test/support/maintain-once.js';
import { forkProgram } from '../fork-program.js';
import { decodeAll } from '../http-load.js';
import { type BenchContext, type BenchJob, figure } from '../job.js';
import { ENTITIES, makeOnlineSource, ONLINE_VIEW, sleep } from '../online-source.js';
import { measurePushes, PUSH_BAR_MS, type PushFigures, type PushLoad } from '../push-load.js';
import { openBenchProject } from '../world.js';

const NAME = 'pushes';
/** Ten minutes are what the bar asks for. */
const SECONDS = Number(process.env['MORAINE_BENCH_PUSH_SECONDS'] ?? 60);
const TABLE = `moraine_online.${ONLINE_VIEW}`;
const UPKEEP_INTERVAL_MS = 10_000;
const KEPT_SNAPSHOTS_MS = 30_000n;

const openHot = (context: BenchContext) =>
  openBenchProject(context.scratchFolder, '2GB', [], { cache: { maxSize: '1GB' } });

async function serve(context: BenchContext) {
  const project = await openHot(context);
  const service = await startService({ project, port: 0, version: '0', log: { write: () => undefined } });
  while (!(await fetch(`${service.url}/ready`)).ok) await sleep(100);
  await decodeAll(service.url, ENTITIES[context.size]);
  return { project, service };
}

async function message<T>(child: ChildProcess): Promise<T> {
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('a program of the bench has ended early')));
  const [value] = (await Promise.race([once(child, 'message'), ended])) as [T];
  return value;
}

export const pushes: BenchJob = {
  name: NAME,
  title:
    'Pushes over HTTP: 50 connections with 10 rows each, ten times a second each, beside reads, compaction and expiry; one of a hundred is looked for through another service.',
  runs: 1,
  prepare: () => Promise.resolve(),
  programs: {
    async other(context) {
      const { service } = await serve(context);
      process.send?.(service.url);
      await once(process, 'SIGTERM');
    },
    async upkeep(context) {
      // As a worker beside a service should run: `nice moraine worker`.
      runBehind(threadIds());
      const project = await openBenchProject(context.scratchFolder);
      for (;;) {
        await compactDirect(await compactDeps(project), { table: TABLE, strategy: 'latest' });
        await expireOnce(maintenanceDeps(project), TABLE, { olderThanMs: KEPT_SNAPSHOTS_MS, retainLast: 1 });
        await sleep(UPKEEP_INTERVAL_MS);
      }
    },
    async load(context) {
      process.send?.(await measurePushes(context as unknown as PushLoad));
    },
  },
  variants: {
    async ours(context, measure) {
      const made = await openBenchProject(context.scratchFolder);
      await makeOnlineSource(made, context.size);
      await materializeDirect(await materializationDeps(made), { view: ONLINE_VIEW });
      await made.close();
      const { project, service } = await serve(context);
      const other = forkProgram(NAME, 'other', context);
      const otherUrl = await message<string>(other);
      const upkeep = forkProgram(NAME, 'upkeep', context);
      const load: PushLoad = { url: service.url, otherUrl, entities: ENTITIES[context.size], seconds: SECONDS };
      const figures = await measure(() => message<PushFigures>(forkProgram(NAME, 'load', load))).finally(() => {
        for (const child of [upkeep, other]) child.kill('SIGKILL');
      });
      await service.close();
      await project.close();
      return figures;
    },
  },
  figures(medians, size) {
    const of = (name: keyof PushFigures): number => medians['ours']?.extra[name] ?? Number.NaN;
    const line = (
      what: string,
      name: keyof PushFigures,
      unit: string,
      options: { readonly atMost?: number; readonly atLeast?: number } = {},
    ) => figure(NAME, size, what, of(name), unit, options);
    return [
      line('rows that were acknowledged each second', 'rowsPerSecond', 'rows/s', { atLeast: 5_000 }),
      figure(NAME, size, 'pushes and reads that failed or were shed', of('failed'), 'requests', {}),
      line('push until acknowledged, p50', 'p50', 'ms'),
      line('push until acknowledged, p99', 'p99', 'ms', { atMost: PUSH_BAR_MS }),
      line('push until acknowledged, the slowest', 'max', 'ms'),
      line('spans of ten seconds whose p99 is within 400 ms', 'quickSpans', ''),
      figure(
        NAME,
        size,
        'read of 10 entities beside it, p99 of the last minute, over the first',
        of('lastReadP99'),
        'ms',
        {
          floor: of('firstReadP99'),
          atMost: 2,
        },
      ),
      line('acknowledged until served by another service, p50', 'servedP50', 'ms'),
      line('acknowledged until served by another service, p99', 'servedP99', 'ms', { atMost: 1_000 }),
      figure(NAME, size, 'CPU of the service, of one core', (medians['ours']?.cpuSeconds ?? 0) / SECONDS, 'cores', {}),
    ];
  },
};
