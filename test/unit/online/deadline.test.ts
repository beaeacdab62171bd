import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { withDeadline } from '../../../online/deadline.js';
import type { Queued } from '../../../online/parts/statement-queue.js';
import { ReadTime } from '../../../online/read-time.js';
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
  const spent = { executionMs: 100, waitingMs: 0 };
  const failing = withDeadline(LIMITS, () => Promise.reject(new Error('no')), spent);
  await expect(failing).rejects.toThrow('no');
  expect(spent.executionMs).toBeGreaterThan(100);
});

test('nothing is begun where the time is spent already', async () => {
  let isBegun = false;
  const working = withDeadline(LIMITS, () => Promise.resolve((isBegun = true)), {
    executionMs: 150,
    waitingMs: 0,
  });
  expect(await failureOf(working)).toMatchObject({ code: 'TIMED_OUT' });
  expect(isBegun).toBe(false);
});

describe('beside other work that holds up the process', () => {
  test('what is held up has its time afterwards', async () => {
    const working = withDeadline(LIMITS, () => sleep(50, 'done'));
    await nextTurn();
    holdUp(400);
    // Its timer was due long ago, that of the work is begun anew.
    const spent = { executionMs: 0, waitingMs: 0 };
    const late = withDeadline(
      LIMITS,
      async () => {
        await nextTurn();
        holdUp(400);
        return await sleep(50, 'done');
      },
      spent,
    );
    expect(await working).toBe('done');
    expect(await late).toBe('done');
    // Little of it is execution.
    expect(spent.executionMs).toBeGreaterThan(0);
    expect(spent.waitingMs).toBeGreaterThan(300);
    expect(await withDeadline(LIMITS, () => sleep(20, 'done'), spent)).toBe('done');
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

  test('what has waited for its turn before has less time left to be held up', async () => {
    const limits = { ...LIMITS, timeoutMs: 300, queueTimeoutMs: 10_000 };
    const endless = () => new Promise(() => undefined);
    const failures = [500, 9_950].map((waitingMs) =>
      failureOf(withDeadline(limits, endless, { executionMs: 0, waitingMs })),
    );
    await nextTurn();
    holdUp(200);
    expect(await Promise.all(failures)).toMatchObject([{ code: 'TIMED_OUT' }, { code: 'OVERLOADED' }]);
    // One that need not wait any more goes on.
    const spent = { executionMs: 0, waitingMs: 20_000 };
    expect(await withDeadline(limits, () => sleep(20, 'done'), spent)).toBe('done');
  });
});

describe('the time that a read waits for its turns', () => {
  const limits = { ...LIMITS, timeoutMs: 60_000, queueTimeoutMs: 50 };
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Work whose turn comes after so many milliseconds. */
  const after = (waitingMs: number): Queued<string> => {
    const started = new Promise<void>((resolve) => setTimeout(resolve, waitingMs));
    return { started, result: started.then(() => 'done') };
  };
  const passing = async <T>(working: Promise<T>): Promise<T> => {
    working.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(40);
    return await working;
  };

  test.each(['queued', 'ofItsOwn'] as const)('is that of all turns together (%s)', async (wait) => {
    const time = new ReadTime();
    expect(await passing(time[wait](limits, after(40)))).toBe('done');
    expect(await failureOf(passing(time[wait](limits, after(40))))).toMatchObject({
      code: 'OVERLOADED',
      message: expect.stringContaining('its turn did not come within 50 ms (queueTimeoutMs)') as string,
    });
    // What need not wait goes on.
    const ready = { started: Promise.resolve(), result: Promise.resolve('at once') };
    expect(await passing(time[wait](limits, ready))).toBe('at once');
  });

  test('is not that of execution', async () => {
    const time = new ReadTime();
    const long = { ...limits, timeoutMs: 50, queueTimeoutMs: 120 };
    for (let turn = 0; turn < 2; turn += 1) expect(await passing(time.queued(long, after(40)))).toBe('done');
    const working = (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 30, 'done'));
    expect(await passing(time.run(long, working))).toBe('done');
    expect(await passing(time.queued(long, after(39)))).toBe('done');
    expect(await failureOf(passing(time.run(long, working)))).toMatchObject({ code: 'TIMED_OUT' });
  });
});
