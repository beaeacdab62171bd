/** Finding snapshots: by id, by time, by ancestry. Source: Apache Iceberg specification, "Snapshots" and "Point in Time Reads". */
import { MoraineError } from '../../errors/index.js';
import type { PartitionSpec } from '../partitions/partition-spec.js';
import type { Schema } from '../schema/types.js';
import type { Snapshot, TableMetadata } from './metadata.js';

const snapshotIndexes = new WeakMap<readonly Snapshot[], ReadonlyMap<bigint, Snapshot>>();

/** The snapshot of an id, or undefined. */
export function findSnapshot(metadata: TableMetadata, snapshotId: bigint): Snapshot | undefined {
  let index = snapshotIndexes.get(metadata.snapshots);
  if (index === undefined) {
    index = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
    snapshotIndexes.set(metadata.snapshots, index);
  }
  return index.get(snapshotId);
}

/** The table's current snapshot; null while it has none. */
export function currentSnapshot(metadata: TableMetadata): Snapshot | null {
  return metadata.currentSnapshotId === null ? null : snapshotById(metadata, metadata.currentSnapshotId);
}

/**
 * The snapshot of an id.
 * @throws MoraineError `SNAPSHOT_EXPIRED` when the table's history still names it, `SNAPSHOT_NOT_FOUND` otherwise
 */
export function snapshotById(metadata: TableMetadata, snapshotId: bigint): Snapshot {
  const snapshot = findSnapshot(metadata, snapshotId);
  if (snapshot !== undefined) return snapshot;
  const known =
    metadata.snapshotLog.some((entry) => entry.snapshotId === snapshotId) ||
    metadata.snapshots.some((other) => other.parentSnapshotId === snapshotId) ||
    [...metadata.refs.values()].some((ref) => ref.snapshotId === snapshotId);
  if (known) throw new MoraineError('SNAPSHOT_EXPIRED', `Snapshot ${snapshotId} has been expired from the table.`);
  throw new MoraineError('SNAPSHOT_NOT_FOUND', `There is no snapshot ${snapshotId} in the table.`);
}

/**
 * The snapshot that was current at a time: that of the last log entry at or before it. A snapshot that was rolled back
 * later counts for the time it was current.
 * @param timestampMs milliseconds since the epoch
 * @throws MoraineError `SNAPSHOT_NOT_FOUND` before the first entry, `SNAPSHOT_EXPIRED` when the snapshot is no longer there
 */
export function snapshotAsOf(metadata: TableMetadata, timestampMs: bigint): Snapshot {
  const entry = metadata.snapshotLog.findLast((candidate) => candidate.timestampMs <= timestampMs);
  if (entry === undefined) {
    const first = metadata.snapshotLog[0];
    const history = first === undefined ? 'it has no history' : `its history begins at ${isoTime(first.timestampMs)}`;
    throw new MoraineError('SNAPSHOT_NOT_FOUND', `The table had no snapshot at ${isoTime(timestampMs)}: ${history}.`);
  }
  return snapshotById(metadata, entry.snapshotId);
}

/** The schema to read a snapshot with: its own; the table's current one when the snapshot names none or one that is gone. */
export function schemaOfSnapshot(metadata: TableMetadata, snapshot: Snapshot): Schema {
  return metadata.schemas.find((schema) => schema.schemaId === snapshot.schemaId) ?? currentSchema(metadata);
}

/** The partition spec of new files. @throws MoraineError `METADATA_CORRUPT` */
export function defaultSpec({ partitionSpecs, defaultSpecId }: TableMetadata): PartitionSpec {
  const spec = partitionSpecs.find(({ specId }) => specId === defaultSpecId);
  if (spec !== undefined) return spec;
  throw new MoraineError('METADATA_CORRUPT', `The table has no partition spec ${defaultSpecId}, which is its default.`);
}

/** The table's current schema. */
export function currentSchema(metadata: TableMetadata): Schema {
  const schema = metadata.schemas.find((candidate) => candidate.schemaId === metadata.currentSchemaId);
  if (schema === undefined) {
    throw new MoraineError(
      'METADATA_CORRUPT',
      `The current schema, ${metadata.currentSchemaId}, is not in the metadata.`,
    );
  }
  return schema;
}

/** A snapshot and its ancestors, newest first, as far back as they have not expired. */
export function* ancestors(metadata: TableMetadata, fromId: bigint): Generator<Snapshot> {
  const seen = new Set<bigint>();
  let id: bigint | undefined = fromId;
  while (id !== undefined && !seen.has(id)) {
    seen.add(id);
    const snapshot = findSnapshot(metadata, id);
    if (snapshot === undefined) return;
    yield snapshot;
    id = snapshot.parentSnapshotId;
  }
}

/** Whether one snapshot is the other or an ancestor of it. The oldest ancestor may itself have expired and still count. */
export function isAncestor(metadata: TableMetadata, ancestorId: bigint, ofId: bigint): boolean {
  if (ancestorId === ofId) return true;
  for (const snapshot of ancestors(metadata, ofId)) {
    if (snapshot.parentSnapshotId === ancestorId) return true;
  }
  return false;
}

function isoTime(timestampMs: bigint): string {
  const date = new Date(Number(timestampMs));
  return Number.isNaN(date.getTime()) ? `${timestampMs} ms` : date.toISOString();
}
