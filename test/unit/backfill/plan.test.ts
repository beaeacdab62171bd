import { describe, expect, test } from 'vitest';
import {
  parseBackfillPlan,
  planBackfill,
  planSummary,
  planToText,
  requireCurrentPlan,
  requireWindowRange,
  segmentPage,
} from '../../../backfill/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { codeOf, rejectionCode } from '../../support/error-code.js';
import { Lab } from '../../support/materialization-lab.js';

const SECOND = 1_000_000n;
const RANGE = { startUs: 0n, endUs: 10n * SECOND, stepUs: SECOND };

async function inLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.open();
  try {
    await lab.createSource();
    await work(lab);
  } finally {
    await lab.close();
  }
}

describe('a range of windows', () => {
  test.each([
    ['start after end', { startUs: 5n, endUs: 4n, stepUs: 1n }, /Exchange start and end/],
    ['nothing in it', { startUs: 5n, endUs: 5n, stepUs: 1n }, /empty/],
    ['no step', { startUs: 0n, endUs: 5n, stepUs: 0n }, /longer than nothing/],
    [
      'a step that does not divide it',
      { startUs: 0n, endUs: 2_500_000n, stepUs: SECOND },
      /The step 1s does not divide .*: end it at 1970-01-01T00:00:02.000Z or 1970-01-01T00:00:03.000Z/,
    ],
    ['a step longer than it', { startUs: 0n, endUs: 1n, stepUs: SECOND }, /end it at 1970-01-01T00:00:01.000Z\.$/],
    ['a million and one windows', { startUs: 0n, endUs: 1_000_001n, stepUs: 1n }, /1000001 windows/],
  ])('%s is refused', (_, range, message) => {
    expect(() => requireWindowRange(range)).toThrow(message);
    expect(codeOf(() => requireWindowRange(range))).toBe('INVALID_ARGUMENT');
  });
});

describe('the plan', () => {
  test('knows from statistics which windows hold rows, and how many', () =>
    inLab(async (lab) => {
      // One file of windows 2 to 5, two rows in each; one of window 5 alone.
      await lab.append([2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5].map((at, index) => ({ k: index, at, v: index })));
      await lab.append([{ k: 1, at: 5, v: 9 }]);
      const plan = await planBackfill(lab.deps, { view: 'readings', ...RANGE });
      expect(plan.windows.map(({ index, files, rows }) => [index, files, rows])).toEqual([
        [2, 1, 2],
        [3, 1, 2],
        [4, 1, 2],
        [5, 2, 3],
      ]);
      expect(planSummary(plan)).toMatchObject({ windows: 10, windowsWithRows: 4, files: 2, rows: 9 });
      expect(plan).toMatchObject({ covered: { wholly: 0, partly: 0 }, schedules: null, order: 'oldest-first' });
      expect(plan.estimate).toEqual({ seconds: null, basis: 'unknown: no earlier backfill of the view' });
      // Planning makes nothing.
      expect(await lab.catalog.namespaceExists(['moraine_online'])).toBe(false);
    }));

  test('works on windows with rows alone and on neighbours without any together, in pages and in either order', () =>
    inLab(async (lab) => {
      await lab.append([{ k: 1, at: 2, v: 1 }]);
      await lab.append([{ k: 1, at: 9, v: 1 }]);
      const plan = await planBackfill(lab.deps, { view: 'readings', ...RANGE });
      const all = [
        { first: 0, last: 1 },
        { first: 2, last: 2 },
        { first: 3, last: 8 },
        { first: 9, last: 9 },
      ];
      expect(segmentPage(plan, 0, 3)).toEqual({ segments: all.slice(0, 3), next: 3 });
      expect(segmentPage(plan, 3, 3)).toEqual({ segments: all.slice(3), next: null });
      const newest = { ...plan, order: 'newest-first' } as const;
      expect(segmentPage(newest, 0, 10).segments).toEqual(all.toReversed());
    }));

  test('counts windows that are covered already', () =>
    inLab(async (lab) => {
      await lab.append([{ k: 1, at: 2, v: 1 }]);
      await materializeDirect(lab.deps, { view: 'readings', startUs: 1_500_000n, endUs: 4_000_000n });
      const plan = await planBackfill(lab.deps, { view: 'readings', ...RANGE });
      expect(plan.covered).toEqual({ wholly: 2, partly: 1 });
    }));

  test('is read back as it was written', () =>
    inLab(async (lab) => {
      await lab.append([{ k: 1, at: 2, v: 1 }]);
      const plan = await planBackfill(lab.deps, { view: 'readings', ...RANGE, schedules: ['hourly'] });
      expect(parseBackfillPlan(planToText(plan), 'plan.json')).toEqual(plan);
      expect(codeOf(() => parseBackfillPlan('{"version": 1}', 'plan.json'))).toBe('INVALID_ARGUMENT');
      expect(codeOf(() => parseBackfillPlan('no JSON', 'plan.json'))).toBe('INVALID_ARGUMENT');
    }));

  test('holds while the files of its windows are the same, and is refused when they are not', () =>
    inLab(async (lab) => {
      await lab.append([{ k: 1, at: 2, v: 1 }]);
      const plan = await planBackfill(lab.deps, { view: 'readings', ...RANGE });
      await lab.append([{ k: 1, at: 12, v: 1 }]);
      await requireCurrentPlan(lab.deps, plan);
      await lab.append([{ k: 1, at: 7, v: 1 }]);
      await expect(requireCurrentPlan(lab.deps, plan)).rejects.toThrow(
        /1970-01-01T00:00:07.000Z to 1970-01-01T00:00:08.000Z are others/,
      );
      expect(await rejectionCode(requireCurrentPlan(lab.deps, plan))).toBe('PLAN_STALE');
    }));

  test('is refused with another definition, and after a roll-back', () =>
    inLab(async (lab) => {
      const first = await lab.append([{ k: 1, at: 2, v: 1 }]);
      await lab.append([{ k: 2, at: 12, v: 1 }]);
      const plan = await planBackfill(lab.deps, { view: 'readings', ...RANGE });
      lab.view = { ...lab.view, source: { table: lab.view.source.table, timestampField: 'event_ts' } };
      await expect(requireCurrentPlan(lab.deps, plan)).rejects.toThrow(/the definition of 'readings' has changed/);
      lab.view = { ...lab.view, source: { ...lab.view.source, createdTimestampField: 'created' } };
      await lab.rollback('source', first);
      await expect(requireCurrentPlan(lab.deps, plan)).rejects.toThrow(/rolled back behind/);
    }));
});
