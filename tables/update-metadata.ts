/** Commits that make no snapshot: expiry, refs, properties, leases, an upgrade of the format. */
import { type Catalog, formatTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TableMetadata, TableUpdate } from '../iceberg/index.js';
import { reload, requireCatalog } from './commit.js';
import { Attempts, clockOf, commitRetry, lookRepeatedly, persistently, statusCheck } from './conflicts.js';
import type { Table } from './table.js';

/**
 * Commits updates that are computed anew on every base, and only on the very base that they were computed on.
 * @param updates null: nothing to do. It has to say so where an earlier attempt of its work has landed: an unknown outcome is
 *   found out by asking it again on the newer base
 * @returns the table with the updates
 * @throws MoraineError `COMMIT_CONFLICT` once the retries are used up, `COMMIT_STATE_UNKNOWN`, `TABLE_REPLACED`, and what
 *   `updates` throws
 */
export async function commitUpdates(
  table: Table,
  updates: (base: TableMetadata) => readonly TableUpdate[] | null,
): Promise<Table> {
  const catalog = requireCatalog(table);
  let base = await reload(table, catalog);
  // Cheap, and in the way of nobody: a lease that is not taken would end the work that it is for.
  const attempts = new Attempts(persistently(commitRetry(base.metadata)), clockOf(catalog));
  for (;;) {
    const wanted = updates(base.metadata);
    if (wanted === null) return base;
    try {
      return { ...base, ...(await attempt(base, catalog, wanted)) };
    } catch (error) {
      if (isMoraineError(error, 'COMMIT_CONFLICT')) await attempts.next(error);
      else if (isUnknown(error)) await waitForChange(base, catalog, error);
      else throw error;
    }
    base = await reload(table, catalog);
  }
}

function attempt(base: Table, catalog: Catalog, updates: readonly TableUpdate[]) {
  const requirements = [{ type: 'assert-table-uuid' as const, uuid: base.metadata.tableUuid }];
  return catalog.commitTable(base.identifier, { requirements, updates, basedOn: base.metadataLocation });
}

function isUnknown(error: unknown): boolean {
  return !isMoraineError(error) || error.code === 'COMMIT_STATE_UNKNOWN';
}

/**
 * After an unknown outcome: waits until the table is another than the one that the commit was for. Then the commit has landed, or
 * never will. While the table stays as it was, the commit may still land.
 */
async function waitForChange(base: Table, catalog: Catalog, error: unknown): Promise<void> {
  const isChanged = await lookRepeatedly(statusCheck(base.metadata), catalog, async () => {
    const current = await reload(base, catalog).catch(() => base);
    return current.metadataLocation === base.metadataLocation ? undefined : true;
  });
  if (isChanged === true) return;
  const reason = error instanceof Error ? error.message : String(error);
  const message = `It is unknown whether the update of table ${formatTableName(base.identifier)} was committed: ${reason}`;
  throw new MoraineError('COMMIT_STATE_UNKNOWN', message, { cause: error });
}
