/** Branches and tags. Source: Apache Iceberg specification, "Snapshot References". */
import { didYouMean, MoraineError } from '../../errors/index.js';
import type { Schema } from '../schema/types.js';
import type { Snapshot, SnapshotRef, TableMetadata } from './metadata.js';
import { currentSchema, currentSnapshot, schemaOfSnapshot, snapshotAsOf, snapshotById } from './snapshot-log.js';

/** The branch that commits go to; it always points at the current snapshot. */
export const MAIN_BRANCH = 'main';

/** The state of a table to read: at most one of the three; none of them is the current state. */
export interface SnapshotSelection {
  readonly snapshotId?: bigint;
  readonly ref?: string;
  /** Milliseconds since the epoch. */
  readonly asOfMs?: bigint;
}

/**
 * The ref of a name.
 * @throws MoraineError `SNAPSHOT_NOT_FOUND` with the nearest names
 */
export function refByName(metadata: TableMetadata, name: string): SnapshotRef {
  const ref = metadata.refs.get(name);
  if (ref !== undefined) return ref;
  const hint = didYouMean(name, metadata.refs.keys());
  throw new MoraineError('SNAPSHOT_NOT_FOUND', `There is no branch or tag '${name}' in the table. ${hint}`);
}

/**
 * The snapshot that a branch or tag points at.
 * @throws MoraineError `SNAPSHOT_NOT_FOUND` for an unknown name, `SNAPSHOT_EXPIRED` when its snapshot is no longer there
 */
export function snapshotForRef(metadata: TableMetadata, name: string): Snapshot {
  return snapshotById(metadata, refByName(metadata, name).snapshotId);
}

/**
 * The snapshot to read and the schema to read it with. A snapshot id, a time and a tag read with that snapshot's schema;
 * a branch, and the table as it is now, with the table's current schema. The snapshot is null when the table has none yet.
 * @throws MoraineError `INVALID_ARGUMENT` for more than one selector, `SNAPSHOT_NOT_FOUND`, `SNAPSHOT_EXPIRED`
 */
export function resolveSnapshot(
  metadata: TableMetadata,
  selection: SnapshotSelection = {},
): { readonly snapshot: Snapshot | null; readonly schema: Schema } {
  const { snapshotId, ref, asOfMs } = selection;
  if ([snapshotId, ref, asOfMs].filter((selector) => selector !== undefined).length > 1) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      'A snapshot id, a branch or tag, and a time exclude one another: give one of them.',
    );
  }
  if (ref !== undefined && ref === MAIN_BRANCH && metadata.currentSnapshotId === null) {
    return { snapshot: null, schema: currentSchema(metadata) };
  }
  if (ref !== undefined) {
    const snapshot = snapshotForRef(metadata, ref);
    const isTag = refByName(metadata, ref).type === 'tag';
    return { snapshot, schema: isTag ? schemaOfSnapshot(metadata, snapshot) : currentSchema(metadata) };
  }
  if (snapshotId === undefined && asOfMs === undefined) {
    return { snapshot: currentSnapshot(metadata), schema: currentSchema(metadata) };
  }
  const snapshot =
    snapshotId === undefined ? snapshotAsOf(metadata, asOfMs as bigint) : snapshotById(metadata, snapshotId);
  return { snapshot, schema: schemaOfSnapshot(metadata, snapshot) };
}
