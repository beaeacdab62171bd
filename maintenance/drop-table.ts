/** Dropping a table, and deleting its files with it. */
import { MoraineError } from '../errors/index.js';
import { requireCatalog, type Table } from '../tables/index.js';
import type { MaintenanceDeps } from './deps.js';
import { requireGarbageCollection } from './expiry/expiry-plan.js';
import { CanonicalPaths } from './sweep/canonical-paths.js';
import { deleteFiles } from './sweep/delete-files.js';
import { keepFilesOfOthers } from './sweep/other-tables.js';
import { requireOwnFolders } from './sweep/own-folders.js';
import { filesOfMetadata, filesOfSnapshots } from './sweep/table-files.js';
import { tableName } from './table-name.js';

/** What became of the files of a table that was dropped. */
export interface DroppedFiles {
  /** Files that were deleted here; null: the server of the catalog deletes them. */
  readonly deleted: number | null;
  /** Files that stay: those outside the table's own folders, and those that another table or a saved dataset has. */
  readonly kept: number;
}

/**
 * Drops a table and deletes the files that its metadata names, as far as they lie in folders of its own and nothing else has them. The name goes first: a reader sees
 * the whole table or none. A process that dies afterwards leaves files that nothing reaches.
 * @throws MoraineError before anything is changed: `FOLDER_SHARED`, `INVALID_ARGUMENT` (`gc.enabled` is false), `UNSUPPORTED_FEATURE` where
 *   something else deletes the files of the catalog's tables, what reading the manifests of this table and of others throws; `COMMIT_STATE_UNKNOWN`: no file was
 *   deleted, and the name may be gone
 */
export async function purgeTable(
  deps: Pick<MaintenanceDeps, 'tables' | 'datasets' | 'isConfigured' | 'guardedPlaces'>,
  table: Table,
): Promise<DroppedFiles> {
  const catalog = requireCatalog(table);
  requireGarbageCollection(table.metadata);
  if (catalog.purgeTable === undefined && catalog.fileOwner !== undefined) {
    const message = `Table ${tableName(table)} cannot be purged: its files are left to ${catalog.fileOwner}. Drop it without purging.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }
  const own = await requireOwnFolders(deps, table);
  if (catalog.purgeTable !== undefined) {
    await catalog.purgeTable(table.identifier);
    return { deleted: null, kept: 0 };
  }
  const paths = new CanonicalPaths(table.io);
  const files = new Set<string>();
  let kept = 0;
  for await (const { location } of filesInOrder(table)) {
    const path = await paths.of(location).catch(() => null);
    if (path !== null && own.hold(path)) files.add(path);
    else kept += 1;
  }
  // Engines add files to a table where they lie, which may be in the folder of this one.
  await keepFilesOfOthers(table, deps, paths, (path) => {
    if (files.delete(path)) kept += 1;
  });
  await catalog.dropTable(table.identifier);
  return { deleted: await deleteFiles(table.io, files), kept };
}

/** Metadata files come last: a table of which they are left can be registered again, and purged again. */
async function* filesInOrder(table: Table) {
  yield* filesOfSnapshots(table, table.metadata.snapshots);
  yield* filesOfMetadata(table);
}
