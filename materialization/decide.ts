/**
 * The work of a materialization run, as a pure function of the progress, the definition, the source's lineage and the
 * requested interval. Two steps, because changes of the source since a snapshot must be looked up in between:
 * {@link assessBase} says since which snapshot changes are needed; {@link decide} makes the decision from them.
 */
import { changedParts, type DefinitionFingerprint } from '../online/index.js';
import { type Coverage, cover, coverageWithin, replaceUnreadable, uncovered } from './coverage.js';
import { hullOfIntervals, type Interval, intersectIntervals } from './interval.js';
import type { IncrementalProgress, Progress } from './progress.js';

/** Where a snapshot stands seen from the pinned source snapshot. */
export type SnapshotStanding =
  /** An ancestor (or the pinned snapshot itself), that many snapshots ago. */
  | { readonly kind: 'ancestor'; readonly age: number }
  | { readonly kind: 'not-ancestor' }
  | { readonly kind: 'expired' };

/** The source at the time of the plan. */
export interface SourceState {
  readonly table: string;
  readonly tableUuid: string;
  /** The pinned snapshot. */
  readonly snapshotId: bigint;
  standing(snapshotId: bigint): SnapshotStanding;
}

/** The request of a run. A run with a start records its window only. */
export interface RunRequest {
  readonly interval: Interval;
  readonly kind: 'incremental' | 'window';
}

export interface DecisionInput {
  readonly progress: Progress | null;
  /** Whether the online table holds rows although no progress is known for them. */
  readonly hasUnknownRows: boolean;
  /** Whether the online table has columns of which the rows that the progress describes have no value. */
  readonly hasUnwrittenColumns: boolean;
  readonly definition: DefinitionFingerprint;
  readonly source: SourceState;
  readonly request: RunRequest;
}

/** Whether and since when the source's changes must be known. */
export type BaseAssessment =
  | { readonly kind: 'rebuild-all'; readonly reason: string }
  | { readonly kind: 'changes-since'; readonly sinceSnapshotId: bigint }
  | { readonly kind: 'no-base' };

/** Changes of the source since the base snapshot; compactions (`replace`) are left out of both. */
export interface SourceChanges {
  /** Whether any snapshot added files with an append or an overwrite. */
  readonly hasAdded: boolean;
  /** Whether any snapshot removed files with an overwrite or a delete. */
  readonly hasRemoved: boolean;
}

export type RunKind = 'incremental' | 'window' | 'rebuild-buckets' | 'full' | 'nothing';

/** The decision. Intervals say which rows to read; all at the pinned snapshot unless a piece names another. */
export interface Decision {
  readonly kind: RunKind;
  readonly reason: string;
  /** Rows to append: of files that are new since the snapshot. */
  readonly delta: { readonly sinceSnapshotId: bigint; readonly interval: Interval } | null;
  /** Rows to append: of all files. */
  readonly whole: Interval | null;
  /** Pieces from which buckets are rebuilt (all buckets, or the touched ones); empty if none is. */
  readonly rebuildFrom: Coverage;
  readonly coverageAfter: Coverage;
  /** Incremental progress afterwards; `heldBackAfterUs`: the smallest event time from there on is to be recorded (null: none is held back). */
  readonly incrementalAfter: IncrementalAfter;
}

export type IncrementalAfter =
  | { readonly kind: 'unchanged'; readonly progress: IncrementalProgress | null }
  | { readonly kind: 'moved'; readonly heldBackAfterUs: bigint | null };

/** Step one: is there a base to continue from, and which. */
export function assessBase(input: DecisionInput): BaseAssessment {
  const { progress, source, definition, request } = input;
  if (progress === null) {
    return input.hasUnknownRows
      ? { kind: 'rebuild-all', reason: 'the online table holds rows for which no progress is recorded' }
      : { kind: 'no-base' };
  }
  // A view that moved to another table is a changed definition; a table that was made anew keeps its name.
  const changed = changedParts(progress.definition, definition);
  if (changed.length > 0) {
    return { kind: 'rebuild-all', reason: `the view's definition changed in its ${changed.join(', ')}` };
  }
  if (progress.sourceTableUuid !== source.tableUuid) {
    return { kind: 'rebuild-all', reason: `the source table ${source.table} was dropped and created again` };
  }
  // Another engine renamed, dropped or retyped a column of the online table, and the view has it anew.
  if (input.hasUnwrittenColumns) {
    return { kind: 'rebuild-all', reason: 'the online table has columns that its rows have no values of' };
  }
  return oldestBase(baseSnapshots(progress, request.interval), source);
}

/** Snapshots at which parts of the interval were read last. */
function baseSnapshots(progress: Progress, interval: Interval): readonly bigint[] {
  const bases = coverageWithin(progress.coverage, interval).map((piece) => piece.sourceSnapshotId);
  const useIncremental = progress.incremental !== null && uncovered(progress.coverage, interval).length > 0;
  return [...new Set(useIncremental ? [...bases, progress.incremental.sourceSnapshotId] : bases)];
}

function oldestBase(bases: readonly bigint[], source: SourceState): BaseAssessment {
  let oldest: { snapshotId: bigint; age: number } | null = null;
  for (const snapshotId of bases) {
    const standing = source.standing(snapshotId);
    if (standing.kind === 'expired') {
      return {
        kind: 'rebuild-all',
        reason: `the last materialized snapshot ${snapshotId} of ${source.table} has expired`,
      };
    }
    if (standing.kind === 'not-ancestor') {
      return {
        kind: 'rebuild-all',
        reason: `the source table ${source.table} was rolled back behind snapshot ${snapshotId}`,
      };
    }
    if (oldest === null || standing.age > oldest.age) oldest = { snapshotId, age: standing.age };
  }
  return oldest === null ? { kind: 'no-base' } : { kind: 'changes-since', sinceSnapshotId: oldest.snapshotId };
}

/**
 * Step two: the decision.
 * @param changes what happened since the base of a `changes-since` assessment; null for the others
 */
export function decide(input: DecisionInput, base: BaseAssessment, changes: SourceChanges | null): Decision {
  if (base.kind === 'rebuild-all') return rebuild(input, 'full', base.reason);
  if (base.kind === 'no-base') return firstRead(input);
  if (changes === null) throw new TypeError('decide() needs the changes since the base');
  if (changes.hasRemoved) {
    const unreadable = unreadablePiece(input);
    if (unreadable !== null) return rebuild(input, 'full', unreadable);
    return rebuild(
      input,
      'rebuild-buckets',
      `rows were deleted or overwritten in ${input.source.table}`,
      base.sinceSnapshotId,
    );
  }
  return continueFrom(input, base.sinceSnapshotId, changes);
}

/**
 * Whether a run that finds nothing to write has still moved on: what it covers was last read at another source snapshot.
 * Left there, the same changes would be looked through again by every run, and the next one would be a full one once that
 * snapshot has expired.
 */
export function advancesProgress({ progress, source, request }: DecisionInput): boolean {
  if (progress === null) return false;
  const bases = baseSnapshots(progress, request.interval);
  const position = request.kind === 'incremental' ? (progress.incremental?.sourceSnapshotId ?? []) : [];
  return bases.concat(position).some((snapshotId) => snapshotId !== source.snapshotId);
}

function firstRead(input: DecisionInput): Decision {
  const { request } = input;
  return {
    kind: request.kind,
    reason:
      request.kind === 'incremental'
        ? 'first incremental run: from the beginning of the table'
        : 'first run of this window',
    delta: null,
    whole: request.interval,
    rebuildFrom: [],
    ...recordRun(input, input.progress?.coverage ?? []),
  };
}

function continueFrom(input: DecisionInput, sinceSnapshotId: bigint, changes: SourceChanges): Decision {
  const { request, progress, source } = input;
  const coverage = progress?.coverage ?? [];
  const whole = unreadPart(progress, request.interval);
  const after = recordRun(input, coverage);
  if (!changes.hasAdded && whole === null) {
    return {
      kind: 'nothing',
      reason: `nothing new in ${source.table} since snapshot ${sinceSnapshotId}`,
      delta: null,
      whole: null,
      rebuildFrom: [],
      ...after,
    };
  }
  return {
    kind: request.kind,
    reason: `changes since snapshot ${sinceSnapshotId}${whole === null ? '' : ' and rows not read before'}`,
    delta: changes.hasAdded ? { sinceSnapshotId, interval: request.interval } : null,
    whole,
    rebuildFrom: [],
    ...after,
  };
}

/**
 * The part of the interval of which all files must be read: what no run has covered. The last incremental run knows
 * the smallest event time it held back: before that, rows can only be in files that are new since.
 */
function unreadPart(progress: Progress | null, interval: Interval): Interval | null {
  const gaps = hullOfIntervals(uncovered(progress?.coverage ?? [], interval));
  if (gaps === null || !progress?.incremental) return gaps;
  const { heldBackFromUs } = progress.incremental;
  return heldBackFromUs === null ? null : intersectIntervals(gaps, { startUs: heldBackFromUs, endUs: null });
}

/** Rebuilds buckets from every piece that is covered after this run. */
function rebuild(
  input: DecisionInput,
  kind: 'full' | 'rebuild-buckets',
  reason: string,
  sinceSnapshotId?: bigint,
): Decision {
  const { source, request, progress } = input;
  const coverage = progress?.coverage ?? [];
  const sameTable = progress === null || progress.sourceTableUuid === source.tableUuid;
  const isReadable = (id: bigint): boolean => sameTable && source.standing(id).kind !== 'expired';
  const after = recordRun(input, replaceUnreadable(coverage, isReadable, source.snapshotId));
  const lostBase = progress?.incremental != null && !isReadable(progress.incremental.sourceSnapshotId);
  const incrementalAfter: IncrementalAfter =
    lostBase && after.incrementalAfter.kind === 'unchanged'
      ? { kind: 'moved', heldBackAfterUs: incrementalEnd(coverage) }
      : after.incrementalAfter;
  const partial = kind === 'rebuild-buckets' && sinceSnapshotId !== undefined;
  return {
    kind,
    reason,
    delta: partial ? { sinceSnapshotId, interval: request.interval } : null,
    whole: partial ? unreadPart(progress, request.interval) : null,
    rebuildFrom: after.coverageAfter,
    coverageAfter: after.coverageAfter,
    incrementalAfter,
  };
}

/** Why buckets cannot be rebuilt piece by piece, if a piece's snapshot has gone. */
function unreadablePiece(input: DecisionInput): string | null {
  const { source, progress, request } = input;
  const after = cover(progress?.coverage ?? [], request.interval, source.snapshotId);
  const gone = after.find((piece) => source.standing(piece.sourceSnapshotId).kind === 'expired');
  return gone === undefined
    ? null
    : `the last materialized snapshot ${gone.sourceSnapshotId} of ${source.table} has expired`;
}

function recordRun(input: DecisionInput, coverage: Coverage): Pick<Decision, 'coverageAfter' | 'incrementalAfter'> {
  const { request, source, progress } = input;
  const coverageAfter = cover(coverage, request.interval, source.snapshotId);
  if (request.kind === 'window') {
    return { coverageAfter, incrementalAfter: { kind: 'unchanged', progress: progress?.incremental ?? null } };
  }
  return { coverageAfter, incrementalAfter: { kind: 'moved', heldBackAfterUs: request.interval.endUs } };
}

/** The end of what incremental runs have covered from the beginning of time on; null: everything. */
function incrementalEnd(coverage: Coverage): bigint | null {
  let end: bigint | null = null;
  for (const piece of coverage) {
    if (end === null ? piece.startUs !== null : piece.startUs !== end) break;
    if (piece.endUs === null) return null;
    end = piece.endUs;
  }
  return end;
}
