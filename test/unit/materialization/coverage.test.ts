import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Coverage, cover, coverageWithin, uncovered } from '../../../materialization/coverage.js';
import type { Interval } from '../../../materialization/interval.js';

const interval = (startUs: bigint | null, endUs: bigint | null): Interval => ({ startUs, endUs });

describe('coverage', () => {
  it('lets a later run replace the part that it covers', () => {
    const first = cover([], interval(null, null), 1n);
    expect(cover(first, interval(10n, 20n), 2n)).toEqual([
      { startUs: null, endUs: 10n, sourceSnapshotId: 1n },
      { startUs: 10n, endUs: 20n, sourceSnapshotId: 2n },
      { startUs: 20n, endUs: null, sourceSnapshotId: 1n },
    ]);
  });

  it('joins neighbours of one snapshot', () => {
    const two = cover(cover([], interval(0n, 10n), 1n), interval(10n, 20n), 1n);
    expect(two).toEqual([{ startUs: 0n, endUs: 20n, sourceSnapshotId: 1n }]);
  });

  it('names what no run has covered', () => {
    const coverage = cover(cover([], interval(0n, 10n), 1n), interval(20n, 30n), 2n);
    expect(uncovered(coverage, interval(5n, null))).toEqual([interval(10n, 20n), interval(30n, null)]);
    expect(uncovered(coverage, interval(5n, 5n))).toEqual([]);
    expect(coverageWithin(coverage, interval(5n, 25n))).toEqual([
      { startUs: 5n, endUs: 10n, sourceSnapshotId: 1n },
      { startUs: 20n, endUs: 25n, sourceSnapshotId: 2n },
    ]);
  });

  it('agrees with an array that holds the last snapshot of every moment', () => {
    const bound = fc.option(fc.integer({ min: 0, max: 12 }), { nil: null });
    const run = fc.record({ start: bound, end: bound, snapshot: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 8 }), (runs) => {
        const moments = Array.from({ length: 14 }, (_, index) => index - 1);
        const expected: (number | null)[] = moments.map(() => null);
        let coverage: Coverage = [];
        for (const { start, end, snapshot } of runs) {
          if (start !== null && end !== null && start >= end) continue;
          coverage = cover(
            coverage,
            interval(start === null ? null : BigInt(start), end === null ? null : BigInt(end)),
            BigInt(snapshot),
          );
          moments.forEach((moment, index) => {
            if ((start === null || moment >= start) && (end === null || moment < end)) expected[index] = snapshot;
          });
        }
        const actual = moments.map((moment) => {
          const [piece] = coverageWithin(coverage, interval(BigInt(moment), BigInt(moment + 1)));
          return piece === undefined ? null : Number(piece.sourceSnapshotId);
        });
        expect(actual).toEqual(expected);
      }),
    );
  });
});
