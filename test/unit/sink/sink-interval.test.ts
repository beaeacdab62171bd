/** When a batch that is not full is committed while others are on their way. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { openSinkEngine, SinkWorld, span } from '../../support/sink-world.js';

const HOUR_MS = 3_600_000;

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());
afterEach(() => {
  vi.restoreAllMocks();
});

/** The monotonic clock, which can be put forward. */
function clock(): { skip(ms: number): void } {
  const now = performance.now.bind(performance);
  let skippedMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + skippedMs);
  return { skip: (ms) => void (skippedMs += ms) };
}

test('records that have waited for the interval while an earlier batch was committed are committed after it, without another interval', async () => {
  const world = await SinkWorld.open(engine);
  const time = clock();
  const sink = await world.sink({ batchSize: 5, batchIntervalMs: HOUR_MS });
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const reached = new Promise<void>((resolve) => {
    world.faults.push(async (commit) => {
      resolve();
      await released;
      return await commit();
    });
  });
  await sink.writer(0).writeBatch(...span('p', 0, 5));
  await reached;
  await sink.writer(0).writeBatch(...span('p', 5, 7));
  time.skip(HOUR_MS);
  release();
  await expect.poll(() => world.ids(), { interval: 20, timeout: 60_000 }).toEqual([0, 1, 2, 3, 4, 5, 6]);
  await sink.close();
});

test('records that have not waited for so long stay in the buffer', async () => {
  const world = await SinkWorld.open(engine);
  const time = clock();
  const sink = await world.sink({ batchSize: 5, batchIntervalMs: HOUR_MS });
  await sink.writer(0).writeBatch(...span('p', 0, 2));
  time.skip(HOUR_MS / 2);
  await sink.writer(0).writeBatch(...span('p', 2, 4));
  // A whole turn of timers, and of the event loop after it.
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([sink.metrics().bufferedRecords, sink.metrics().pendingBatches, await world.ids()]).toEqual([4, 0, []]);
  await sink.close();
  expect(await world.ids()).toEqual([0, 1, 2, 3]);
});
