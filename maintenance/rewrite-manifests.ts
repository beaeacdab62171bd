/** Tidying a table's manifests: dangling deletes leave, and many small manifests become few. */
import { currentSnapshot, type ManifestEntry } from '../iceberg/index.js';
import {
  type CommitResult,
  commitRewrite,
  commitRewriteManifests,
  danglingTest,
  deleteFileKey,
  readManifestEntries,
  readSnapshotManifests,
  type Table,
} from '../tables/index.js';
import type { MaintenanceDeps } from './deps.js';

/** Result of tidying manifests. */
export interface TidiedManifests {
  /** Delete files and vectors that reached no live data file, and that the table no longer lists. */
  readonly droppedDeletes: number;
  readonly manifestsBefore: number;
  readonly manifestsAfter: number;
  /** The snapshot of the last commit; null: nothing was to be gained. */
  readonly snapshotId: bigint | null;
}

/**
 * Takes dangling deletes out of a table and rewrites its manifests where it gains. Tables of version 1 stay as they are.
 * @param name the table, `[CATALOG/]NS.TABLE`
 */
export async function tidyManifests(deps: Pick<MaintenanceDeps, 'loadTable'>, name: string): Promise<TidiedManifests> {
  const table = await deps.loadTable(name);
  const manifestsBefore = await manifestCount(table);
  const untouched = { droppedDeletes: 0, manifestsBefore, manifestsAfter: manifestsBefore, snapshotId: null };
  if (table.metadata.formatVersion === 1 || table.metadata.currentSnapshotId === null) return untouched;
  const dangling = await danglingDeletes(table);
  const dropped = dangling === 0 ? null : await dropDangling(table, table.metadata.currentSnapshotId);
  const repacked = await commitRewriteManifests(table, {});
  const last = repacked ?? dropped;
  if (last === null) return untouched;
  return {
    droppedDeletes: dangling,
    manifestsBefore,
    manifestsAfter: last.manifestCount ?? manifestsBefore,
    snapshotId: last.snapshotId,
  };
}

/** A rewrite of no data file: what it drops is found anew on the base that it lands on. */
function dropDangling(table: Table, plannedOn: bigint): Promise<CommitResult> {
  return commitRewrite(table, { plannedOn, removeFiles: [], dropDanglingDeletes: true });
}

/** How many delete files and vectors of the current snapshot reach no live data file. */
export async function danglingDeletes(table: Table): Promise<number> {
  const { io, metadata } = table;
  const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
  if (!manifests.some(({ content }) => content === 'deletes')) return 0;
  const data: ManifestEntry[] = [];
  const deletes: ManifestEntry[] = [];
  for (const manifest of manifests) {
    const of = manifest.content === 'data' ? data : deletes;
    for (const entry of await readManifestEntries(io, metadata, manifest)) {
      if (entry.status !== 'deleted') of.push(entry);
    }
  }
  const isDangling = danglingTest(data, metadata.partitionSpecs);
  return new Set(deletes.filter(isDangling).map(({ dataFile }) => deleteFileKey(dataFile))).size;
}

async function manifestCount({ io, metadata }: Table): Promise<number> {
  return (await readSnapshotManifests(io, currentSnapshot(metadata))).length;
}
