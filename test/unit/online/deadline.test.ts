import { expect, test } from 'vitest';
import { withDeadline } from '../../../online/deadline.js';
import { failureOf } from '../../support/error-code.js';

test('work that goes on for ever ends with the signal of its caller, and hears it', async () => {
  const controller = new AbortController();
  let heard: unknown;
  const working = withDeadline(
    60_000,
    (signal) => {
      signal.addEventListener('abort', () => {
        heard = signal.reason;
      });
      return new Promise(() => undefined);
    },
    0,
    controller.signal,
  );
  controller.abort('enough');
  const failure = await failureOf(working);
  expect(failure).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
  expect(heard).toBe(failure);
});
