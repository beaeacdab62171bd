/**
 * Coverage: which event times of the source are in the online table, and as of which source snapshot.
 * The recomputation that the online table always equals is defined on it: the newest row per entity over all pieces,
 * each read at its own snapshot. Pieces are disjoint and sorted by time.
 */
import { compareStarts, type Interval, intersectIntervals, isEmptyInterval, subtractInterval } from './interval.js';

/** Event times that were last read at `sourceSnapshotId`. */
export interface CoveragePiece extends Interval {
  readonly sourceSnapshotId: bigint;
}

export type Coverage = readonly CoveragePiece[];

/** The coverage after a run has read `interval` at `sourceSnapshotId`; neighbours of the same snapshot become one piece. */
export function cover(coverage: Coverage, interval: Interval, sourceSnapshotId: bigint): Coverage {
  const others = coverage.flatMap((piece) =>
    subtractInterval(piece, interval).map((rest) => ({ ...rest, sourceSnapshotId: piece.sourceSnapshotId })),
  );
  const pieces = [...others, { ...interval, sourceSnapshotId }].sort(compareStarts);
  return mergeNeighbours(pieces);
}

/** The pieces that overlap an interval, cut to it. */
export function coverageWithin(coverage: Coverage, interval: Interval): Coverage {
  return coverage.flatMap((piece) => {
    const common = intersectIntervals(piece, interval);
    return common === null ? [] : [{ ...common, sourceSnapshotId: piece.sourceSnapshotId }];
  });
}

/** The parts of an interval that no piece covers, in order. */
export function uncovered(coverage: Coverage, interval: Interval): readonly Interval[] {
  return coverage.reduce<readonly Interval[]>(
    (rest, piece) => rest.flatMap((part) => subtractInterval(part, piece)),
    isEmptyInterval(interval) ? [] : [interval],
  );
}

/** The same coverage with the snapshots that `isReadable` refuses replaced by `sourceSnapshotId`. */
export function replaceUnreadable(
  coverage: Coverage,
  isReadable: (sourceSnapshotId: bigint) => boolean,
  sourceSnapshotId: bigint,
): Coverage {
  return mergeNeighbours(
    coverage.map((piece) => (isReadable(piece.sourceSnapshotId) ? piece : { ...piece, sourceSnapshotId })),
  );
}

function mergeNeighbours(pieces: Coverage): Coverage {
  const merged: CoveragePiece[] = [];
  for (const piece of pieces) {
    const last = merged.at(-1);
    if (last !== undefined && last.endUs === piece.startUs && last.sourceSnapshotId === piece.sourceSnapshotId) {
      merged[merged.length - 1] = { ...last, endUs: piece.endUs };
    } else {
      merged.push(piece);
    }
  }
  return merged;
}
