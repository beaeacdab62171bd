/** Tags that keep the snapshots of a dataset from being expired. */
import { formatTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TableRequirement, TableUpdate } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import type { TableState } from './pin-source.js';

/** Times that a tag is tried while others change the table. */
const MAX_ATTEMPTS = 10;

/** The tag of a dataset in the tables that it was made from. */
export function datasetTag(dataset: string): string {
  return `moraine-dataset-${dataset}`;
}

/**
 * Sets a tag on the snapshot that was read of each table; tables that had none are passed over.
 * @param sources states by the tables' names
 * @throws SNAPSHOT_EXPIRED if one has gone meanwhile; UNSUPPORTED_FEATURE for a table that no catalog holds; COMMIT_CONFLICT
 */
export async function pinSnapshots(
  loadSource: (name: string) => Promise<Table>,
  sources: ReadonlyMap<string, TableState>,
  tag: string,
): Promise<void> {
  for (const [name, { snapshotId, tableUuid }] of sources) {
    if (snapshotId === null) continue;
    await changeRefs(loadSource, name, tableUuid, (table) => {
      if (table.metadata.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) {
        return [{ action: 'set-snapshot-ref', refName: tag, ref: { type: 'tag', snapshotId } }];
      }
      throw new MoraineError(
        'SNAPSHOT_EXPIRED',
        `Snapshot ${snapshotId} of ${name} was expired before it could be tagged.`,
      );
    });
  }
}

/** Removes the tag again, where it is. */
export async function unpinSnapshots(
  loadSource: (name: string) => Promise<Table>,
  sources: ReadonlyMap<string, TableState>,
  tag: string,
): Promise<void> {
  for (const [name, { tableUuid }] of sources) {
    await changeRefs(loadSource, name, tableUuid, (table) =>
      table.metadata.refs.has(tag) ? [{ action: 'remove-snapshot-ref', refName: tag }] : [],
    );
  }
}

async function changeRefs(
  loadSource: (name: string) => Promise<Table>,
  name: string,
  uuid: string,
  updatesFor: (table: Table) => readonly TableUpdate[],
): Promise<void> {
  const requirements: readonly TableRequirement[] = [{ type: 'assert-table-uuid', uuid }];
  for (let attempt = 1; ; attempt++) {
    const table = await loadSource(name);
    const updates = updatesFor(table);
    if (updates.length === 0) return;
    if (table.catalog === undefined) {
      const message = `The snapshots of ${formatTableName(table.identifier)} cannot be tagged: no catalog holds it.`;
      throw new MoraineError('UNSUPPORTED_FEATURE', message);
    }
    try {
      await table.catalog.commitTable(table.identifier, { requirements, updates });
      return;
    } catch (error) {
      // Setting a ref to what it is already changes nothing: it may be repeated whatever came of it.
      if (!isMoraineError(error, 'COMMIT_CONFLICT', 'COMMIT_STATE_UNKNOWN') || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}
