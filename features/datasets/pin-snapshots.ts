/** Tags that keep the snapshots of a dataset from being expired. */
import { formatTableName } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import type { TableMetadata, TableUpdate } from '../../iceberg/index.js';
import { commitUpdates, type Table } from '../../tables/index.js';
import type { TableState } from '../views/pin-source.js';

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
    await changeRefs(loadSource, name, tableUuid, ({ refs, snapshots }) => {
      if (refs.get(tag)?.type === 'tag' && refs.get(tag)?.snapshotId === snapshotId) return null;
      if (snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) {
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
    await changeRefs(loadSource, name, tableUuid, ({ refs }) =>
      refs.has(tag) ? [{ action: 'remove-snapshot-ref', refName: tag }] : null,
    );
  }
}

async function changeRefs(
  loadSource: (name: string) => Promise<Table>,
  name: string,
  uuid: string,
  updatesFor: (base: TableMetadata) => readonly TableUpdate[] | null,
): Promise<void> {
  const table = await loadSource(name);
  if (table.metadata.tableUuid !== uuid) {
    const message = `The table ${name} was dropped and created again since its snapshot was chosen.`;
    throw new MoraineError('TABLE_REPLACED', message);
  }
  if (updatesFor(table.metadata) === null) return;
  if (table.catalog === undefined) {
    const message = `The snapshots of ${formatTableName(table.identifier)} cannot be tagged: no catalog holds it.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }
  await commitUpdates(table, updatesFor);
}
