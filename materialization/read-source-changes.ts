/** Changes of the source since a snapshot, cut to an interval of event times. */
import type { ResolvedColumn } from '../features/index.js';
import { type ChangedDeletes, changedDeletes, currentSchema } from '../iceberg/index.js';
import { isPushedOnline } from '../online/index.js';
import { type PlannedFile, type SnapshotChange, snapshotChanges, type Table } from '../tables/index.js';
import type { SourceChanges } from './decide.js';
import { eventTimeColumn, mayHoldEventTimes } from './event-time-filter.js';
import { filesAt } from './files-at.js';
import type { Interval } from './interval.js';

/** A data file that two snapshots have, with other deletes in one than in the other. */
export interface RedeletedFile {
  /** As it is in the later one. */
  readonly planned: PlannedFile;
  readonly changed: ChangedDeletes;
}

/** What took rows away from one snapshot to another; none in between changed files without changing rows, if deletes did. */
export interface ChangeStep {
  readonly fromSnapshotId: bigint;
  readonly toSnapshotId: bigint;
  readonly removed: readonly PlannedFile[];
  /** Files that came with snapshots that also removed files: most of their rows are not new. */
  readonly rewritten: readonly PlannedFile[];
  readonly redeleted: readonly RedeletedFile[];
}

/** Files that came and are to be read at the same snapshot, which has them. */
export interface AddedFiles {
  /** The last one that has them, but for what came after it: files may have gone by compactions or overwrites since. Its deletes apply. */
  readonly snapshotId: bigint;
  readonly files: readonly PlannedFile[];
  /** Those of them that came with snapshots that also removed files. */
  readonly rewritten: readonly PlannedFile[];
}

/** Files of the changes; compactions are left out. */
export interface SourceFileChanges extends SourceChanges {
  /** One after the other. The deletes that apply to the files of a step are those at its ends. */
  readonly steps: readonly ChangeStep[];
  readonly added: readonly AddedFiles[];
}

/** Changes that cannot be told file by file. */
export interface UntraceableChanges {
  readonly reason: string;
}

/** Where the rows are from whose changes count. */
interface ChangedRows {
  readonly source: Table;
  readonly timestamp: ResolvedColumn;
  readonly interval: Interval;
}

/**
 * Changes by appends, overwrites and deletes after `sinceSnapshotId` up to `toSnapshotId`, in files of which some row may
 * have an event time in the interval.
 */
export async function readSourceChanges(
  rows: ChangedRows,
  sinceSnapshotId: bigint,
  toSnapshotId: bigint,
): Promise<SourceFileChanges | UntraceableChanges> {
  const changes = await snapshotChanges(rows.source, sinceSnapshotId, toSnapshotId);
  if ('gap' in changes)
    return { reason: `a snapshot after ${sinceSnapshotId}, the last materialized one, has expired` };
  const { snapshots } = changes;
  const real = snapshots.filter(({ operation }) => operation !== 'replace');
  const hasDeletes = real.some((change) => change.addedDeleteFiles || change.removedDeleteFiles);
  const changed = hasDeletes
    ? await Promise.all(withoutCompactions(sinceSnapshotId, snapshots).map((stretch) => netChange(rows, stretch)))
    : [listedChange(rows, { fromSnapshotId: sinceSnapshotId, toSnapshotId, changes: real }, snapshots)];
  const steps = changed.map(({ step }) => step);
  const added = changed.flatMap((change) => change.added).filter(({ files }) => files.length > 0);
  return {
    steps,
    added,
    hasAdded: added.length > 0,
    hasRemoved: steps.some(({ removed, redeleted }) => removed.length > 0 || redeleted.length > 0),
  };
}

interface Change {
  readonly step: ChangeStep;
  readonly added: readonly AddedFiles[];
}

/** Snapshots that follow each other, none of them a compaction, and the one before them. */
interface Stretch {
  readonly fromSnapshotId: bigint;
  readonly toSnapshotId: bigint;
  readonly changes: readonly SnapshotChange[];
}

/** The stretches between compactions, which exchange the files that deletes are about. */
function withoutCompactions(sinceSnapshotId: bigint, changes: readonly SnapshotChange[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let fromSnapshotId = sinceSnapshotId;
  let stretch: SnapshotChange[] = [];
  const close = (): void => {
    const last = stretch.at(-1)?.snapshot.snapshotId;
    if (last !== undefined) stretches.push({ fromSnapshotId, toSnapshotId: last, changes: stretch });
    stretch = [];
  };
  for (const change of changes) {
    if (change.operation !== 'replace') {
      stretch.push(change);
      continue;
    }
    close();
    fromSnapshotId = change.snapshot.snapshotId;
  }
  close();
  return stretches;
}

/**
 * As the snapshots list their files: all there is to know as long as the deletes stay.
 * @param all snapshots of the stretch, with compactions
 */
function listedChange(rows: ChangedRows, { changes, ...ends }: Stretch, all: readonly SnapshotChange[]): Change {
  const relevant = isRelevant(rows);
  const rewritten = changes.flatMap(rewrittenBy).filter(relevant);
  const isRewritten = new Set(rewritten);
  const lastOf = lastSnapshots(all, ends.toSnapshotId);
  const bySnapshot = new Map<bigint, PlannedFile[]>();
  for (const planned of changes.flatMap((change) => change.added).filter(relevant)) {
    const snapshotId = lastOf(planned);
    const files = bySnapshot.get(snapshotId) ?? [];
    files.push(planned);
    bySnapshot.set(snapshotId, files);
  }
  return {
    step: { ...ends, removed: changes.flatMap((change) => change.removed).filter(relevant), rewritten, redeleted: [] },
    added: [...bySnapshot].map(([snapshotId, files]) => ({
      snapshotId,
      files,
      rewritten: files.filter((planned) => isRewritten.has(planned)),
    })),
  };
}

/** Tells the last of the snapshots that has a file which one of them added. */
function lastSnapshots(all: readonly SnapshotChange[], newest: bigint): (planned: PlannedFile) => bigint {
  const last = new Map<string, bigint>();
  let before = newest;
  for (const { snapshot, removed } of all) {
    for (const planned of removed) last.set(identityOf(planned), before);
    before = snapshot.snapshotId;
  }
  return (planned) => last.get(identityOf(planned)) ?? newest;
}

function isRelevant({ source, timestamp, interval }: ChangedRows): (planned: PlannedFile) => boolean {
  const column = eventTimeColumn(currentSchema(source.metadata), timestamp.sourceFieldId);
  return ({ file }) => mayHoldEventTimes(file, column, interval);
}

function rewrittenBy({ added, removed }: SnapshotChange): readonly PlannedFile[] {
  return removed.length > 0 ? added : [];
}

/** By comparing the ends: each file with its deletes there. */
async function netChange({ source, timestamp, interval }: ChangedRows, stretch: Stretch): Promise<Change> {
  const { fromSnapshotId, toSnapshotId, changes } = stretch;
  const before = byIdentity(await filesAt(source, fromSnapshotId, timestamp, interval));
  const after = byIdentity(await filesAt(source, toSnapshotId, timestamp, interval));
  const rewritten = byIdentity(changes.flatMap(rewrittenBy));
  const added = [...after].filter(([identity]) => !before.has(identity));
  // Online tables may have rows that were pushed and deleted since.
  const pushes = changes.filter(({ snapshot }) => isPushedOnline(snapshot));
  const pushed = byIdentity(
    pushes.flatMap((change) => change.added).filter(isRelevant({ source, timestamp, interval })),
  );
  const redeleted = [...after].flatMap(([identity, planned]): RedeletedFile[] => {
    const earlier = before.get(identity);
    const isKnown = earlier !== undefined || pushed.has(identity);
    const changed = isKnown ? changedDeletes(earlier?.deletes, planned.deletes) : undefined;
    return changed === undefined ? [] : [{ planned, changed }];
  });
  const addedRewritten = added.flatMap(([identity, planned]) => (rewritten.has(identity) ? [planned] : []));
  const removed = [...new Map([...before, ...pushed])].flatMap(([identity, planned]) =>
    after.has(identity) ? [] : [planned],
  );
  return {
    step: { fromSnapshotId, toSnapshotId, removed, rewritten: addedRewritten, redeleted },
    added: [{ snapshotId: toSnapshotId, files: added.map(([, planned]) => planned), rewritten: addedRewritten }],
  };
}

/** A file that is added again may have other rows deleted: younger ones keep what older equality deletes take. */
function byIdentity(files: readonly PlannedFile[]): ReadonlyMap<string, PlannedFile> {
  return new Map(files.map((planned) => [identityOf(planned), planned]));
}

const identityOf = ({ sequenceNumber, file }: PlannedFile): string => `${sequenceNumber} ${file.filePath}`;
