/** Schedules on a real server: which intervals run, and that each commits once whatever fires twice. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseTimeUs } from '../../config/index.js';
import {
  backfillSchedule,
  createSchedule,
  deleteSchedule,
  describeSchedule,
  listSchedules,
  materializeInput,
  type NewSchedule,
  ownScheduleId,
  pauseSchedule,
  resumeSchedule,
  triggerSchedule,
} from '../../schedules/index.js';
import { temporalOptions } from '../../schedules/temporal-schedule.js';
import type { ServerSettings } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { scriptedActivities } from '../support/scripted-activities.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

const HOUR = { everyMs: 3_600_000n, offsetMs: 0n };

/** A schedule of a view of its own, with windows unless `input` says otherwise. */
function scheduleOf(changes: Partial<NewSchedule> = {}): NewSchedule & { readonly view: string } {
  const view = `view_${randomUUID().slice(0, 8)}`;
  const input = materializeInput(view, HOUR);
  return { id: `materialize/${view}`, workflow: 'materialize', input, timing: HOUR, ...changes, view };
}

async function made(client: Client, settings: ServerSettings, schedule: NewSchedule): Promise<void> {
  await createSchedule(client, settings.taskQueue, schedule);
  onTestFinished(() => deleteSchedule(client, schedule.id).catch(() => undefined));
}

/** The intervals of a view that have been run, oldest first. */
async function intervalsOf(client: Client, view: string): Promise<readonly string[]> {
  const found: string[] = [];
  const query = `WorkflowType = 'materializeRun' AND ExecutionStatus = 'Completed' AND WorkflowId STARTS_WITH 'materialize/${view}/'`;
  for await (const { workflowId } of client.workflow.list({ query })) found.push(workflowId.split('/')[2] ?? '');
  return found.sort();
}

const POLL = { timeout: 20_000, interval: 100 };
const hours = (...ends: readonly number[]): readonly string[] =>
  ends.map((end) => {
    const at = (hour: number): string => `2026-01-01T${String(hour).padStart(2, '0')}:00:00.000Z`;
    return `${at(end - 1)}..${at(end)}`;
  });

describe('a schedule', () => {
  test('has settings that fit its runs, and is found, paused, resumed and deleted', async () => {
    const settings = testSettings();
    const { client } = await testClient(settings);
    const windows = scheduleOf();
    const { view } = windows;
    const incremental = scheduleOf({ input: { view }, timing: { everyMs: 900_000n, offsetMs: 60_000n }, note: 'mine' });
    await made(client, settings, windows);
    await made(client, settings, incremental);

    const shared = { workflow: 'materialize', cron: null, timeZone: null, paused: false, declaredOn: null, taken: 0 };
    expect(await describeSchedule(client, windows.id)).toMatchObject({
      ...shared,
      input: { view, every: '1h', offset: '0ms' },
      ...{ every: '1h', offset: '0ms', overlap: 'buffer-all', catchUp: '1w', jitter: '1m', note: null },
    });
    expect(await describeSchedule(client, incremental.id)).toMatchObject({
      ...shared,
      input: { view },
      ...{ every: '15m', offset: '1m', overlap: 'skip', catchUp: '15m', jitter: '1m', note: 'mine' },
    });
    const ids = [windows.id, incremental.id].sort();
    expect((await listSchedules(client, { ...settings, registry: null })).map(({ id }) => id)).toEqual(ids);
    expect(await listSchedules(client, { ...testSettings(), registry: null })).toEqual([]);

    await pauseSchedule(client, windows.id, 'the source is being repaired');
    expect(await describeSchedule(client, windows.id)).toMatchObject({
      paused: true,
      note: 'the source is being repaired',
    });
    await resumeSchedule(client, windows.id);
    expect(await describeSchedule(client, windows.id)).toMatchObject({ paused: false });
    expect(await rejectionCode(createSchedule(client, settings.taskQueue, windows))).toBe('SCHEDULE_ALREADY_EXISTS');
    await deleteSchedule(client, windows.id);
    expect(await rejectionCode(describeSchedule(client, windows.id))).toBe('SCHEDULE_NOT_FOUND');
    expect(await rejectionCode(triggerSchedule(client, windows.id))).toBe('SCHEDULE_NOT_FOUND');
  });

  test('that does not exist is answered with the nearest name of the project', async () => {
    const settings = testSettings(randomBytes(6).toString('hex'));
    const { client } = await testClient(settings);
    const windows = scheduleOf();
    await made(client, settings, { ...windows, id: `${windows.id}@${settings.project}` });
    await vi.waitFor(async () => {
      await expect(ownScheduleId(client, { ...settings, registry: null }, `${windows.id}s`)).rejects.toMatchObject({
        code: 'SCHEDULE_NOT_FOUND',
        message: `This project has no schedule "${windows.id}s" on the Temporal server. Did you mean '${windows.id}'?`,
      });
    }, 20_000);
  });

  test('by a cron keeps its text and time zone; one that is none is refused by the server', async () => {
    const settings = testSettings();
    const { client } = await testClient(settings);
    const { view } = scheduleOf();
    const at = (cron: string, timeZone?: string) =>
      scheduleOf({ input: { view }, timing: { cron, ...(timeZone === undefined ? {} : { timeZone }) } });
    const nightly = at('30 3 * * *', 'Europe/Berlin');
    await made(client, settings, nightly);
    const described = await describeSchedule(client, nightly.id);
    expect(described).toMatchObject({ every: null, cron: '30 3 * * *', timeZone: 'Europe/Berlin', overlap: 'skip' });
    expect(described.next[0]).toMatch(/T0[12]:30:00.000Z$/);
    for (const bad of [at('61 * * * *'), at('sometimes'), at('0 3 * * *', 'Europe/Atlantis')]) {
      expect(await rejectionCode(createSchedule(client, settings.taskQueue, bad))).toBe('INVALID_ARGUMENT');
      expect(await rejectionCode(describeSchedule(client, bad.id))).toBe('SCHEDULE_NOT_FOUND');
    }
  });
});

describe('intervals', () => {
  test('of a backfill tile the range exactly, with jitter and an offset too', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const timing = { everyMs: 3_600_000n, offsetMs: 1_800_000n };
    const plain = scheduleOf({ paused: true, jitterMs: 360_000n });
    const shifted = scheduleOf({ paused: true, timing });
    const half = { ...shifted, input: materializeInput(shifted.view, timing) };
    await made(client, settings, plain);
    await made(client, settings, half);
    const range = (start: string, end: string) => ({
      startUs: parseTimeUs(start, 'start'),
      endUs: parseTimeUs(end, 'end'),
    });
    expect(await backfillSchedule(client, plain.id, range('2026-01-01T02:00Z', '2026-01-01T05:00Z'))).toEqual({
      intervals: 3,
      first: '2026-01-01T02:00:00.000Z',
      last: '2026-01-01T04:00:00.000Z',
    });
    await backfillSchedule(client, half.id, range('2026-01-01T02:30Z', '2026-01-01T04:30Z'));
    await expect.poll(() => intervalsOf(client, plain.view), POLL).toEqual(hours(3, 4, 5));
    await expect
      .poll(() => intervalsOf(client, half.view), POLL)
      .toEqual([
        '2026-01-01T02:30:00.000Z..2026-01-01T03:30:00.000Z',
        '2026-01-01T03:30:00.000Z..2026-01-01T04:30:00.000Z',
      ]);
    expect((await describeSchedule(client, plain.id)).taken).toBe(3);
    expect((await describeSchedule(client, half.id)).taken).toBe(2);
  });

  test('of a backfill all run, however large the jitter is', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const schedule = scheduleOf({ paused: true, jitterMs: HOUR.everyMs });
    // Moraine makes no schedule with such a jitter; people can.
    await client.schedule.create(temporalOptions(schedule, settings.taskQueue));
    onTestFinished(() => deleteSchedule(client, schedule.id));
    const day = Date.UTC(2026, 0, 1);
    const { startTime: ticks } = await client.workflowService.listScheduleMatchingTimes({
      namespace: settings.namespace,
      scheduleId: schedule.id,
      startTime: msToTs(day),
      endTime: msToTs(day + 86_400_000),
    });
    // The server says when it ticks: an hour whose tick is more than half an hour late ends the range.
    const lateMs = (ticks ?? []).map((tick) => (tsToMs(tick) - day) % Number(HOUR.everyMs));
    const last = lateMs.findIndex((late, index) => index >= 2 && late > 1_800_000) + 1;
    expect(last).toBeGreaterThan(2);
    const range = { startUs: BigInt(day) * 1000n, endUs: BigInt(day + last * 3_600_000) * 1000n };
    expect(await backfillSchedule(client, schedule.id, range)).toMatchObject({ intervals: last });
    const all = hours(...Array.from({ length: last }, (_, index) => index + 1));
    await expect.poll(() => intervalsOf(client, schedule.view), POLL).toEqual(all);
    expect((await describeSchedule(client, schedule.id)).taken).toBe(last);
  });

  test('that a backfill cannot cut are refused, and nothing is started', async () => {
    const settings = testSettings();
    const { client } = await testClient(settings);
    const windows = scheduleOf({ paused: true });
    const incremental = scheduleOf({ paused: true, input: { view: windows.view } });
    await made(client, settings, windows);
    await made(client, settings, incremental);
    const bounded = scheduleOf({ paused: true });
    const { spec, ...others } = temporalOptions(bounded, settings.taskQueue);
    await client.schedule.create({ ...others, spec: { ...spec, startAt: new Date('2026-01-01T03:30Z') } });
    onTestFinished(() => deleteSchedule(client, bounded.id));
    const attempt = (id: string, start: string, end: string) =>
      backfillSchedule(client, id, { startUs: parseTimeUs(start, 'start'), endUs: parseTimeUs(end, 'end') });
    await expect(attempt(windows.id, '2026-01-01T02:10Z', '2026-01-01T05:00Z')).rejects.toThrow(
      'the start 2026-01-01T02:10:00.000Z is in the middle of an interval of 1h; write 2026-01-01T02:00:00.000Z or 2026-01-01T03:00:00.000Z',
    );
    await expect(attempt(windows.id, '2026-01-01T05:00Z', '2026-01-01T05:00Z')).rejects.toThrow(
      'is not before the end',
    );
    await expect(attempt(incremental.id, '2026-01-01T02:00Z', '2026-01-01T05:00Z')).rejects.toThrow('whatever is new');
    await expect(attempt(bounded.id, '2026-01-01T02:00Z', '2026-01-01T05:00Z')).rejects.toThrow(
      'it has a start, an end',
    );
    expect((await describeSchedule(client, windows.id)).taken).toBe(0);
    expect((await describeSchedule(client, incremental.id)).taken).toBe(0);
  });

  test('a trigger by hand takes the interval of the last tick', async () => {
    const settings = testSettings();
    await testWorker(settings, scriptedActivities({}));
    const { client } = await testClient(settings);
    const windows = scheduleOf({ paused: true });
    await made(client, settings, windows);
    const tickOf = (ms: number): number => Math.floor(ms / 3_600_000) * 3_600_000;
    const before = tickOf(Date.now());
    await triggerSchedule(client, windows.id);
    await expect.poll(async () => (await intervalsOf(client, windows.view)).length, POLL).toBe(1);
    const [interval = ''] = await intervalsOf(client, windows.view);
    const [start = 0, end = 0] = interval.split('..').map((text) => Date.parse(text));
    expect([before, tickOf(Date.now())]).toContain(end);
    expect(end - start).toBe(3_600_000);
  });
});

describe('refused', () => {
  const refused = (changes: Partial<NewSchedule>): Promise<string> => {
    const schedule = scheduleOf(changes);
    const unused = undefined as unknown as Client;
    return createSchedule(unused, 'queue', schedule).then(
      () => 'made',
      (error: Error) => error.message.replace(/^schedule ".*?": /, ''),
    );
  };
  const window = (every: string) => ({ input: { view: 'v', every } });

  test.each([
    [
      window('2h'),
      'it overlaps itself: every 1h a run over 2h; make the intervals as long as the time between two ticks',
    ],
    [
      window('30m'),
      'it leaves gaps: every 1h a run over 30m; make the intervals as long as the time between two ticks',
    ],
    [window('0s'), '"every" "0s" is not a duration such as 1h or 1d'],
    [window('hourly'), '"every" "hourly" is not a duration such as 1h or 1d'],
    [{ timing: { everyMs: 0n, offsetMs: 0n }, input: {} }, '"every" must be whole seconds, at least 1s'],
    [{ timing: { everyMs: 1500n, offsetMs: 0n }, input: {} }, '"every" must be whole seconds, at least 1s'],
    [{ timing: { ...HOUR, offsetMs: 3_600_000n } }, '"offset" must be less than 1h, the time between two ticks'],
    [{ jitterMs: 360_001n }, '"jitter" must be at most a tenth of the time between two ticks, 6m'],
    [{ catchUpMs: 1000n }, '"catchUp" must be at least 10s'],
    [{ timing: { cron: '0 * * * *' } }, 'the times of a cron are not evenly spaced, so intervals need "every" instead'],
  ])('%o', async (changes, problem) => {
    expect(await refused(changes as Partial<NewSchedule>)).toBe(problem);
  });
});
