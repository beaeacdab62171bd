/** Ctrl-C on commands that wait for a run, at every stage: real processes, on a Temporal server of their own or a configured one. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ERROR_TABLE } from '../../errors/index.js';
import { startMoraine } from '../support/cli.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

const CANCELLED = ERROR_TABLE.CANCELLED.exitCode;
const SECOND_CTRL_C = 130;

/** Starts a command, sends SIGINT when it has come so far, and says how it ended. */
async function interrupt(
  folder: string,
  args: readonly string[],
  stage: (stderr: () => string) => boolean,
  { twice = false, env = {} }: { readonly twice?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
) {
  const child = startMoraine(args, { cwd: folder, env });
  onTestFinished(() => void (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close');
  while (!stage(() => stderr) && child.exitCode === null) await sleep(10);
  child.kill('SIGINT');
  if (twice) {
    await sleep(20);
    child.kill('SIGINT');
  }
  const [code] = (await ended) as [number | null];
  return { code, stderr };
}

/** Living processes that work in a folder: the server's watching shell names it. */
const processesIn = (folder: string): string[] =>
  execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`${folder}/`));

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Nothing runs, nothing is locked, nothing temporary is left. */
async function expectNothingLeft({ folder }: SmallProject, temporaryBefore: readonly string[]): Promise<void> {
  await expect.poll(() => processesIn(folder), { timeout: 30_000 }).toEqual([]);
  expect(namesIn(join(folder, 'tmp'))).toEqual(temporaryBefore);
  const state = join(folder, '.moraine');
  expect(namesIn(state)).not.toContain('temporal.lock');
  expect(namesIn(join(state, 'temporal'))).not.toContain('server.pipe');
  expect(namesIn(join(state, 'temporal/users'))).toEqual([]);
}

const temporal = (folder: string, name: string): string => join(folder, '.moraine/temporal', name);

test('Ctrl-C ends a command at every stage with CANCELLED, and leaves nothing behind', async () => {
  const small = await SmallProject.create();
  const { folder, view, table } = small;
  await small.append(20_000);
  const materialize = ['materialize', view, '--wait'];
  const backfill = ['backfill', view, '--start', '1970-01-01', '--end', '1971-01-01', '--step', '1h', '--wait'];
  const compact = ['compact', table, '--strategy', 'binpack', '--wait'];
  // The test's own engine.
  const temporaryBefore = namesIn(join(folder, 'tmp'));
  const log = temporal(folder, 'server.log');
  const stages: readonly (readonly [string, readonly string[], () => boolean])[] = [
    ['the server starts for the first time', materialize, () => existsSync(log)],
    ['its database is being made', compact, () => existsSync(temporal(folder, 'temporal.db'))],
    ['a user is registered, and the worker starts', compact, () => namesIn(temporal(folder, 'users')).length > 0],
    ['the run has begun', backfill, () => existsSync(join(folder, 'warehouse/moraine_online', view))],
    ['the worker starts', ['maintain', table, '--wait'], () => namesIn(temporal(folder, 'users')).length > 0],
  ];
  for (const [stage, args, isReached] of stages) {
    // On a busy machine an earlier command got further: its server's state is not this stage.
    if (isReached()) rmSync(join(folder, '.moraine/temporal'), { recursive: true });
    expect(isReached(), stage).toBe(false);
    const ended = await interrupt(folder, args, isReached);
    expect(ended, stage).toMatchObject({ code: CANCELLED });
    expect(ended.stderr, stage).toContain('[CANCELLED]');
    expect(ended.stderr, stage).not.toContain('shut down');
    await expectNothingLeft(small, temporaryBefore);
  }
}, 300_000);

test('a second Ctrl-C ends a command at once, and its server with it', async () => {
  const small = await SmallProject.create();
  const { folder, view } = small;
  await small.append(100);
  const registered = (): boolean => namesIn(temporal(folder, 'users')).length > 0;
  const ended = await interrupt(folder, ['materialize', view, '--wait'], registered, { twice: true });
  expect(ended.code).toBe(SECOND_CTRL_C);
  await expect.poll(() => processesIn(folder), { timeout: 30_000 }).toEqual([]);
}, 120_000);

test('Ctrl-C ends a command whose configured server has died, and whose calls are being retried', async () => {
  const small = await SmallProject.create();
  const { folder, view } = small;
  await small.append(100);
  const server = await OwnTemporalServer.start(join(temporaryFolder(), 'server'));
  onTestFinished(() => server.kill());
  const { address } = server;
  const env = { TEMPORAL_ADDRESS: address };
  const worker = startMoraine(['worker', '--roles', 'workflows'], { cwd: folder, env });
  onTestFinished(() => void worker.kill('SIGKILL'));
  let polls = '';
  worker.stderr.setEncoding('utf8').on('data', (text: string) => (polls += text));
  await expect.poll(() => polls, { timeout: 60_000 }).toContain('polling');
  // Nobody takes its activities: the command waits, and shows that it does after ten seconds.
  const state = { waits: false, serverDied: false };
  const ended = interrupt(
    folder,
    ['materialize', view, '--wait'],
    (stderr) => {
      state.waits ||= stderr().includes('planning');
      return state.serverDied;
    },
    { env },
  );
  await expect.poll(() => state.waits, { timeout: 60_000 }).toBe(true);
  await server.kill();
  await sleep(1_000);
  state.serverDied = true;
  const { code, stderr } = await ended;
  expect(stderr).toContain('[CANCELLED]');
  expect(code).toBe(CANCELLED);
}, 180_000);

test('moraine dev ends with an error when its server has ended', async () => {
  const { folder } = await SmallProject.create();
  const dev = startMoraine(['dev'], { cwd: folder });
  onTestFinished(() => void dev.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  dev.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  dev.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await expect.poll(() => stdout, { timeout: 60_000 }).toContain('Ctrl-C ends them.');
  const ended = once(dev, 'close');
  const [group] = execFileSync('ps', ['-eo', 'pgid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`${folder}/`))
    .map((line) => Number.parseInt(line, 10));
  process.kill(-(group ?? Number.NaN), 'SIGKILL');
  expect(await ended).toEqual([ERROR_TABLE.TEMPORAL_UNAVAILABLE.exitCode, null]);
  expect(stderr).toMatch(
    /^error: The local Temporal server has ended; its log .*server\.log says: .* \[TEMPORAL_UNAVAILABLE\]$/m,
  );
}, 120_000);
