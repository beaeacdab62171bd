/**
 * The real worker is killed with SIGKILL just before an access to files, catalog or query engine, and started again: the run ends
 * with the right rows, each commit once, and every file that is needed. `MORAINE_CRASH_POINTS` says at which accesses: a few of each
 * workflow unless it is given, every one with `all`, every so many-th with a number, those from 57 to 60 with `57..60`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { Slots } from '../../activities/slots.js';
import { KilledRun, workerIsUp } from '../support/killed-run.js';
import { projectRoot } from '../support/paths.js';
import { python } from '../support/python.js';
import { WORKS, type Work } from '../support/works.js';

const PRELOAD = pathToFileURL(join(projectRoot, 'test/support/kill-at-access.mjs')).href;
const SAMPLE = 4;
const ASKED = process.env['MORAINE_CRASH_POINTS'];
/** Most of the time a run waits for a heartbeat to time out. */
const atOnce = new Slots(6);

interface Reading {
  readonly rows: readonly Record<string, unknown>[];
  readonly problems: readonly string[];
}

/** The environment in which the worker dies at an access; 0: it only counts. */
function environment(folder: string, marker: string, killAt: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${PRELOAD}`,
    MORAINE_ACCESS_ROOT: folder,
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

async function survive(work: Work, killAt: number, isJudged: boolean): Promise<Attempt> {
  const run: KilledRun = new KilledRun(work, (marker) => environment(run.folder, marker, killAt));
  try {
    const survival = await run.run();
    await run.expectWhole(survival);
    if (isJudged && inject('python') !== null) await judge(run, work);
    const accesses = killAt === 0 ? Number(readFileSync(join(run.folder, 'accesses'), 'utf8')) : 0;
    return { isKilled: survival.killedBy === 'SIGKILL', accesses };
  } catch (error) {
    process.stdout.write(`${work.name}, killed at access ${killAt}: ${String(error)}\n`);
    throw new Error(`${work.name}, killed at access ${killAt}`, { cause: error });
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
function chosenPoints(accesses: number): readonly number[] {
  const all = Array.from({ length: accesses - 2 }, (_, index) => index + 1);
  const [first, last] = ASKED?.split('..').map(Number) ?? [];
  if (first !== undefined && last !== undefined) return all.filter((point) => point >= first && point <= last);
  if (ASKED === 'all') return all;
  const every = first ?? Math.ceil(accesses / SAMPLE);
  return all.filter((point) => point % every === 2 % every);
}

const slot = <T>(work: () => Promise<T>): Promise<T> => atOnce.run(new AbortController().signal, work);

describe('a worker killed at any access is survived', () => {
  test.concurrent.each(WORKS)(
    '$name',
    async (work) => {
      const { accesses } = await slot(() => survive(work, 0, false));
      const points = chosenPoints(accesses);
      expect(points).not.toEqual([]);
      const attempts = await Promise.allSettled(
        points.map((point, index) => slot(() => survive(work, point, index % 3 === 0))),
      );
      const failures = attempts.flatMap((attempt) =>
        attempt.status === 'rejected' ? [attempt.reason as unknown] : [],
      );
      if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of ${points.length} points`);
      const killed = attempts.filter((attempt) => attempt.status === 'fulfilled' && attempt.value.isKilled).length;
      process.stdout.write(`SIGKILL at ${killed} of ${accesses} accesses of ${work.name}\n`);
      // The number of accesses differs a little from run to run.
      expect(points.length - killed).toBeLessThan(1 + points.length / 20);
    },
    12 * 3_600_000,
  );
});
