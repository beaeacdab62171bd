/** Runs of workers whose source Trino reads: what heartbeats say, and what becomes of a query when its run is cancelled or its worker killed. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
import { stringify } from 'yaml';
import { formatRun } from '../../cli/output/run-text.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { TRINO_FAULT_POINTS } from '../../reduction/index.js';
import { type Run, showRun } from '../../runs/index.js';
import { listFiles } from '../../storage/index.js';
import { startMaterialization, waitForRun } from '../../workers/index.js';
import { failureOf } from '../support/error-code.js';
import { startFaultyProxy } from '../support/faulty-proxy.js';
import { killAtPoint } from '../support/kill-at-point.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings } from '../support/temporal.js';
import { placeInFile } from '../support/trino-lake.js';
import { queryTrino } from '../support/trino-server.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const ROWS = 5_000;
const SENSORS = 100;
/** Longer than the 10 seconds after which a worker that sends no heartbeat is taken for dead. */
const LONG_MS = 13_000;

const lake = inject('trinoLake');

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/** A project with rows that Trino is to read. @param more of `trino` in `moraine.yaml` */
async function trinoProject(more: object = {}) {
  const folder = temporaryFolder();
  const view = `readings_${randomUUID().slice(0, 8)}`;
  const staging = `${view}_staging`;
  const config = stringify({
    ...placeInFile(lake.place),
    engine: { type: 'trino' },
    trino: { uri: lake.trino, staging, ...more },
  });
  const small = await SmallProject.createIn(folder, { config, view, hasOwnTable: true });
  closing.push(() => small.project.close());
  await small.append(ROWS, 0, SENSORS);
  return { small, folder, view, staging };
}

type TrinoProject = Awaited<ReturnType<typeof trinoProject>>;

/** A worker of a project, and a run of its view. @param fault environment of the first worker */
async function startRun(project: TrinoProject, fault: Readonly<Record<string, string>> = {}) {
  const settings = testSettings();
  const temporal = await testClient(settings);
  const start = async (more: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> => {
    const args = ['worker', '--task-queue', settings.taskQueue];
    const worker = await startWorkerProcess(project.folder, args, { ...more, TEMPORAL_ADDRESS: settings.address });
    closing.unshift(async () => {
      worker.kill('SIGKILL');
      await worker.ended;
    });
    return worker;
  };
  const worker = await start(fault);
  const run = await startMaterialization(temporal, settings, { view: project.view });
  return {
    worker,
    startWorker: start,
    cancel: () => temporal.client.workflow.getHandle(run.workflowId).cancel(),
    shown: () => showRun(temporal.client, run.workflowId),
    ended: () => waitForRun(temporal.client, run),
  };
}

const reduction = ({ steps }: Run) => steps.find(({ type }) => type === 'reducePart');

/**
 * Waits for the table that the rows of a project are staged in, and locks its name, so that Trino reads all rows and cannot commit.
 * @returns `isWaiting`: whether Trino is that far
 */
async function lockStagedRows({ staging }: TrinoProject) {
  const [client, looking] = [new pg.Client(lake.database), new pg.Client(lake.database)];
  await Promise.all([client.connect(), looking.connect()]);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await Promise.all([client.end(), looking.end()]);
  };
  closing.unshift(close);
  const ours = `table_namespace = '${staging}' AND table_name LIKE 'rows%'`;
  await client.query('BEGIN');
  while ((await client.query(`SELECT 1 FROM iceberg_tables WHERE ${ours} FOR UPDATE`)).rowCount === 0);
  const [{ pid } = {}] = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE ${pid} = ANY (pg_blocking_pids(pid)) AND query LIKE '%UPDATE%'`;
  return {
    isWaiting: async () => (await looking.query(waiting)).rowCount === 1,
    unlock: async () => {
      await client.query('COMMIT');
      await close();
    },
  };
}

/** The statements that have written staged rows of a project, the oldest first. */
async function inserts({ staging }: TrinoProject) {
  const of = `query LIKE 'INSERT INTO "door"."${staging}"."rows%'`;
  const rows = await query(
    `SELECT query_id, state, error_code, query FROM system.runtime.queries WHERE ${of} ORDER BY created`,
  );
  const tableOf = (sql: unknown) => (typeof sql === 'string' ? /"(rows[^"]*)"/.exec(sql)?.[1] : undefined);
  return rows.map(([id, state, error, sql]) => ({ id, state, error, table: tableOf(sql) }));
}

const query = (sql: string) => queryTrino(lake.trino, sql);

/** Tables of the staging namespace, and files in its folder. */
async function leftOvers({ small, staging }: TrinoProject): Promise<readonly string[]> {
  const { project } = small;
  const tables = await (await project.catalog()).listTables([staging]);
  const files: string[] = [];
  for await (const { location } of listFiles(project.io, `s3://lake/door/${staging}`)) files.push(location);
  return [...tables.map(({ name }) => name), ...files];
}

test('a long query: heartbeats say how far it is, and cancelling the run cancels it', async () => {
  const project = await trinoProject();
  const locked = lockStagedRows(project);
  const run = await startRun(project);
  const { isWaiting, unlock } = await locked;
  await expect.poll(isWaiting, { timeout: 60_000 }).toBe(true);
  const [insert] = await inserts(project);
  const rowsRead = async () => reduction(await run.shown())?.query?.rowsRead ?? 0;
  await expect.poll(rowsRead, { timeout: 60_000 }).toBeGreaterThan(ROWS);

  const startedMs = Date.parse(reduction(await run.shown())?.startedAt ?? '');
  // Heartbeats go on while nothing moves.
  await expect.poll(() => Date.now() - startedMs, { timeout: 30_000 }).toBeGreaterThan(LONG_MS);
  const shown = await run.shown();
  expect(reduction(shown)).toMatchObject({ state: 'running', attempts: 1, failure: null });
  const { query: told } = reduction(shown) ?? {};
  expect(told).toMatchObject({ queryId: insert?.id, state: 'RUNNING' });
  expect(told?.splitsDone).toBeGreaterThan(0);
  expect(told?.splitsDone).toBeLessThan(told?.splitsTotal ?? 0);
  const asked = await fetch(`${lake.trino}/v1/query/${told?.queryId ?? ''}`, { headers: { 'x-trino-user': 'test' } });
  const { session } = (await asked.json()) as { readonly session: { readonly clientTags: readonly string[] } };
  expect(session.clientTags).toEqual(['moraine', `run=${shown.workflowId}`]);
  expect(told?.bytesRead).toBeGreaterThan(0);
  expect(told?.cpuMs).toBeGreaterThan(0);
  expect(formatRun(shown)).toMatch(
    /Read: part 1 of 1 {2}\(Trino \w+: running, \d+ of \d+ splits, 5,\d{3} rows and .* read\)\n/,
  );

  await run.cancel();
  await expect
    .poll(() => inserts(project), { timeout: 30_000 })
    .toMatchObject([{ state: 'FAILED', error: 'USER_CANCELED' }]);
  await unlock();
  expect(await failureOf(run.ended())).toMatchObject({ code: 'CANCELLED' });
  expect(await leftOvers(project)).toEqual([]);
}, 180_000);

test.each(['in mid commit', 'after its commit'])(
  'a worker that is killed while Trino writes, its query found %s: the next attempt has all rows once, and nothing is left',
  async (found) => {
    const project = await trinoProject();
    const locked = lockStagedRows(project);
    const run = await startRun(project);
    const { isWaiting, unlock } = await locked;
    await expect.poll(isWaiting, { timeout: 60_000 }).toBe(true);
    run.worker.kill('SIGKILL');
    expect(await run.worker.ended).toMatchObject({ signal: 'SIGKILL' });
    if (found === 'after its commit') {
      await unlock();
      // It ends whenever Trino no longer waits for somebody who fetches its answer.
      await expect
        .poll(async () => (await inserts(project))[0]?.state, { timeout: 30_000 })
        .toMatch(/^FINISH(ING|ED)$/);
    }
    const left = await leftOvers(project);
    expect(left.filter((name) => !name.includes('/'))).toHaveLength(2);
    const next = await run.startWorker();
    if (found === 'in mid commit') {
      await expect.poll(async () => (await inserts(project))[0]?.state, { timeout: 60_000 }).toBe('FAILED');
      await unlock();
    }
    expect(await run.ended()).toMatchObject({ rows: String(SENSORS), passes: 1 });
    expect(reduction(await run.shown())).toMatchObject({ state: 'done', attempts: 2 });
    next.kill('SIGTERM');
    await next.ended;

    const { small } = project;
    const rows = await small.onlineRows();
    expect(rows).toHaveLength(SENSORS);
    expect(rows).toEqual(await small.recomputed());
    expect(await small.runKeys()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    const [first, second, ...others] = await inserts(project);
    expect(others).toEqual([]);
    if (found === 'in mid commit') expect(first?.state).toBe('FAILED');
    expect(second?.state).toBe('FINISHED');
    expect(second?.table).not.toBe(first?.table);
    expect(await leftOvers(project)).toEqual([]);
  },
  180_000,
);

test('a worker that is killed before or after the insert, or while it copies what Trino has staged: one commit, all rows, nothing left', async () => {
  const survive = async (point: string): Promise<void> => {
    const project = await trinoProject();
    const run = await startRun(project, killAtPoint(point, join(project.folder, 'killed')));
    expect(await run.worker.ended, point).toMatchObject({ signal: 'SIGKILL' });
    await run.startWorker();
    expect(await run.ended(), point).toMatchObject({ rows: String(SENSORS), passes: 1 });
    const { small } = project;
    expect(await small.onlineRows(), point).toEqual(await small.recomputed());
    expect(await small.runKeys(), point).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await leftOvers(project), point).toEqual([]);
  };
  // Each waits for the heartbeats of its first worker. The points that DuckDB's reductions have, too, are those of lost-workers.test.ts.
  const points = TRINO_FAULT_POINTS.filter((point) => point.endsWith('-insert') || point === 'after-reduced-files');
  expect(points).toHaveLength(3);
  await Promise.all(points.map(survive));
}, 600_000);

test('a query whose answers are lost while it runs is ended, and the next run has all rows', async () => {
  const proxy = await startFaultyProxy(lake.trino, { remembers: false });
  closing.unshift(() => proxy.close());
  const project = await trinoProject({ uri: proxy.address, options: { 'trino.query-timeout-ms': '30000' } });
  const { small, view } = project;
  const deps = await materializationDeps(small.project);
  const locked = lockStagedRows(project);
  const failure = failureOf(materializeDirect(deps, { view }));
  const { isWaiting, unlock } = await locked;
  await expect.poll(isWaiting, { timeout: 30_000 }).toBe(true);
  const [insert] = await inserts(project);
  // Also the request that would cancel it.
  const id = typeof insert?.id === 'string' ? insert.id : expect.unreachable();
  proxy.fateOf = ({ path }) => (path.includes(id) ? 'drop' : 'pass');
  await expect
    .poll(() => inserts(project), { timeout: 60_000 })
    .toMatchObject([{ state: 'FAILED', error: 'ADMINISTRATIVELY_KILLED' }]);
  await unlock();
  expect(await failure).toMatchObject({ code: 'TRINO_UNAVAILABLE', retryable: true });
  proxy.fateOf = () => 'pass';
  await materializeDirect(deps, { view });
  expect(await small.onlineRows()).toEqual(await small.recomputed());
  expect(await small.runKeys()).toHaveLength(1);
  expect(await leftOvers(project)).toEqual([]);
}, 180_000);
