import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { withDeadline } from '../../../online/deadline.js';
import { failureOf } from '../../support/error-code.js';

const LIMITS = { timeoutMs: 150, queueTimeoutMs: 60_000, signal: undefined };

/** Other work of this process. */
function holdUp(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

test('work that goes on for ever ends with the signal of its caller, and hears it', async () => {
  const controller = new AbortController();
  let heard: unknown;
  const working = withDeadline({ ...LIMITS, timeoutMs: 60_000, signal: controller.signal }, (signal) => {
    signal.addEventListener('abort', () => {
      heard = signal.reason;
    });
    return new Promise(() => undefined);
  });
  controller.abort('enough');
  const failure = await failureOf(working);
  expect(failure).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
  expect(heard).toBe(failure);
});

test('what fails has spent its time, too', async () => {
  let spentMs = 0;
  const failing = withDeadline(
    LIMITS,
    () => Promise.reject(new Error('no')),
    100,
    (ms) => (spentMs = ms),
  );
  await expect(failing).rejects.toThrow('no');
  expect(spentMs).toBeGreaterThan(100);
});

test('nothing is begun where the time is spent already', async () => {
  let isBegun = false;
  const working = withDeadline(LIMITS, () => Promise.resolve((isBegun = true)), 150);
  expect(await failureOf(working)).toMatchObject({ code: 'TIMED_OUT' });
  expect(isBegun).toBe(false);
});

describe('beside other work that holds up the process', () => {
  test('what is held up has its time afterwards', async () => {
    const working = withDeadline(LIMITS, () => sleep(50, 'done'));
    await nextTurn();
    holdUp(400);
    // Its timer was due long ago, that of the work is begun anew.
    let spentMs = 0;
    const late = withDeadline(
      LIMITS,
      async () => {
        await nextTurn();
        holdUp(400);
        return await sleep(50, 'done');
      },
      0,
      (ms) => (spentMs = ms),
    );
    expect(await working).toBe('done');
    expect(await late).toBe('done');
    // Little is spent.
    expect(spentMs).toBeGreaterThan(0);
    expect(await withDeadline(LIMITS, () => sleep(20, 'done'), spentMs)).toBe('done');
  });

  test('what takes too long by itself is still too late', async () => {
    const working = withDeadline(LIMITS, () => new Promise(() => undefined));
    await nextTurn();
    holdUp(400);
    expect(await failureOf(working)).toMatchObject({ code: 'TIMED_OUT' });
  });

  test('what waits for longer than it may for its turn is shed, unless it is ready by then', async () => {
    const limits = { ...LIMITS, queueTimeoutMs: 50 };
    const endless = withDeadline(limits, () => new Promise(() => undefined));
    const ready = withDeadline(limits, () => sleep(20, 'done'));
    await nextTurn();
    holdUp(400);
    expect(await ready).toBe('done');
    expect(await failureOf(endless)).toMatchObject({ code: 'OVERLOADED' });
  });
});
