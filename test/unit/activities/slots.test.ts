import { expect, test } from 'vitest';
import { Slots } from '../../../activities/slots.js';
import { gate } from '../../support/gate.js';

test('one after the other, in the order asked for; failures stop nobody, what was cancelled while it waited never starts', async () => {
  const queue = new Slots(1);
  const { signal } = new AbortController();
  const cancelled = new AbortController();
  const events: string[] = [];
  let running = 0;
  const work =
    (name: string, fails = false) =>
    async () => {
      running += 1;
      events.push(`${name} with ${running - 1} others`);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (fails) throw new Error(`${name} failed`);
      return name;
    };
  const results = Promise.allSettled([
    queue.run(signal, work('a')),
    queue.run(signal, work('b', true)),
    queue.run(cancelled.signal, work('c')),
    queue.run(signal, work('d')),
  ]);
  cancelled.abort(new Error('cancelled'));
  const shown = (await results).map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)));
  expect(shown).toEqual(['a', 'Error: b failed', 'Error: cancelled', 'd']);
  expect(events).toEqual(['a with 0 others', 'b with 0 others', 'd with 0 others']);
});

test('as many at a time as there are slots', async () => {
  const slots = new Slots(2);
  const { signal } = new AbortController();
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await Promise.all(Array.from({ length: 7 }, () => slots.run(signal, work)));
  expect(most).toBe(2);
});

test('what is cancelled while it waits ends at once, however long those before it take', async () => {
  const slots = new Slots(1);
  const { signal } = new AbortController();
  const cancelled = new AbortController();
  const first = gate();
  const events: string[] = [];
  const running = slots.run(signal, () => first.opened);
  const waiting = slots.run(cancelled.signal, async () => void events.push('never'));
  const next = slots.run(signal, async () => void events.push('next'));
  cancelled.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  await expect(slots.run(cancelled.signal, async () => void events.push('never'))).rejects.toThrow('cancelled');
  expect(events).toEqual([]);
  first.open();
  await Promise.all([running, next]);
  expect(events).toEqual(['next']);
});
