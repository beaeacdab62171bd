/** Who needs snapshots of a table besides its branches and tags: views that read on, runs in flight, pinned datasets. */

import { objectKey, type SavedDataset } from '../../features/index.js';
import { effectiveProgress } from '../../materialization/index.js';
import type { Table } from '../../tables/index.js';
import { activeLeases } from '../../tables/index.js';
import type { MaintenanceDeps } from '../deps.js';
import { tableName } from '../table-name.js';
import type { SnapshotRoot } from './expiry-plan.js';

/**
 * The roots of a table.
 * @throws MoraineError what reading the registry, an online table or the datasets throws: who cannot be asked might need every snapshot
 */
export async function snapshotRoots(
  deps: Pick<MaintenanceDeps, 'registry' | 'onlineTable' | 'datasets' | 'loadTable'>,
  table: Table,
  nowMs: bigint,
): Promise<readonly SnapshotRoot[]> {
  return [...leaseRoots(table, nowMs), ...(await consumerRoots(deps, table)), ...(await datasetRoots(deps, table))];
}

/** The leases of the table itself. Pure: to be asked again on every base of a commit. */
export function leaseRoots({ metadata }: Pick<Table, 'metadata'>, nowMs: bigint): readonly SnapshotRoot[] {
  return activeLeases(metadata, nowMs).map(({ id, kind, snapshotIds }) => ({
    reason: `${kind} ${id} is reading it`,
    snapshotIds,
  }));
}

/** Registered views whose online tables read on from a snapshot of this table. */
async function consumerRoots(
  deps: Pick<MaintenanceDeps, 'registry' | 'onlineTable'>,
  { metadata }: Table,
): Promise<readonly SnapshotRoot[]> {
  const { definitions, formerNames } = await deps.registry();
  const roots: SnapshotRoot[] = [];
  for (const view of definitions.featureViews.keys()) {
    // A table that has not followed to the view's new name yet still counts.
    for (const name of [view, ...(formerNames.get(objectKey('featureView', view)) ?? [])]) {
      const online = await deps.onlineTable(name);
      const progress = online === null ? null : effectiveProgress(online.metadata).progress;
      if (progress?.sourceTableUuid !== metadata.tableUuid || progress.incremental === null) continue;
      const { sourceSnapshotId } = progress.incremental;
      roots.push({
        reason: `view ${view} reads on from snapshot ${sourceSnapshotId}`,
        snapshotIds: [sourceSnapshotId],
        sinceSnapshotId: sourceSnapshotId,
      });
    }
  }
  return roots;
}

/** Datasets that pinned snapshots of this table, and those whose own rows it holds. */
async function datasetRoots(
  deps: Pick<MaintenanceDeps, 'datasets' | 'loadTable'>,
  table: Table,
): Promise<readonly SnapshotRoot[]> {
  const roots: SnapshotRoot[] = [];
  for (const { record } of await deps.datasets()) {
    const reason = `dataset ${record.name}`;
    const pinned = record.tag === null ? [] : [...record.sources.values(), ...record.entitySources.values()];
    const snapshotIds = pinned
      .filter(({ tableUuid }) => tableUuid === table.metadata.tableUuid)
      .flatMap(({ snapshotId }) => snapshotId ?? []);
    const own = ownSnapshot(record, table);
    roots.push({ reason, snapshotIds: own === null ? snapshotIds : [...snapshotIds, own] });
  }
  return roots;
}

/** The snapshot that holds a dataset's rows; ids are random, so that it is of this table if the table has it. */
function ownSnapshot({ location }: SavedDataset['record'], table: Table): bigint | null {
  if ('file' in location) return null;
  const names = [tableName(table), [...table.identifier.namespace, table.identifier.name].join('.')];
  const isKnown = table.metadata.snapshots.some(({ snapshotId }) => snapshotId === location.snapshotId);
  return names.includes(location.table) || isKnown ? location.snapshotId : null;
}
