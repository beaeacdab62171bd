/**
 * Whether a run that was planned on one progress may be committed on another, and what it then records: a pure function.
 *
 * A plan's reads complete what the online table held of its interval when it was planned. They still do wherever that is
 * unchanged, and wherever others have read rows since of which the plan's snapshot has every one.
 */
import { changedParts } from '../online/index.js';
import { cover, coverageWithin, uncovered } from './coverage.js';
import type { SourceState } from './decide.js';
import type { Interval } from './interval.js';
import type { PlanBasis } from './plan.js';
import type { Progress } from './progress.js';

type Lineage = Pick<SourceState, 'standing'>;

/** A planned run. */
export interface RunToRebase {
  readonly interval: Interval;
  /** Whether it moves incremental progress. */
  readonly isIncremental: boolean;
  /** Whether it replaces files. */
  readonly rebuilds: boolean;
  readonly sourceSnapshotId: bigint;
  readonly basis: PlanBasis | undefined;
  readonly progressAfter: Progress;
}

export type Rebased =
  /** Its reads are right; this is what it records. */
  | { readonly kind: 'commit'; readonly progressAfter: Progress }
  /** All of its window has been read meanwhile, at its snapshot or later ones. */
  | { readonly kind: 'covered' }
  | { readonly kind: 'stale'; readonly reason: string };

/**
 * @param base the progress of the newer online table
 * @param lineage where snapshots of the source stand now
 */
export function rebaseRun(run: RunToRebase, base: Progress | null, lineage: Lineage): Rebased {
  const { basis, progressAfter: after } = run;
  if (basis !== undefined && isSameProgress(basis.progress, base)) return { kind: 'commit', progressAfter: after };
  if (base === null) return stale('the online table has lost its progress');
  if (base.sourceTableUuid !== after.sourceTableUuid) return stale('another source table was materialized');
  const changed = changedParts(base.definition, after.definition);
  if (changed.length > 0) return stale(`another definition was materialized, with other ${changed.join(', ')}`);
  if (!run.isIncremental && isReadSince(run, base, lineage)) return { kind: 'covered' };
  if (basis === undefined || run.rebuilds) return stale('another run has committed');
  if (run.isIncremental && !isSameIncremental(basis.progress, base))
    return stale('another incremental run has committed');
  if (!areReadsRight(run, basis, base, lineage)) return stale('another run has read a part of the interval');
  const coverage = cover(base.coverage, run.interval, run.sourceSnapshotId);
  const incremental = run.isIncremental ? after.incremental : base.incremental;
  return { kind: 'commit', progressAfter: { ...base, definition: after.definition, coverage, incremental } };
}

const stale = (reason: string): Rebased => ({ kind: 'stale', reason });

function isReadSince({ interval, sourceSnapshotId }: RunToRebase, base: Progress, lineage: Lineage): boolean {
  if (uncovered(base.coverage, interval).length > 0) return false;
  return coverageWithin(base.coverage, interval).every((piece) =>
    isInOrder(lineage, sourceSnapshotId, piece.sourceSnapshotId),
  );
}

function areReadsRight(
  { interval, sourceSnapshotId }: RunToRebase,
  { progress, keptSinceSnapshotId }: PlanBasis,
  base: Progress,
  lineage: Lineage,
): boolean {
  const before = progress?.coverage ?? [];
  const isUnchanged = (piece: Interval, snapshotId: bigint): boolean =>
    uncovered(before, piece).length === 0 &&
    coverageWithin(before, piece).every((part) => part.sourceSnapshotId === snapshotId);
  const pieces = coverageWithin(base.coverage, interval).every(
    ({ sourceSnapshotId: id, ...piece }) =>
      id === sourceSnapshotId ||
      isUnchanged(piece, id) ||
      (keptSinceSnapshotId !== null &&
        isInOrder(lineage, keptSinceSnapshotId, id) &&
        isInOrder(lineage, id, sourceSnapshotId)),
  );
  return pieces && uncovered(base.coverage, interval).every((gap) => coverageWithin(before, gap).length === 0);
}

/** Whether `later` is `earlier`, or a descendant of it, in the source's lineage. */
function isInOrder(lineage: Lineage, earlier: bigint, later: bigint): boolean {
  if (earlier === later) return true;
  const from = lineage.standing(earlier);
  const to = lineage.standing(later);
  return from.kind === 'ancestor' && to.kind === 'ancestor' && to.age <= from.age;
}

function isSameIncremental(before: Progress | null, base: Progress): boolean {
  const [a, b] = [before?.incremental ?? null, base.incremental];
  if (a === null || b === null) return a === b;
  return a.sourceSnapshotId === b.sourceSnapshotId && a.heldBackFromUs === b.heldBackFromUs;
}

function isSameProgress(a: Progress | null, b: Progress | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.sourceTableUuid === b.sourceTableUuid &&
    changedParts(a.definition, b.definition).length === 0 &&
    isSameIncremental(a, b) &&
    a.coverage.length === b.coverage.length &&
    a.coverage.every((piece, index) => {
      const other = b.coverage[index];
      return (
        piece.startUs === other?.startUs &&
        piece.endUs === other.endUs &&
        piece.sourceSnapshotId === other.sourceSnapshotId
      );
    })
  );
}
