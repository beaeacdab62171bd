/** Tags that keep the snapshots of a dataset from being expired. */
import { formatTableName } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import type { TableMetadata, TableUpdate } from '../../iceberg/index.js';
import { commitProtection, commitUpdates, type Table } from '../../tables/index.js';
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
    const table = await loadPinned(loadSource, name, tableUuid);
    const updates = ({ refs, snapshots }: TableMetadata): readonly TableUpdate[] | null => {
      if (refs.get(tag)?.type === 'tag' && refs.get(tag)?.snapshotId === snapshotId) return null;
      if (snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) {
        return [{ action: 'set-snapshot-ref', refName: tag, ref: { type: 'tag', snapshotId } }];
      }
      throw new MoraineError(
        'SNAPSHOT_EXPIRED',
        `Snapshot ${snapshotId} of ${name} was expired before it could be tagged.`,
      );
    };
    // Snapshots are kept by references of the catalog there: it is enough that they are still known.
    if (table.catalog?.hasTableRefs === false) updates(table.metadata);
    else if (table.catalog !== undefined) await commitProtection(table, updates);
    else if (updates(table.metadata) !== null) throw withoutCatalog(table);
  }
}

/** Removes the tag again, where it is. */
export async function unpinSnapshots(
  loadSource: (name: string) => Promise<Table>,
  sources: ReadonlyMap<string, TableState>,
  tag: string,
): Promise<void> {
  for (const [name, { tableUuid }] of sources) {
    const table = await loadPinned(loadSource, name, tableUuid);
    if (!table.metadata.refs.has(tag)) continue;
    if (table.catalog === undefined) throw withoutCatalog(table);
    await commitUpdates(table, ({ refs }) =>
      refs.has(tag) ? [{ action: 'remove-snapshot-ref', refName: tag }] : null,
    );
  }
}

async function loadPinned(loadSource: (name: string) => Promise<Table>, name: string, uuid: string): Promise<Table> {
  const table = await loadSource(name);
  if (table.metadata.tableUuid === uuid) return table;
  const message = `The table ${name} was dropped and created again since its snapshot was chosen.`;
  throw new MoraineError('TABLE_REPLACED', message);
}

function withoutCatalog({ identifier }: Table): MoraineError {
  const message = `The snapshots of ${formatTableName(identifier)} cannot be tagged: no catalog holds it.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message);
}
