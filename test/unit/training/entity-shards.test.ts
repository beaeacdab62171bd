/** How many shards a training set has. */
import { expect, test } from 'vitest';
import { shardsOfEntityRows } from '../../../training/index.js';

/** What an engine counts of a gibibyte. */
const GIB = 0.9 * 2 ** 30;

const count = (
  rows: bigint,
  { memory = 4 * GIB, shards, spread }: { memory?: number; shards?: number; spread?: number } = {},
) => shardsOfEntityRows(rows, { shards, spread, memoryLimitBytes: memory });

test('shards are as many as keep 384 bytes of memory for each entity row', () => {
  expect([0n, 1n, 10_000_000n, 10_100_000n, 100_000_000n].map((rows) => count(rows))).toEqual([1, 1, 1, 2, 10]);
  expect(count(10_000_000n, { memory: GIB })).toBe(4);
  expect(count(100_000_000n, { memory: 40 * GIB })).toBe(1);
  expect(count(10_000_000n, { memory: 0.5 * GIB, shards: 2 })).toBe(2);
});

test('shards are spread over workers if each has a million rows, and are a thousand at most', () => {
  expect([999_999n, 3_500_000n, 9_000_000n].map((rows) => count(rows, { spread: 8 }))).toEqual([1, 3, 8]);
  expect(count(9_000_000n, { spread: 8, shards: 2 })).toBe(2);
  expect(count(100_000_000n, { spread: 8 })).toBe(10);
  expect(count(10n ** 12n)).toBe(1000);
});
