/**
 * A table as a plan keeps it. The metadata file that was current may be deleted by any later commit
 * (`write.metadata.delete-after-commit.enabled`), so a plan holds a copy of the metadata its steps need.
 */
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { Snapshot, TableMetadata } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { loadTableAt, type Table } from './table.js';

/** Progress, keys of runs and leases: what a step needs of them is in the plan itself. */
const OWN_PROPERTIES = 'moraine.';

/** The part of a plan that stands for one state of a table. */
export interface PinnedTable {
  /** The metadata file that was current. Only workers of version 0.1 open it. */
  readonly metadataLocation: string;
  /** The metadata with the planned snapshots only. Undefined in plans of version 0.1. */
  readonly metadata?: TableMetadata | undefined;
}

/**
 * The state of a table as a plan keeps it: schemas, specs, sort orders, properties and the named snapshots, without their
 * summaries, the table's history and the properties that Moraine keeps for itself.
 * @param snapshotIds snapshots that the steps read beside the current one; null stands for none
 */
export function pinTable(
  { metadata, metadataLocation }: Pick<Table, 'metadata' | 'metadataLocation'>,
  snapshotIds: Iterable<bigint | null> = [],
): Required<PinnedTable> {
  const kept = new Set<bigint | null>([...snapshotIds, metadata.currentSnapshotId]);
  return {
    metadataLocation,
    metadata: {
      ...metadata,
      properties: new Map([...metadata.properties].filter(([name]) => !name.startsWith(OWN_PROPERTIES))),
      snapshots: metadata.snapshots.filter(({ snapshotId }) => kept.has(snapshotId)).map(withoutSummary),
      refs: new Map([...metadata.refs].filter(([, ref]) => kept.has(ref.snapshotId))),
      snapshotLog: [],
      metadataLog: [],
      otherFields: new Map(),
    },
  };
}

/** A summary may hold the keys of many runs, which no step reads. */
function withoutSummary(snapshot: Snapshot): Snapshot {
  return { ...snapshot, summary: new Map([...snapshot.summary].filter(([key]) => key === 'operation')) };
}

/**
 * The table in the state that a plan keeps. It cannot be written.
 * @throws PLAN_STALE for a plan of version 0.1 whose metadata file is gone
 */
export async function openPinnedTable(
  io: FileIO,
  { metadata, metadataLocation }: PinnedTable,
  planLocation: string,
): Promise<Table> {
  if (metadata !== undefined) {
    return { identifier: { namespace: [], name: metadataLocation }, metadata, metadataLocation, io };
  }
  try {
    return await loadTableAt(io, metadataLocation);
  } catch (error) {
    if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
    const message = `The plan ${planLocation} was made by version 0.1 and needs the metadata file ${metadataLocation}, which is gone. Start the run again.`;
    throw new MoraineError('PLAN_STALE', message, { cause: error });
  }
}
