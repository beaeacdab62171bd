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
