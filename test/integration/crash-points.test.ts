/**
 * The real worker is killed with SIGKILL just before an access to files, catalog or query engine, and started again: the run ends
 * with the right rows and one commit. Some accesses, or with `MORAINE_CRASH_POINTS=all` every one of them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, inject, test } from 'vitest';
import { KilledRun } from '../support/killed-run.js';
import { projectRoot } from '../support/paths.js';
import { python } from '../support/python.js';

const PRELOAD = pathToFileURL(join(projectRoot, 'test/support/kill-at-access.mjs')).href;
const SAMPLE = 8;
/** Runs that wait for a heartbeat to time out at the same time. */
const AT_ONCE = 4;

interface Reading {
  readonly rows: readonly Record<string, unknown>[];
  readonly problems: readonly string[];
}

/** What the worker's environment needs to die at an access; 0: it only counts. */
function environment(folder: string, marker: string, killAt: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${PRELOAD}`,
    MORAINE_ACCESS_ROOT: folder,
    MORAINE_FAULT_MARKER: marker,
    ...(killAt === 0 ? { MORAINE_ACCESS_COUNT: join(folder, 'accesses') } : { MORAINE_KILL_AT: `${killAt}` }),
  };
}

/** @returns accesses of the run, if it counted them */
async function survive(killAt: number, isJudged: boolean): Promise<number> {
  const run: KilledRun = new KilledRun((marker) => environment(run.folder, marker, killAt));
  try {
    const survival = await run.run();
    if (killAt > 0) expect(survival.killedBy, `access ${killAt}`).toBe('SIGKILL');
    await run.expectWhole(survival);
    if (isJudged && inject('python') !== null) await judge(run);
    return killAt === 0 ? Number(readFileSync(join(run.folder, 'accesses'), 'utf8')) : 0;
  } finally {
    await run.clean();
  }
}

/** PyIceberg reads the online table, and as many rows of it. */
async function judge({ folder, small }: KilledRun): Promise<void> {
  const uri = `sqlite:///${join(folder, 'catalog.db')}`;
  const table = `moraine_online.${small?.view ?? ''}`;
  const { rows, problems } = await python<Reading>('read_ours.py', uri, join(folder, 'warehouse'), table);
  expect(problems).toEqual([]);
  expect(rows).toHaveLength(100);
}

test(
  'a worker killed at any access is survived',
  async () => {
    const accesses = await survive(0, false);
    const all = Array.from({ length: accesses }, (_, index) => index + 1);
    const isAll = process.env['MORAINE_CRASH_POINTS'] === 'all';
    // The worker's own start and end count, too, and the last accesses differ from run to run.
    const points = isAll ? all.slice(0, -2) : all.filter((_, index) => index % Math.ceil(accesses / SAMPLE) === 1);
    for (let start = 0; start < points.length; start += AT_ONCE) {
      await Promise.all(points.slice(start, start + AT_ONCE).map((point) => survive(point, point % 3 === 0)));
    }
    process.stdout.write(`SIGKILL at ${points.length} of ${accesses} accesses\n`);
    expect(points.length).toBeGreaterThan(4);
  },
  6 * 3_600_000,
);
