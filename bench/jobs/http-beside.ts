/** Reads of decoded rows over HTTP, alone, while other reads have to decode, and while a retrieval runs. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteLiteral } from '../../engine/index.js';
import { startService } from '../../service/index.js';
import { forkProgram } from '../fork-program.js';
import { ask, measureLoad } from '../http-load.js';
import type { BenchContext, BenchJob, BenchSize } from '../job.js';
import { figure } from '../job.js';
import { randomNumbers } from '../online-reads.js';
import { ENTITIES, FEATURE_NAMES, ONLINE_VIEW, sleep } from '../online-source.js';
import { openBenchProject } from '../world.js';
import { besideWriter, onlineReads } from './online.js';

const NAME = 'http-beside';
/** About a quarter of what all rows take decoded. */
const CACHE: Readonly<Record<BenchSize, string>> = { S: '5MB', M: '50MB' };
const RETRIEVED: Readonly<Record<BenchSize, number>> = { S: 1_000_000, M: 10_000_000 };
/** Entities whose rows stay decoded, since they are read all the time. */
const HOT_KEYS = 20;
const HOT = { entities: 1, connections: 1 };

interface BesideContext extends BenchContext {
  readonly url: string;
}

/** Runs a program of the bench beside the work, which may ask how often the program has sent a message. @returns what the work does, and that number */
async function beside<T>(
  name: string,
  context: BesideContext,
  work: (times: () => number) => Promise<T>,
): Promise<[T, number]> {
  const child = forkProgram(NAME, name, context);
  let times = 0;
  child.on('message', () => (times += 1));
  const ended = once(child, 'exit');
  const early = ended.then(() => Promise.reject(new Error(`the program ${name} of the bench has ended early`)));
  await Promise.race([once(child, 'message'), early]);
  const result = await work(() => times);
  early.catch(() => undefined);
  child.kill('SIGKILL');
  await ended;
  return [result, times];
}

const rowsFile = ({ scratchFolder }: BenchContext): string => join(scratchFolder, 'entity-rows.parquet');

export const httpBeside: BenchJob = {
  name: NAME,
  title:
    'Reads of decoded rows over HTTP, beside a commit each second: alone, beside reads that have to decode theirs, and beside a retrieval of a million (S) or ten million (M) rows, until one has ended.',
  runs: 1,
  data: onlineReads.name,
  prepare: (context) => onlineReads.prepare(context),
  programs: {
    /** Reads entities that are mostly not decoded, one after the other. */
    async cold(context) {
      const { url, size } = context as BesideContext;
      const random = randomNumbers(11);
      for (;;) {
        // On a busy machine some take longer than a read may.
        const answer = await ask(url, [Math.floor(random() * ENTITIES[size])]).catch(() => null);
        if (answer !== null) process.send?.('read');
      }
    },
    /** Asks for point-in-time features of many rows, again and again. */
    async retrieval(context) {
      const { url } = context as BesideContext;
      const body = await readFile(rowsFile(context));
      const features = FEATURE_NAMES.map((name) => `${ONLINE_VIEW}:${name}`).join(',');
      const headers = { 'content-type': 'application/vnd.apache.parquet', accept: 'application/vnd.apache.parquet' };
      process.send?.('begun');
      for (;;) {
        const answer = await fetch(`${url}/get-historical-features?features=${features}`, {
          method: 'POST',
          headers,
          body,
        });
        if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
        for await (const _ of answer.body ?? []) void _;
        process.send?.('retrieved');
      }
    },
  },
  variants: {
    async ours(context, measure) {
      const cache = { maxSize: CACHE[context.size] };
      const project = await openBenchProject(context.dataFolder, '4GB', [context.scratchFolder], { cache });
      const rows = `SELECT (hash(range) % ${ENTITIES[context.size]})::BIGINT AS entity_id, make_timestamptz(1798761600000000) AS event_timestamp FROM range(${RETRIEVED[context.size]})`;
      await (await project.engine()).withConnection((connection) =>
        connection.run(`COPY (${rows}) TO ${quoteLiteral(rowsFile(context))} (FORMAT parquet)`),
      );
      const service = await startService({ project, port: 0, version: '0', log: { write: () => undefined } });
      while (!(await fetch(`${service.url}/ready`)).ok) await sleep(100);
      const { url } = service;
      const hot = () => measureLoad(url, HOT, HOT_KEYS);
      const figures = await besideWriter(context, () =>
        measure(async () => {
          const alone = await hot();
          const [cold, misses] = await beside('cold', { ...context, url }, hot);
          const [offline, retrieved] = await beside('retrieval', { ...context, url }, async (times) => {
            let slowest = await hot();
            while (times() < 2) {
              const next = await hot();
              if (next.p99 > slowest.p99) slowest = next;
            }
            return slowest;
          });
          return {
            ...{ aloneP50: alone.p50, aloneP99: alone.p99, coldP50: cold.p50, coldP99: cold.p99, misses },
            ...{ offlineP50: offline.p50, offlineP99: offline.p99, retrieved: retrieved - 1 },
          };
        }),
      );
      await service.close();
      await project.close();
      return figures;
    },
  },
  figures(medians, size) {
    const of = (name: string): number => medians['ours']?.extra[name] ?? Number.NaN;
    const line = (what: string, name: string, options: { readonly atMost?: number } = {}) =>
      figure(NAME, size, what, of(name), 'ms', options);
    return [
      line('1 entity alone, p50', 'aloneP50'),
      line('1 entity alone, p99', 'aloneP99'),
      line('beside reads that decode, p50', 'coldP50'),
      line('beside reads that decode, p99', 'coldP99', { atMost: 10 }),
      figure(NAME, size, 'reads that decode, in ten seconds', of('misses'), '', {}),
      line('beside a retrieval, p50', 'offlineP50'),
      line('beside a retrieval, p99 of the slowest ten seconds', 'offlineP99', { atMost: 10 }),
      figure(NAME, size, 'retrievals that ended meanwhile', of('retrieved'), '', {}),
      figure(NAME, size, 'commits each second meanwhile', of('commitsPerSecond'), '1/s', {}),
    ];
  },
};
