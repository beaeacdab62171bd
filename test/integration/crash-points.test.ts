/**
 * The real worker is killed with SIGKILL just before an access to files, catalog or query engine, and started again: the run ends
 * with the right rows, each commit once, and every file that is needed. Files are those of this machine, with SQLite, or objects of an S3 server,
 * with a REST catalog. `MORAINE_CRASH_POINTS` says at which accesses: a few of each workflow unless it is given, every one with `all`, every
 * so many-th with a number, those from 57 to 60 with `57..60`.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { Slots } from '../../activities/slots.js';
import { FOLD } from '../support/fold-work.js';
import { KilledRun, workerIsUp } from '../support/killed-run.js';
import { projectRoot } from '../support/paths.js';
import { python } from '../support/python.js';
import { type RestServer, s3OfRest, startRestServer } from '../support/rest-server.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { WORKS, type Work } from '../support/works.js';

const PRELOAD = pathToFileURL(join(projectRoot, 'test/support/kill-at-access.mjs')).href;
const ASKED = process.env['MORAINE_CRASH_POINTS'];
/** Most of the time a run waits for a heartbeat to time out. */
const atOnce = new Slots(6);

interface Reading {
  readonly rows: readonly Record<string, unknown>[];
  readonly problems: readonly string[];
}

/** Where a run has its tables. */
interface Place {
  readonly name: string;
  /** Accesses of each workflow that are tried unless others are asked for. */
  readonly sample: number;
  readonly isLocal: boolean;
  /** For one run. */
  readonly settings: () => ConstructorParameters<typeof KilledRun>[2];
}

const LOCAL: Place = { name: 'local files and SQLite', sample: 1, isLocal: true, settings: () => ({}) };

let store: ServerWithUsers;
let rest: RestServer;
const ON_S3: Place = {
  name: 'S3 and REST',
  sample: 1,
  isLocal: false,
  settings: () => ({
    config: `catalogs: { lake: { type: rest, uri: "${rest.uriOf(`run-${randomUUID()}`)}" } }
storage:
  roots: [s3://lake]
  options: { s3.endpoint: "${store.endpoint}", s3.region: us-east-1, s3.access-key-id: "${store.options['s3.access-key-id']}", s3.secret-access-key: "\${LAKE_SECRET_KEY}" }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
`,
    age: (location, modified) => store.age(location, modified),
  }),
};

beforeAll(async () => {
  store = await startMinio();
  await store.makeBucket('lake');
  rest = await startRestServer('s3://lake/rest', s3OfRest(store));
  vi.stubEnv('LAKE_SECRET_KEY', store.options['s3.secret-access-key'] ?? '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([store.close(), rest.close()]);
});

/** The environment in which the worker dies at an access; 0: it only counts. */
function environment(folder: string, marker: string, killAt: number, { isLocal }: Place): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${PRELOAD}`,
    ...(isLocal ? { MORAINE_ACCESS_ROOT: folder } : {}),
    MORAINE_ACCESS_BEGIN: workerIsUp(folder),
    MORAINE_FAULT_MARKER: marker,
    ...(killAt === 0 ? { MORAINE_ACCESS_COUNT: join(folder, 'accesses') } : { MORAINE_KILL_AT: `${killAt}` }),
  };
}

interface Attempt {
  readonly isKilled: boolean;
  /** If it counted them. */
  readonly accesses: number;
}

async function survive(work: Work, place: Place, killAt: number, isJudged: boolean): Promise<Attempt> {
  const faultOf = (marker: string) => environment(run.folder, marker, killAt, place);
  const run: KilledRun = new KilledRun(work, faultOf, place.settings());
  try {
    const survival = await run.run();
    await run.expectWhole(survival);
    if (isJudged && inject('python') !== null) await judge(run, work);
    const accesses = killAt === 0 ? Number(readFileSync(join(run.folder, 'accesses'), 'utf8')) : 0;
    return { isKilled: survival.killedBy === 'SIGKILL', accesses };
  } catch (error) {
    const what = `${work.name} on ${place.name}, killed at access ${killAt}`;
    process.stdout.write(`${what}: ${String(error)}\n`);
    throw new Error(what, { cause: error });
  } finally {
    await run.clean();
  }
}

/** PyIceberg reads the table, and as many rows of it. */
async function judge({ folder, small }: KilledRun, { written }: Work): Promise<void> {
  const { table, rows } = written(small ?? expect.unreachable());
  const uri = `sqlite:///${join(folder, 'catalog.db')}`;
  const reading = await python<Reading>('read_ours.py', uri, join(folder, 'warehouse'), table);
  expect(reading.problems).toEqual([]);
  expect(reading.rows).toHaveLength(rows);
}

/** Which accesses are asked for. The worker's own end counts, too: the last two are left out. */
function chosenPoints(accesses: number, sample: number): readonly number[] {
  const all = Array.from({ length: accesses - 2 }, (_, index) => index + 1);
  const [first, last] = ASKED?.split('..').map(Number) ?? [];
  if (first !== undefined && last !== undefined) return all.filter((point) => point >= first && point <= last);
  if (ASKED === 'all') return all;
  // Of a few the middle of each part.
  const every = first ?? Math.ceil(accesses / sample);
  const phase = first === undefined ? Math.ceil(every / 2) : 2;
  return all.filter((point) => point % every === phase % every);
}

const slot = <T>(work: () => Promise<T>): Promise<T> => atOnce.run(new AbortController().signal, work);

describe.each([LOCAL, ON_S3])('a worker killed at any access is survived, on $name', (place) => {
  // Some of them in the store, unless points are asked for.
  test.concurrent.each(place.isLocal || ASKED !== undefined ? [...WORKS, FOLD] : WORKS.slice(0, 2))(
    '$name',
    async (work) => {
      const { accesses } = await slot(() => survive(work, place, 0, false));
      const points = chosenPoints(accesses, place.sample);
      expect(points).not.toEqual([]);
      const attempts = await Promise.allSettled(
        points.map((point, index) => slot(() => survive(work, place, point, place.isLocal && index % 3 === 0))),
      );
      const failures = attempts.flatMap((attempt) =>
        attempt.status === 'rejected' ? [attempt.reason as unknown] : [],
      );
      if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of ${points.length} points`);
      const killed = attempts.filter((attempt) => attempt.status === 'fulfilled' && attempt.value.isKilled).length;
      process.stdout.write(`SIGKILL at ${killed} of ${accesses} accesses of ${work.name} on ${place.name}\n`);
      // The number of accesses differs a little from run to run.
      expect(points.length - killed).toBeLessThan(1 + points.length / 20);
      expect(killed).toBeGreaterThan(0);
    },
    ASKED === undefined ? 600_000 : 12 * 3_600_000,
  );
});
