/** The updates of snapshots, branches and tags. Source: Iceberg REST catalog specification; specification, "Snapshots". */
import { MoraineError } from '../../errors/index.js';
import type { Snapshot, SnapshotRef, TableMetadata } from '../metadata/metadata.js';
import type { MetadataDraft } from '../metadata/metadata-build.js';
import { MAIN_BRANCH } from '../metadata/refs.js';
import { findSnapshot } from '../metadata/snapshot-log.js';

/** Writers' clocks may differ by this much before a time counts as wrong. */
const CLOCK_TOLERANCE_MS = 60_000n;

/** Adds a snapshot; no branch points at it yet. */
export function addSnapshot(draft: MetadataDraft, snapshot: Snapshot): void {
  const { metadata } = draft;
  const { snapshotId, sequenceNumber, timestampMs } = snapshot;
  if (findSnapshot(metadata, snapshotId) !== undefined) invalid(`Snapshot ${snapshotId} is in the table already.`);
  if (metadata.formatVersion > 1 && sequenceNumber <= metadata.lastSequenceNumber) {
    conflict(
      `Snapshot ${snapshotId} has sequence number ${sequenceNumber}, the table is at ${metadata.lastSequenceNumber} already.`,
    );
  }
  const latestMs = metadata.snapshotLog.at(-1)?.timestampMs ?? timestampMs;
  if (timestampMs + CLOCK_TOLERANCE_MS < latestMs) {
    invalid(
      `Snapshot ${snapshotId} is of ${timestampMs} ms, more than a minute before the last one, ${latestMs} ms: set this machine's clock.`,
    );
  }
  draft.addedSnapshotIds.add(snapshotId);
  draft.updatedMs = timestampMs;
  draft.metadata = {
    ...metadata,
    ...(metadata.formatVersion === 3 && { nextRowId: nextRowId(metadata, snapshot) }),
    snapshots: [...metadata.snapshots, snapshot],
    lastSequenceNumber: metadata.formatVersion === 1 ? 0n : sequenceNumber,
  };
}

function nextRowId(metadata: TableMetadata, { snapshotId, firstRowId, addedRows }: Snapshot): bigint {
  const next = metadata.nextRowId ?? 0n;
  // The table was upgraded, or another branch has got rows, since the snapshot was prepared.
  if (firstRowId === undefined || addedRows === undefined) {
    return conflict(`Snapshot ${snapshotId} needs first-row-id and added-rows in a table of version 3.`);
  }
  if (firstRowId < next)
    conflict(`Snapshot ${snapshotId} has first-row-id ${firstRowId}, the table is at ${next} already.`);
  return firstRowId + addedRows;
}

/** Points a branch or tag at a snapshot; the main branch makes it the current one and writes the snapshot log. */
export function setRef(draft: MetadataDraft, name: string, ref: SnapshotRef): void {
  const { metadata } = draft;
  if (name === '') invalid('A branch or tag needs a name.');
  if (name === MAIN_BRANCH && ref.type !== 'branch') invalid('main is a branch and cannot be a tag.');
  if (ref.type === 'tag' && (ref.minSnapshotsToKeep !== undefined || ref.maxSnapshotAgeMs !== undefined)) {
    invalid(`Tag '${name}': tags keep one snapshot; min-snapshots-to-keep and max-snapshot-age-ms are for branches.`);
  }
  const snapshot = findSnapshot(metadata, ref.snapshotId);
  if (snapshot === undefined) {
    throw new MoraineError(
      'SNAPSHOT_NOT_FOUND',
      `'${name}' cannot point at snapshot ${ref.snapshotId}: it is not in the table.`,
    );
  }
  const old = metadata.refs.get(name);
  if (old !== undefined && sameRef(old, ref)) return;
  const isMain = name === MAIN_BRANCH;
  draft.metadata = { ...metadata, refs: new Map([...metadata.refs, [name, ref]]) };
  if (!isMain || metadata.currentSnapshotId === ref.snapshotId) return;
  const timestampMs = draft.addedSnapshotIds.has(ref.snapshotId) ? snapshot.timestampMs : draft.nowMs;
  draft.updatedMs = timestampMs;
  draft.mainSnapshotIds.add(ref.snapshotId);
  draft.metadata = {
    ...draft.metadata,
    currentSnapshotId: ref.snapshotId,
    snapshotLog: [...metadata.snapshotLog, { snapshotId: ref.snapshotId, timestampMs }],
  };
}

function sameRef(left: SnapshotRef, right: SnapshotRef): boolean {
  return (
    left.snapshotId === right.snapshotId &&
    left.type === right.type &&
    left.minSnapshotsToKeep === right.minSnapshotsToKeep &&
    left.maxSnapshotAgeMs === right.maxSnapshotAgeMs &&
    left.maxRefAgeMs === right.maxRefAgeMs
  );
}

/** Forgets a branch or tag; without its main branch a table has no current snapshot and no snapshot log. */
export function removeRef(draft: MetadataDraft, name: string): void {
  const { metadata } = draft;
  if (!metadata.refs.has(name)) return;
  const refs = new Map([...metadata.refs].filter(([other]) => other !== name));
  draft.metadata =
    name === MAIN_BRANCH ? { ...metadata, refs, currentSnapshotId: null, snapshotLog: [] } : { ...metadata, refs };
}

/** Members of the metadata that list files of statistics, each of one snapshot. */
const STATISTICS = ['statistics', 'partition-statistics'];

/** Removes snapshots, the branches and tags that point at them, and their statistics. Ids that are not there are no error. */
export function removeSnapshots(draft: MetadataDraft, snapshotIds: readonly bigint[]): void {
  const removed = new Set(snapshotIds);
  const { metadata } = draft;
  const snapshots = metadata.snapshots.filter((snapshot) => !removed.has(snapshot.snapshotId));
  if (snapshots.length === metadata.snapshots.length) return;
  draft.metadata = { ...metadata, snapshots, otherFields: withoutStatistics(metadata.otherFields, removed) };
  draft.removedSnapshots = true;
  for (const [name, ref] of metadata.refs) if (removed.has(ref.snapshotId)) removeRef(draft, name);
}

function withoutStatistics(
  fields: TableMetadata['otherFields'],
  removed: ReadonlySet<bigint>,
): TableMetadata['otherFields'] {
  const listed = STATISTICS.filter((name) => fields.has(name));
  if (listed.length === 0) return fields;
  const isKept = (entry: unknown): boolean => {
    const id = (entry as { readonly 'snapshot-id'?: unknown } | null)?.['snapshot-id'];
    return !(typeof id === 'number' || typeof id === 'bigint') || !removed.has(BigInt(id));
  };
  const kept = listed.map((name): readonly [string, unknown] => {
    const list = fields.get(name);
    return [name, Array.isArray(list) ? list.filter(isKept) : list];
  });
  return new Map([...fields, ...kept]);
}

/**
 * Leaves out of the snapshot log what was current only in the course of this commit, and the history up to an expired
 * snapshot: with a gap, a time inside the gap would be answered with the wrong snapshot.
 */
export function finishSnapshotLog(draft: MetadataDraft): void {
  const { metadata } = draft;
  const { currentSnapshotId } = metadata;
  const intermediate = new Set(
    [...draft.mainSnapshotIds].filter((id) => id !== currentSnapshotId && draft.addedSnapshotIds.has(id)),
  );
  if (intermediate.size === 0 && !draft.removedSnapshots) return;
  const log = metadata.snapshotLog.filter((entry) => !intermediate.has(entry.snapshotId));
  const lastGap = draft.removedSnapshots
    ? log.findLastIndex((entry) => findSnapshot(metadata, entry.snapshotId) === undefined)
    : -1;
  draft.metadata = { ...metadata, snapshotLog: log.slice(lastGap + 1) };
}

function invalid(message: string): never {
  throw new MoraineError('INVALID_ARGUMENT', message);
}

function conflict(message: string): never {
  throw new MoraineError('COMMIT_CONFLICT', message);
}
