import { expect, test } from 'vitest';
import { lookWaitMs } from '../../../workflows/look-wait.js';

const WAITS = { firstMs: 15_000, intervalMs: 300_000 };
const HOUR_MS = 3_600_000;

/** Looks within a time. */
function looksWithin(ms: number): number {
  let looks = 0;
  for (let passedMs = 0; passedMs <= ms; looks += 1) passedMs += lookWaitMs(looks, WAITS);
  return looks;
}

test('waits double up to the interval, and stay there for two hours', () => {
  const waits = Array.from({ length: 25 }, (_, looks) => lookWaitMs(looks, WAITS) / 1000);
  expect(waits).toEqual([15, 30, 60, 120, 240, ...Array.from({ length: 20 }, () => 300)]);
});

test('what waits for three years fits into a history, and is found late by six hours at most', () => {
  // About ten events for each look, of 51,200 that a server allows.
  expect(looksWithin(3 * 365 * 24 * HOUR_MS)).toBeLessThan(5_000);
  expect(looksWithin(24 * HOUR_MS)).toBeGreaterThan(40);
  for (let looks = 0; looks < 2_000; looks += 1) {
    expect(lookWaitMs(looks + 1, WAITS)).toBeGreaterThanOrEqual(lookWaitMs(looks, WAITS));
    expect(lookWaitMs(looks, WAITS)).toBeLessThanOrEqual(6 * HOUR_MS);
  }
});
