/** `moraine backfill` on a real server with a real worker: a training set, live runs beside it, what is said to it, retry. */
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackfillProgress, PlannedBackfill } from '../../activities/backfill-contract.js';
import { ERROR_TABLE } from '../../errors/index.js';
import { effectiveProgress } from '../../materialization/index.js';
import { planFiles, selectSnapshot } from '../../tables/index.js';
import { connectClient, startMaterialization, type TemporalClient, waitForRun } from '../../workers/index.js';
import { moraine, moraineOk } from '../support/cli.js';
import { lastingFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';
import { LABELS, TrainingProject } from '../support/training-project.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const SECOND = 1_000_000n;
const settings = testSettings();
let made: TrainingProject;
let worker: WorkerProcess;
let temporal: TemporalClient;
const lasting = lastingFolder();
const folder = lasting.path;

beforeAll(async () => {
  made = await TrainingProject.createIn(folder);
  const server = `temporal: { address: "${settings.address}", taskQueue: ${settings.taskQueue} }`;
  // One slot for windows of backfills, two for other heavy work.
  appendFileSync(join(folder, 'moraine.yaml'), `${server}\nworker: { heavyActivities: 2 }\n`);
  worker = await startWorkerProcess(folder, ['worker'], {});
  temporal = await connectClient(settings);
}, 120_000);
afterAll(async () => {
  worker.kill('SIGTERM');
  await worker.ended;
  await temporal.close();
  await made.close();
  lasting.remove();
});

const run = (...args: readonly string[]): Promise<string> => moraineOk(['backfill', ...args], { cwd: folder });
const idOf = (started: string): string => (JSON.parse(started) as { workflowId: string }).workflowId;
const handle = (id: string) => temporal.client.workflow.getHandle(id);
const progressOf = (id: string): Promise<BackfillProgress> => handle(id).query<BackfillProgress>('progress');
const statusOf = async (id: string): Promise<string> => (await handle(id).describe()).status.name;

async function sourceFiles(): Promise<ReadonlySet<string>> {
  const source = await made.small.source();
  const { files } = await planFiles(source, selectSnapshot(source.metadata));
  return new Set(files.map(({ file }) => file.filePath.replace(/^file:\/\//, '')));
}

describe('a training set', { timeout: 180_000 }, () => {
  test('is planned, applied and saved window by window, with the rows and digest of a save at once', async () => {
    const { view } = made.small;
    const what = [
      '--training-set',
      'march',
      '--features',
      view,
      '--entities-table',
      'demo.labels',
      '--save-as',
      'demo.march',
    ];
    const range = ['--start', '1970-01-01T00:00:00Z', '--end', '1970-01-01T01:00:00Z', '--step', '10m'];
    const file = join(folder, 'march.json');
    expect(await run(...what, ...range, '--plan', file)).toContain('training set march: 6 windows, 5 with rows');
    const result = await run('--apply', file, '--wait', '--json');
    expect(JSON.parse(result)).toMatchObject({ trainingSet: 'march', windows: 6, rows: String(LABELS) });
    const whole = await made.saveWhole('whole');
    const saved = (await made.moraine.datasets()).find(({ record }) => record.name === 'march')?.record;
    expect([saved?.rows, saved?.digest]).toEqual([whole.rows, whole.digest]);
    expect(await made.rowsOf('demo.march')).toEqual(await made.rowsOf('demo.whole'));
    expect(await made.moraine.replayDataset('march')).toMatchObject({ matches: true });

    const labels = join(folder, 'more.csv');
    writeFileSync(labels, 'sensor,event_timestamp,label\n1,1970-01-01T00:20:00Z,late\n');
    await made.moraine.appendFile('demo.labels', labels);
    const stale = await moraine(['backfill', '--apply', file, '--wait'], { cwd: folder });
    expect([stale.code, stale.stderr]).toEqual([
      ERROR_TABLE.PLAN_STALE.exitCode,
      expect.stringContaining('1970-01-01T00:20:00.000Z to 1970-01-01T00:30:00.000Z') as string,
    ]);
  });
});

describe('a view', { timeout: 240_000 }, () => {
  test('runs of the view end while a backfill of many windows is in flight; it is paused, resumed and cancelled', async () => {
    const { small } = made;
    const end = new Date(4_000_000).toISOString();
    const range = ['--start', new Date(0).toISOString(), '--end', end, '--step', '4s'];
    const id = idOf(await run(small.view, ...range, '--concurrency', '16', '--json'));
    await expect.poll(() => progressOf(id), { timeout: 60_000 }).toMatchObject({ step: 'running', windowsTotal: 1000 });
    for (const at of [20_000, 20_010, 20_020]) {
      await small.append(10, at);
      const window = { startUs: BigInt(at) * SECOND, endUs: BigInt(at + 10) * SECOND };
      const live = await startMaterialization(temporal, settings, { view: small.view, ...window });
      expect(await waitForRun(temporal.client, live)).toMatchObject({ rows: '10' });
      expect(await statusOf(id)).toBe('RUNNING');
      const coverage = effectiveProgress((await small.online()).metadata).progress?.coverage ?? [];
      expect(coverage.some(({ endUs }) => endUs === window.endUs)).toBe(true);
    }
    expect(await run('pause', id)).toBe(`Paused ${id}.\n`);
    await expect.poll(() => progressOf(id), { timeout: 30_000 }).toMatchObject({ step: 'paused' });
    expect(await run('concurrency', id, '3')).toBe(`${id} now works on 3 windows at a time.\n`);
    expect(await run('resume', id)).toBe(`Resumed ${id}.\n`);
    expect(await progressOf(id)).toMatchObject({ step: 'running', concurrency: 3 });
    const wrong = await moraine(['backfill', 'concurrency', id, '17'], { cwd: folder });
    expect(wrong.code).toBe(ERROR_TABLE.INVALID_ARGUMENT.exitCode);
    await run('cancel', id);
    await expect.poll(() => statusOf(id), { timeout: 120_000 }).toBe('CANCELLED');
    const coverage = effectiveProgress((await small.online()).metadata).progress?.coverage ?? [];
    for (const { startUs, endUs } of coverage.filter((piece) => (piece.endUs ?? 0n) <= 4_000n * SECOND)) {
      expect([(startUs ?? 1n) % (4n * SECOND), (endUs ?? 1n) % (4n * SECOND)]).toEqual([0n, 0n]);
    }
  });

  test('has its windows read by the engine that is asked for; a training set has that in its plan', async () => {
    const { small } = made;
    const range = ['--start', '1970-01-01T00:00:00Z', '--end', '1970-01-01T00:20:00Z', '--step', '10m'];
    const refused = await moraine(['backfill', small.view, ...range, '--engine', 'trino', '--wait'], { cwd: folder });
    expect([refused.code, refused.stderr]).toEqual([
      ERROR_TABLE.RUN_FAILED.exitCode,
      expect.stringContaining('CONFIG_INVALID: the run asks for trino, but it is not said where Trino is') as string,
    ]);
    const id = `backfill/${small.view}/1970-01-01T00:00:00.000Z..1970-01-01T00:20:00.000Z/10m@${await small.project.identity()}`;
    expect(await run('retry', id)).toBe(`Started the failed windows of ${id}.\n`);
    await expect(handle(id).result()).rejects.toThrow('Workflow execution failed');
    const { memo } = await handle(id).describe();
    const { failed } = (memo as { readonly progress: BackfillProgress }).progress;
    expect(failed.map(({ code }) => code)).toEqual(['CONFIG_INVALID', 'CONFIG_INVALID']);

    const what = ['--training-set', 'april', '--features', small.view, '--entities-table', 'demo.labels'];
    const file = join(folder, 'april.json');
    await run(...what, '--save-as', 'demo.april', ...range, '--engine', 'duckdb', '--plan', file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ trainingSet: { name: 'april', engine: 'duckdb' } });
    const twice = await moraine(['backfill', '--apply', file, '--engine', 'trino'], { cwd: folder });
    expect([twice.code, twice.stderr]).toEqual([
      ERROR_TABLE.INVALID_ARGUMENT.exitCode,
      expect.stringContaining('"engine" is for the windows of a view') as string,
    ]);
  });

  test('of one that has ended, retry starts the failed windows alone', async () => {
    const { small } = made;
    await small.append(10, 30_000);
    const before = await sourceFiles();
    await small.append(10, 30_010);
    const [lost, ...others] = [...(await sourceFiles())].filter((path) => !before.has(path));
    if (lost === undefined || others.length > 0) throw new Error('the append is not one file');
    renameSync(lost, `${lost}.away`);
    const [from, to] = [30_000_000, 30_020_000].map((ms) => new Date(ms).toISOString());
    const range = ['--start', from ?? '', '--end', to ?? '', '--step', '10s'];
    const failed = await moraine(['backfill', small.view, ...range, '--wait'], { cwd: folder });
    expect([failed.code, failed.stderr]).toEqual([
      ERROR_TABLE.RUN_FAILED.exitCode,
      expect.stringContaining('FILE_NOT_FOUND') as string,
    ]);
    const id = `backfill/${small.view}/${from}..${to}/10s@${await small.project.identity()}`;
    renameSync(`${lost}.away`, lost);
    expect(await run('retry', id)).toBe(`Started the failed windows of ${id}.\n`);
    await handle(id).result();
    const { memo } = await handle(id).describe();
    const { plan, progress } = memo as { plan: PlannedBackfill; progress: BackfillProgress };
    expect([plan.windows, progress.windowsTotal, progress.windowsDone, progress.rowsWritten]).toEqual([2, 1, 1, '10']);
    const again = await moraine(['backfill', 'retry', id], { cwd: folder });
    expect(again.stderr).toContain('No window of the backfill');
  });
});
