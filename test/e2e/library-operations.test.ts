/** The library on a Temporal server, beside materializing: backfills, compaction, maintenance, schedules, runs. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createMoraine,
  defineEntity,
  defineFeatureView,
  type FileVerdict,
  type Moraine,
  type Run,
} from '../../index.js';
import { createActivities } from '../../workers/index.js';
import { installQuietRuntime } from '../../workers/worker/native-runtime.js';
import { failureOf } from '../support/error-code.js';
import { lastingFolder } from '../support/temp-folder.js';
import { testSettings, WORKFLOWS } from '../support/temporal.js';

const DAYS = 12;
const day = (number: number): string => `2026-01-${String(number).padStart(2, '0')}`;
const VIEW = `readings_${randomUUID().slice(0, 8)}`;
const BACKFILL = { view: VIEW, start: day(1), end: day(DAYS + 1), step: '1d' };

let moraine: Moraine;
let stop: () => Promise<void>;

beforeAll(async () => {
  const { address, taskQueue, connection } = testSettings();
  const lasting = lastingFolder();
  const folder = lasting.path;
  const config = { temporal: { address, taskQueue }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
  for (let number = 1; number <= DAYS; number += 1) {
    const file = join(folder, 'rows.csv');
    writeFileSync(file, `k,ts,v\n1,${day(number)}T12:00:00Z,${number}\n2,${day(number)}T13:00:00Z,${number * 10}\n`);
    await moraine.appendFile('shop.a', file, { create: true });
  }
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const source = { table: 'shop.a', timestampField: 'ts' };
  await moraine.apply([
    thing,
    defineFeatureView({ name: VIEW, entities: [thing], source, online: true, features: ['v'] }),
  ]);
  installQuietRuntime();
  const native = await NativeConnection.connect(connection);
  const activities = createActivities(moraine.project);
  const worker = await Worker.create({ connection: native, taskQueue, ...WORKFLOWS, activities, shutdownGraceTime: 0 });
  const running = worker.run();
  stop = async () => {
    await moraine.close();
    worker.shutdown();
    await running;
    await native.close();
    lasting.remove();
  };
}, 60_000);
afterAll(() => stop());

const newest = async (k: number): Promise<unknown> => {
  const { rows } = await moraine.getOnlineFeatures({ view: VIEW, entities: [{ k }], readTimeoutMs: 10_000 });
  return rows[0]?.[0]?.value;
};

test('a backfill is planned, started, controlled by its id and waited for', async () => {
  const plan = await moraine.planBackfill(BACKFILL);
  expect(plan).toMatchObject({ view: VIEW, order: 'oldest-first', files: DAYS, covered: { wholly: 0, partly: 0 } });
  expect(plan.windows).toHaveLength(DAYS);

  const { workflowId } = await moraine.startBackfill({ plan, concurrency: 1, windowsPerCommit: 1 });
  const id = workflowId.split('@')[0] ?? '';
  expect(id).toBe(`backfill/${VIEW}/${day(1)}T00:00:00.000Z..${day(DAYS + 1)}T00:00:00.000Z/1d`);
  await moraine.pauseBackfill(id);
  await expect
    .poll(async () => (await moraine.run(id)).progress, { timeout: 20_000 })
    .toMatchObject({ step: 'paused' });
  await moraine.changeBackfillConcurrency(id, 4);
  expect(await failureOf(moraine.changeBackfillConcurrency(id, 17))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await moraine.retryBackfill(id)).toEqual({ started: false });
  await moraine.resumeBackfill(id);
  const seen: Run[] = [];
  const ended = await moraine.waitForRun(id, { onProgress: (run) => void seen.push(run) });
  expect(ended).toMatchObject({ workflowId, status: 'COMPLETED', progress: { step: 'done', windowsDone: DAYS } });
  expect(seen.at(-1)).toEqual(ended);
  expect([await newest(1), await newest(2)]).toEqual([BigInt(DAYS), BigInt(DAYS * 10)]);

  expect(await failureOf(moraine.retryBackfill(id))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('No window') as string,
  });
  expect(await moraine.backfill(BACKFILL)).toMatchObject({
    view: VIEW,
    windows: DAYS,
    windowsSkipped: DAYS,
    commits: 0,
  });
  expect(await failureOf(moraine.pauseBackfill('backfill/none'))).toMatchObject({ code: 'WORKFLOW_NOT_FOUND' });
});

test('a cancelled backfill is waited for with CANCELLED', async () => {
  const { workflowId } = await moraine.startBackfill({ ...BACKFILL, step: '1h', concurrency: 1 });
  await moraine.cancelBackfill(workflowId);
  expect(await failureOf(moraine.waitForRun(workflowId))).toMatchObject({ code: 'CANCELLED' });
  expect(await moraine.run(workflowId)).toMatchObject({ outcome: { status: 'failed', code: 'CANCELLED' } });
});

test('a table is compacted and maintained; plans say before what would be done', async () => {
  const input = { table: 'shop.a', strategy: 'binpack' } as const;
  expect(await moraine.planCompact(input)).toMatchObject({ table: 'shop.a', files: DAYS, rows: BigInt(DAYS * 2) });
  expect(await moraine.compact(input)).toMatchObject({ filesRemoved: DAYS, filesAdded: 1, rows: String(DAYS * 2) });
  expect(await moraine.planCompact(input)).toMatchObject({ groups: [], files: 0 });

  const upkeep = { table: 'shop.a', olderThan: '0s', retainLast: 1 };
  const plan = await moraine.planMaintain(upkeep);
  expect([plan.snapshotIds.length, plan.kept.size]).toEqual([DAYS, 1]);
  const data: FileVerdict[] = [];
  for await (const file of plan.files) if (file.path.endsWith('.parquet')) data.push(file);
  expect(data.filter(({ action }) => action === 'delete')).toHaveLength(DAYS);
  expect(data.filter(({ action }) => action === 'keep')).toHaveLength(1);
  await plan.close();
  const maintained = await moraine.maintain(upkeep);
  expect(maintained).toMatchObject({ table: 'shop.a', expiredSnapshots: DAYS });
  expect((await moraine.project.loadTable('shop.a')).metadata.snapshots).toHaveLength(1);
  const { workflowId } = await moraine.startMaintain(upkeep);
  await moraine.waitForRun(workflowId);
});

test('a schedule is made, shown, paused, resumed, triggered, backfilled and deleted', async () => {
  const name = `materialize/${VIEW}`;
  const made = await moraine.createSchedule({ view: VIEW, every: '1d', runs: 'window', paused: true, note: 'by hand' });
  expect(made).toMatchObject({ workflow: 'materialize', every: '1d', paused: true, note: 'by hand' });
  expect(made.id).toBe(`${name}@${await moraine.project.identity()}`);
  await expect
    .poll(async () => (await moraine.schedules()).map(({ id }) => id), { timeout: 20_000 })
    .toEqual([made.id]);
  await moraine.resumeSchedule(name, { note: 'go' });
  expect(await moraine.schedule(name)).toMatchObject({ paused: false, note: 'go' });
  await moraine.pauseSchedule(name);
  await moraine.triggerSchedule(name);
  await expect.poll(async () => (await moraine.schedule(name)).taken, { timeout: 20_000 }).toBe(1);
  expect(await moraine.backfillSchedule(name, { start: day(1), end: day(3) })).toEqual({
    intervals: 2,
    first: `${day(1)}T00:00:00.000Z`,
    last: `${day(2)}T00:00:00.000Z`,
  });
  expect(await failureOf(moraine.createSchedule({ view: VIEW, every: '1d' }))).toMatchObject({
    code: 'SCHEDULE_ALREADY_EXISTS',
  });
  await moraine.deleteSchedule(name);
  expect(await failureOf(moraine.schedule(name))).toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
});

describe('runs', () => {
  test('are listed by view, table and status', async () => {
    const { workflowId } = await moraine.startMaterialize({ view: VIEW });
    await moraine.waitForRun(workflowId);
    const found = async (request: Parameters<Moraine['runs']>[0]) =>
      (await moraine.runs(request)).map((run) => run.workflowId);
    await expect.poll(() => found({ view: VIEW, status: 'COMPLETED' }), { timeout: 20_000 }).toContain(workflowId);
    expect(await found({ view: VIEW, status: 'FAILED' })).toEqual([]);
    expect(await found({ table: 'shop.elsewhere' })).toEqual([]);
    expect(await found({ view: VIEW, limit: 1 })).toHaveLength(1);
  });

  test('are found by their ids without the project; a wrong id is answered with the nearest one', async () => {
    const { workflowId } = await moraine.startMaterialize({ view: VIEW, start: '1970-01-01', end: '1970-01-02' });
    const id = workflowId.split('@')[0] ?? '';
    expect(await moraine.waitForRun(id)).toMatchObject({ workflowId, outcome: { status: 'completed' } });
    await expect
      .poll(() => failureOf(moraine.run(`${id}s`)), { timeout: 20_000 })
      .toMatchObject({
        code: 'WORKFLOW_NOT_FOUND',
        message: expect.stringContaining(`Did you mean '${id}'`) as string,
      });
  });
});
