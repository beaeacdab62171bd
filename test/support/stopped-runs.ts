/**
 * `moraine sink run` as two processes: one is stopped (SIGSTOP) just before an access to files, catalog or query engine (or a request to a store or a catalog), goes
 * on when the other one has written what was left, and commits nothing more. `MORAINE_SINK_KILLS` stops, from `MORAINE_SEED` on.
 */
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { Random } from '../worlds/random.js';
import { moraineOk, startMoraine } from './cli.js';
import { seed as askedSeed } from './environment.js';
import { KILL_AT_ACCESS } from './sink-kills.js';
import { upTo } from './up-to.js';

/** Records of a batch. */
export const STOPPED_BATCH = 50;

/** Runs on a table, each of which reads its source to the end. */
export interface StoppedRuns {
  readonly folder: string;
  /** Whether files and catalog are those of this machine; else requests are counted. */
  readonly isLocal: boolean;
  /** Of `sink run`: the table and the source. */
  readonly args: readonly string[];
  readonly stops: number;
  /** Gives the source records for two batches: the ids from one up to another. */
  readonly offer: (from: number, to: number) => Promise<unknown> | void;
  /** Ids of the rows of the table, in order. */
  readonly ids: () => Promise<readonly number[]>;
  /** Rows of each snapshot that has added some. */
  readonly added: () => Promise<readonly number[]>;
}

/** Stops runs at accesses that are spread over a whole one, in random order: each record is in the table once, each batch in one snapshot. */
export async function expectStopsSurvived(what: string, runs: StoppedRuns): Promise<void> {
  const { folder, isLocal, stops } = runs;
  const [marker, counted] = [join(folder, 'stopped'), join(folder, 'accesses')];
  const batches = ['--batch-size', `${STOPPED_BATCH}`, '--batch-interval', '3600'];
  const args = ['sink', 'run', ...runs.args, ...batches];
  let offered = 0;
  const offer = async (): Promise<void> => {
    await runs.offer(offered, offered + 2 * STOPPED_BATCH);
    offered += 2 * STOPPED_BATCH;
  };
  const root = isLocal ? { MORAINE_ACCESS_ROOT: folder } : {};
  const start = (at: Readonly<Record<string, string>>) => new StoppableRun(folder, args, marker, { ...root, ...at });
  await offer();
  expect(await start({ MORAINE_ACCESS_COUNT: counted }).ended()).toMatchObject({ code: 0 });
  const accesses = Number(readFileSync(counted, 'utf8'));
  const points = upTo(stops).map((index) => Math.ceil(((index + 1) * accesses) / stops));
  let [stopped, fenced] = [0, 0];
  for (const point of new Random(`${what} ${askedSeed ?? 1}`).shuffle(points)) {
    await offer();
    rmSync(marker, { force: true });
    const first = start({ MORAINE_KILL_AT: `${point}`, MORAINE_FAULT_SIGNAL: 'SIGSTOP' });
    if (await first.isStopped()) {
      stopped += 1;
      await moraineOk(args, { cwd: folder });
      first.goOn();
    }
    // Stopped before its claim or after its last commit, it has nothing to write.
    const { code, stderr } = await first.ended();
    if (code !== 0) {
      expect(code, stderr).toBe(4);
      expect(stderr).toContain('[SINK_FENCED]');
      fenced += 1;
    }
    expect(await runs.ids()).toEqual(upTo(offered));
  }
  expect(await runs.added()).toEqual(Array.from({ length: offered / STOPPED_BATCH }, () => STOPPED_BATCH));
  process.stdout.write(`${what}: ${stopped} stopped at accesses up to ${accesses}, ${fenced} of them fenced\n`);
  expect(stopped).toBeGreaterThan(stops / 2);
  expect(fenced).toBeGreaterThan(stops / 4);
}

/** A run that a signal stops at an access. It ends with the test. */
class StoppableRun {
  readonly #child;
  readonly #marker: string;
  readonly #ended: Promise<unknown>;
  #stderr = '';

  /** @param marker a file that says that it is about to be stopped */
  constructor(folder: string, args: readonly string[], marker: string, env: Readonly<Record<string, string>>) {
    const NODE_OPTIONS = `--import ${KILL_AT_ACCESS}`;
    this.#marker = marker;
    this.#child = startMoraine(args, { cwd: folder, env: { ...env, NODE_OPTIONS, MORAINE_FAULT_MARKER: marker } });
    this.#child.stdout.resume();
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#ended = once(this.#child, 'close');
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.#ended;
    });
  }

  /** Waits until it is stopped; false: it has ended before. */
  async isStopped(): Promise<boolean> {
    while (!existsSync(this.#marker) || this.#state() !== 'T') {
      if (this.#child.exitCode !== null) return false;
      await sleep(10);
    }
    return true;
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  async ended(): Promise<{ readonly code: number | null; readonly stderr: string }> {
    await this.#ended;
    return { code: this.#child.exitCode, stderr: this.#stderr };
  }

  #state(): string | undefined {
    try {
      return /\) (\S)/.exec(readFileSync(join('/proc', `${this.#child.pid}`, 'stat'), 'utf8'))?.[1];
    } catch {
      return undefined; // it has ended
    }
  }
}
