/**
 * Schedules with an interval of seconds, on a server of their own and real tables: the server is killed over several ticks, schedules are
 * paused and resumed, triggered beside ticks and backfilled over what ran live. Each interval commits once, and no row is missed.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import {
  backfillSchedule,
  createSchedule,
  describeSchedule,
  materializeInput,
  pauseSchedule,
  resumeSchedule,
  triggerSchedule,
} from '../../schedules/index.js';
import { createActivities, type TemporalClient } from '../../workers/index.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testWorker } from '../support/temporal.js';

const EVERY_S = 3;
const TIMING = { everyMs: BigInt(EVERY_S * 1000), offsetMs: 0n };
const POLL = { timeout: 120_000, interval: 500 };

interface Scheduled {
  readonly small: SmallProject;
  readonly temporal: TemporalClient;
  readonly id: string;
}

/** A project with a worker and a schedule of its own on a server. */
async function scheduled(server: OwnTemporalServer, runs: 'window' | 'incremental'): Promise<Scheduled> {
  const small = await SmallProject.create();
  const settings = server.settings();
  await testWorker(settings, createActivities(small.project));
  const temporal = await testClient(settings);
  const id = `materialize/${small.view}`;
  const input = materializeInput(small.view, runs === 'window' ? TIMING : null);
  // Readings of a minute ago to ten minutes ahead, one in a second, so that every interval has rows of its own.
  if (runs === 'window') await small.append(660, Math.floor(Date.now() / 1000) - 60, 660);
  await createSchedule(temporal.client, settings.taskQueue, { id, workflow: 'materialize', input, timing: TIMING });
  return { small, temporal, id };
}

/** Ends of the intervals that snapshots of the online table were committed for, in seconds, in the order of time. */
async function committedEnds({ small }: Scheduled): Promise<readonly number[]> {
  const { metadata } = await small.online().catch(() => ({ metadata: { snapshots: [] } }));
  return metadata.snapshots
    .filter(({ summary }) => summary.get('moraine.window-end-us') !== '')
    .map(({ summary }) => Number(BigInt(summary.get('moraine.window-end-us') ?? 0) / 1_000_000n))
    .sort((a, b) => a - b);
}

/** Every tick from the first to the last of a list. */
const everyTick = (ends: readonly number[]): readonly number[] => {
  const [first = 0] = ends;
  return Array.from({ length: ((ends.at(-1) ?? 0) - first) / EVERY_S + 1 }, (_, index) => first + index * EVERY_S);
};

const untilTicks = (schedule: Scheduled, count: number) =>
  expect.poll(async () => (await committedEnds(schedule)).length, POLL).toBeGreaterThanOrEqual(count);

/** Waits until nothing of a paused schedule is in flight. */
async function untilIdle({ temporal, id }: Scheduled): Promise<void> {
  const { client } = temporal;
  let taken = -1;
  await expect
    .poll(async () => {
      const { running, taken: now } = await describeSchedule(client, id);
      const idle = running.length === 0 && now === taken;
      taken = now;
      return idle;
    }, POLL)
    .toBe(true);
}

async function startServer(): Promise<OwnTemporalServer> {
  const server = await OwnTemporalServer.start(join(temporaryFolder(), 'temporal'));
  onTestFinished(() => server.kill());
  return server;
}

test('windows: a server that is down, a pause, triggers and backfills leave each interval committed once', async () => {
  const server = await startServer();
  const schedule = await scheduled(server, 'window');
  const { client } = schedule.temporal;
  await untilTicks(schedule, 3);

  await server.kill();
  await sleep(4 * EVERY_S * 1000);
  const beforeRestart = await committedEnds(schedule);
  await server.restart();
  await untilTicks(schedule, beforeRestart.length + 6);
  const caughtUp = await committedEnds(schedule);
  expect(caughtUp).toEqual(everyTick(caughtUp));

  await pauseSchedule(client, schedule.id, 'test');
  await untilIdle(schedule);
  const paused = await committedEnds(schedule);
  await sleep(3 * EVERY_S * 1000);
  await resumeSchedule(client, schedule.id);
  await untilTicks(schedule, paused.length + 2);
  const resumed = await committedEnds(schedule);
  const skipped = everyTick(resumed).filter((end) => !resumed.includes(end));
  expect(skipped.length).toBeGreaterThanOrEqual(2);

  // Beside ticks: by hand, and a backfill over all that was, the pause and what ran live.
  const [first = 0] = resumed;
  const last = resumed.at(-1) ?? 0;
  await Promise.all([
    triggerSchedule(client, schedule.id),
    backfillSchedule(client, schedule.id, {
      startUs: BigInt(first - EVERY_S) * 1_000_000n,
      endUs: BigInt(last) * 1_000_000n,
      overlap: 'allow-all',
    }),
    triggerSchedule(client, schedule.id),
  ]);
  await expect
    .poll(async () => {
      const ends = await committedEnds(schedule);
      return skipped.filter((end) => !ends.includes(end));
    }, POLL)
    .toEqual([]);
  await pauseSchedule(client, schedule.id);
  await untilIdle(schedule);
  const all = await committedEnds(schedule);
  expect(all).toEqual(everyTick(all));
  expect((await describeSchedule(client, schedule.id)).dropped).toBe(0);

  // One reading in a second, each of another sensor: what is online are the readings of all intervals, each once.
  const [from, to] = [first - EVERY_S, all.at(-1) ?? 0];
  const online = (await schedule.small.onlineRows()).map(([, at]) => Number(at)).sort((a, b) => a - b);
  expect(online).toEqual(Array.from({ length: to - from }, (_, index) => from + index));
});

test('incremental runs: ticks that a pause or a dead server has left out cost no row', async () => {
  const server = await startServer();
  const schedule = await scheduled(server, 'incremental');
  const { small, temporal, id } = schedule;
  const { client } = temporal;
  const newestOnline = async () => {
    const newest = new Map((await small.onlineRows().catch(() => [])).map((row) => [row[0], row])); // sorted by time
    return [...newest.values()];
  };
  const untilEqual = async () => {
    const expected = await small.recomputed();
    await expect.poll(newestOnline, POLL).toEqual(expected);
  };
  await small.append(500, 1_000);
  await untilEqual();

  await pauseSchedule(client, id);
  await untilIdle(schedule);
  await small.append(50, 10_000);
  await small.append(170, 0, 170); // late rows, of 70 other sensors among them
  await sleep(2 * EVERY_S * 1000);
  const before = (await small.runKeys()).length;
  await resumeSchedule(client, id);
  await untilEqual();
  expect((await small.runKeys()).length).toBe(before + 1);

  await server.kill();
  await small.append(30, 20_000);
  await sleep(2 * EVERY_S * 1000);
  await server.restart();
  await untilEqual();
  expect((await small.runKeys()).length).toBe(before + 2);
});
