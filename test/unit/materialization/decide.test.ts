import { describe, expect, it } from 'vitest';
import { assessBase, type DecisionInput, decide, type SnapshotStanding } from '../../../materialization/decide.js';
import type { Progress } from '../../../materialization/progress.js';

const DEFINITION = { keys: 'k', source: 's', mapping: 'm', features: 'f', partitioning: 'p' };

/** Snapshots 1, 2 and 3 in a row, 3 pinned. */
function input(
  progress: Partial<Progress>,
  request: DecisionInput['request'],
  expired: readonly bigint[] = [],
): DecisionInput {
  return {
    progress: {
      sourceTable: 's',
      sourceTableUuid: 'u',
      definition: DEFINITION,
      incremental: null,
      coverage: [],
      ...progress,
    },
    hasUnknownRows: false,
    hasUnwrittenColumns: false,
    definition: DEFINITION,
    request,
    source: {
      table: 's',
      tableUuid: 'u',
      snapshotId: 3n,
      standing: (id): SnapshotStanding =>
        expired.includes(id) ? { kind: 'expired' } : { kind: 'ancestor', age: Number(3n - id) },
    },
  };
}

describe('the decision', () => {
  it('is a full rebuild when buckets must be rebuilt from a piece whose snapshot has expired', () => {
    const coverage = [
      { startUs: null, endUs: 5n, sourceSnapshotId: 2n },
      { startUs: 7n, endUs: 9n, sourceSnapshotId: 1n },
    ];
    const incremental = { sourceSnapshotId: 2n, heldBackFromUs: null };
    const request = { kind: 'incremental', interval: { startUs: null, endUs: 5n } } as const;
    const asked = input({ coverage, incremental }, request, [1n]);
    const base = assessBase(asked);
    expect(base).toEqual({ kind: 'changes-since', sinceSnapshotId: 2n });
    const decision = decide(asked, base, { hasAdded: false, hasRemoved: true });
    expect(decision.kind).toBe('full');
    expect(decision.rebuildFrom).toEqual([
      { startUs: null, endUs: 5n, sourceSnapshotId: 3n },
      { startUs: 7n, endUs: 9n, sourceSnapshotId: 3n },
    ]);
    const readable = decide(input({ coverage, incremental }, request), base, { hasAdded: false, hasRemoved: true });
    expect(readable.kind).toBe('rebuild-buckets');
    expect(readable.rebuildFrom[1]).toEqual({ startUs: 7n, endUs: 9n, sourceSnapshotId: 1n });
  });

  it('continues a window from the oldest snapshot at which a part of it was read', () => {
    const coverage = [
      { startUs: null, endUs: 5n, sourceSnapshotId: 2n },
      { startUs: 5n, endUs: 9n, sourceSnapshotId: 1n },
    ];
    const asked = input({ coverage }, { kind: 'window', interval: { startUs: 4n, endUs: 6n } });
    const base = assessBase(asked);
    expect(base).toEqual({ kind: 'changes-since', sinceSnapshotId: 1n });
    expect(decide(asked, base, { hasAdded: true, hasRemoved: false })).toMatchObject({
      kind: 'window',
      delta: { sinceSnapshotId: 1n, interval: { startUs: 4n, endUs: 6n } },
      whole: null,
      incrementalAfter: { kind: 'unchanged', progress: null },
    });
  });

  it('names every part of the definition that changed', () => {
    const asked = input(
      { definition: { ...DEFINITION, keys: 'other', mapping: 'other' } },
      { kind: 'incremental', interval: { startUs: null, endUs: null } },
    );
    expect(assessBase(asked)).toEqual({
      kind: 'rebuild-all',
      reason: "the view's definition changed in its keys, mapping",
    });
  });
});
