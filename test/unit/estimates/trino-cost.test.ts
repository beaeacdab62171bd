/** The cost of a run on Trino: what was measured, and the line between. */
import { expect, it } from 'vitest';
import { trinoCost } from '../../../estimates/index.js';

it('runs of the measured sizes cost what docs/benchmarks.md says', () => {
  expect(trinoCost('materialization', [1e6])).toEqual({ queries: 1, cpuSeconds: 10.54, timesMeasured: 0.1 });
  expect(trinoCost('retrieval', [1e7]).cpuSeconds).toBeCloseTo(53.52, 9);
});

it('a query has a fixed cost, and rows cost as much as between the measured sizes', () => {
  // 43.68 seconds for nine million rows: a third of them more than the first million.
  expect(trinoCost('materialization', [4e6]).cpuSeconds).toBeCloseTo(10.54 + 43.68 / 3, 9);
  expect(trinoCost('materialization', [2e7])).toMatchObject({ timesMeasured: 2 });
  expect(trinoCost('materialization', [2e7]).cpuSeconds).toBeCloseTo(54.22 + (43.68 * 10) / 9, 9);
  // 10.71 less what a million rows cost, 42.81 / 9.
  expect(trinoCost('retrieval', [1]).cpuSeconds).toBeCloseTo(10.71 - 42.81 / 9, 5);
});

it('each source is a query of its own, and one without rows is none', () => {
  expect(trinoCost('retrieval', [1e6, 0, 1e6])).toEqual({ queries: 2, cpuSeconds: 21.42, timesMeasured: 0.1 });
  expect(trinoCost('materialization', [0])).toEqual({ queries: 0, cpuSeconds: 0, timesMeasured: 0 });
});
