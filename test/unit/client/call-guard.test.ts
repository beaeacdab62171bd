import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CallGuard } from '../../../client/call-guard.js';
import { gate } from '../../support/gate.js';

it('closing waits for the calls in flight, then closes what calls have opened, then what both use', async () => {
  const guard = new CallGuard();
  const reading = gate();
  const closing = gate();
  const events: string[] = [];
  const call = guard.run(async () => {
    await reading.opened;
    events.push('call ended');
  });
  await guard.open(async () => ({
    close: async () => {
      events.push('reader closes');
      await closing.opened;
      events.push('reader closed');
    },
  }));

  const closed = guard.close(async () => {
    events.push('project closed');
  });
  await turn();
  expect(events).toEqual([]);
  reading.open();
  await call;
  await turn();
  expect(events).toEqual(['call ended', 'reader closes']);
  closing.open();
  await closed;
  expect(events).toEqual(['call ended', 'reader closes', 'reader closed', 'project closed']);
});

it('closing waits for a call that fails, and for one that takes its time to end once it is cancelled', async () => {
  const guard = new CallGuard();
  const events: string[] = [];
  const cancelled = guard.run(() =>
    guard.cancellable(undefined, async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await turn();
      events.push('cancelled call ended');
      throw signal.reason as Error;
    }),
  );
  const failed = guard.run(async () => {
    await turn();
    events.push('failed');
    throw new Error('of its own');
  });
  const outcomes = Promise.allSettled([cancelled, failed]);
  await guard.close(async () => {
    events.push('project closed');
  });
  expect(events.at(-1)).toBe('project closed');
  expect(events.toSorted()).toEqual(['cancelled call ended', 'failed', 'project closed']);
  expect(await outcomes).toMatchObject([
    { status: 'rejected', reason: { code: 'CANCELLED' } },
    { status: 'rejected', reason: { message: 'of its own' } },
  ]);
});

it('closing cancels a call that is opening something; the signal of a caller acts on what was opened until that is closed', async () => {
  const guard = new CallGuard();
  const caller = new AbortController();
  const signals: AbortSignal[] = [];
  const reader = await guard.open(async (signal) => {
    signals.push(signal);
    return { close: () => Promise.resolve() };
  }, caller.signal);
  const opening = guard.open(
    (signal) =>
      new Promise<{ close(): Promise<void> }>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      ),
  );
  const outcome = opening.catch((error: unknown) => error);
  const closed = guard.close(() => Promise.resolve());
  expect(await outcome).toMatchObject({ code: 'CANCELLED' });
  await closed;
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  await reader.close();
  caller.abort();
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  await expect(guard.open(() => Promise.reject(new Error('never called')))).rejects.toMatchObject({ code: 'CLOSED' });
});

it('a signal that is aborted while something is open is heard there', async () => {
  const guard = new CallGuard();
  const caller = new AbortController();
  let heard: AbortSignal | undefined;
  await guard.open(async (signal) => {
    heard = signal;
    return { close: () => Promise.resolve() };
  }, caller.signal);
  expect(heard?.aborted).toBe(false);
  caller.abort();
  expect(heard?.aborted).toBe(true);
  await expect(guard.open(() => Promise.reject(new Error('never called')), caller.signal)).rejects.toMatchObject({
    code: 'CANCELLED',
  });
});
