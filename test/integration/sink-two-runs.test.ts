/**
 * Two processes that are one sink: the one that was stopped (SIGSTOP) while the other took over commits nothing more when it goes on, whatever it was doing, and no
 * row is there twice.
 */
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { moraineOk, startMoraine } from '../support/cli.js';
import { seed as askedSeed, numberIn } from '../support/environment.js';
import { followedProject, idLines, upTo } from '../support/followed-runs.js';
import { KILL_AT_ACCESS } from '../support/sink-kills.js';
import { Random } from '../worlds/random.js';

/** How often a run is stopped at an access. */
const STOPS = numberIn('MORAINE_SINK_KILLS', /^[1-9]\d{0,4}$/) ?? 6;
const BATCH = 50;
/** Importing the number made it shorter. */
vi.setConfig({ testTimeout: 1_800_000 });

test('a run that was stopped with records in its memory is fenced by the one that wrote them meanwhile', {
  timeout: 300_000,
}, async () => {
  const { file, ids, added, follow } = await followedProject();
  writeFileSync(file('log'), idLines(0, 20));
  // Nothing but a whole batch makes it commit.
  const first = follow('log', '--batch-interval', '3600', '--batch-size', '40');
  await first.until(({ progress }) => progress.at(-1)?.bufferedRecords === 20);
  first.signal('SIGSTOP');
  const second = follow('log');
  await second.rows(20);
  appendFileSync(file('log'), idLines(20, 30));
  await second.rows(30);
  first.signal('SIGCONT');
  appendFileSync(file('log'), idLines(30, 60));
  expect(await first.ended()).toBe(4);
  expect(first.stderr).toContain('"code":"SINK_FENCED"');
  await second.rows(60);
  expect(await second.end('SIGTERM')).toBe(0);
  expect(await ids()).toEqual(upTo(60));
  const rows = await added();
  expect(rows.reduce((sum, count) => sum + count, 0)).toBe(60);
  expect(rows.slice(0, 2)).toEqual([20, 10]);
});

test(`stopped ${STOPS} times at random accesses while another run writes what is left, a run commits nothing more`, async () => {
  const { folder, file, ids, added } = await followedProject();
  const [marker, counted] = [file('stopped'), file('accesses')];
  const args = ['sink', 'run', 'iot.uplinks', 'log', '--batch-size', `${BATCH}`, '--batch-interval', '3600'];
  let offered = 0;
  const offer = (): void => {
    appendFileSync(file('log'), idLines(offered, offered + 2 * BATCH));
    offered += 2 * BATCH;
  };
  const start = (at: Readonly<Record<string, string>>) =>
    new StoppableRun(folder, args, marker, { MORAINE_ACCESS_ROOT: folder, ...at });
  const random = new Random(`two runs ${askedSeed ?? 1}`);
  offer();
  expect(await start({ MORAINE_ACCESS_COUNT: counted }).ended()).toMatchObject({ code: 0 });
  const accesses = Number(readFileSync(counted, 'utf8'));
  const points = upTo(STOPS).map((index) => Math.ceil(((index + 1) * accesses) / STOPS));
  let [stopped, fenced] = [0, 0];
  for (const point of random.shuffle(points)) {
    offer();
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
    expect(await ids()).toEqual(upTo(offered));
  }
  expect(await added()).toEqual(Array.from({ length: offered / BATCH }, () => BATCH));
  process.stdout.write(`two runs: ${stopped} stopped at accesses up to ${accesses}, ${fenced} of them fenced\n`);
  expect(stopped).toBeGreaterThan(STOPS / 2);
  expect(fenced).toBeGreaterThan(STOPS / 4);
});

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
