/** Commits that make no snapshot: expiry, refs, properties, leases, an upgrade of the format. */
import { type Catalog, formatTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TableMetadata, TableRequirement, TableUpdate } from '../iceberg/index.js';
import { reload, requireCatalog } from './commit.js';
import { Attempts, clockOf, commitRetry, persistently } from './conflicts.js';
import { markTags, requireUnmoved } from './moved-table.js';
import type { Table } from './table.js';

/** Commits that land for one call at most. A few are needed: two behind a fence, and as many again each time that others take it down. */
const MAX_LANDED = 50;

/**
 * Commits updates until a state of the table needs none.
 *
 * A catalog may apply the updates to a newer state than they were computed on, late, or twice: it checks the requirements of the REST
 * specification and nothing else. So they must do no harm there. A ref that they set, remove or may leave without its snapshot has to be
 * as it was; a property is only replaced or removed as a whole, never computed from what it was.
 *
 * @param updates computed anew on every state; null: nothing is left to do. An unknown outcome is found out by asking it again
 * @returns the table as it was when nothing was left to do
 * @throws MoraineError `COMMIT_CONFLICT` once the retries are used up, `COMMIT_STATE_UNKNOWN`, `TABLE_REPLACED`, `TABLE_MOVED`,
 *   `UNSUPPORTED_FEATURE` for a catalog that takes the updates and does not do them, and what `updates` throws
 */
export function commitUpdates(
  table: Table,
  updates: (base: TableMetadata) => readonly TableUpdate[] | null,
): Promise<Table> {
  return commitUntilNone(table, (base) => {
    requireUnmoved(base);
    return updates(base.metadata);
  });
}

/** The same for whatever has to do with the mark of a move itself. */
export async function commitUntilNone(
  table: Table,
  updates: (base: Table) => readonly TableUpdate[] | null,
): Promise<Table> {
  const catalog = requireCatalog(table);
  let base = await reload(table, catalog);
  // Cheap, and in the way of nobody: a lease that is not taken would end the work that it is for.
  const attempts = new Attempts(persistently(commitRetry(base.metadata), 5), clockOf(catalog));
  let unknown: MoraineError | undefined;
  for (let landed = 0; ; ) {
    const wanted = updates(base);
    if (wanted === null) return base;
    if (landed === MAX_LANDED) throw withoutEffect(base, wanted);
    try {
      base = { ...base, ...(await attempt(base, catalog, wanted)) };
      landed += 1;
    } catch (error) {
      if (isUnknown(error)) unknown = unknownUpdate(base, error);
      else if (!isMoraineError(error, 'COMMIT_CONFLICT', 'SNAPSHOT_NOT_FOUND')) throw error;
      // An attempt of which nobody knows may land as long as anything is tried.
      await attempts.next(unknown ?? (error as MoraineError));
      base = await reload(table, catalog).catch((failure: unknown) => {
        throw unknown ?? failure;
      });
    }
  }
}

function attempt(base: Table, catalog: Catalog, updates: readonly TableUpdate[]) {
  const requirements = requirementsOf(base, updates);
  return catalog.commitTable(base.identifier, { requirements, updates });
}

/** Source: Iceberg REST catalog specification, `TableRequirement`. */
function requirementsOf(base: Table, updates: readonly TableUpdate[]): readonly TableRequirement[] {
  const { tableUuid, refs } = base.metadata;
  const asserted = new Set<string>(markTags(base));
  for (const update of updates) {
    if (update.action === 'set-snapshot-ref' || update.action === 'remove-snapshot-ref') asserted.add(update.refName);
    // A ref that has moved to one of the snapshots would go with it.
    if (update.action === 'remove-snapshots') for (const name of refs.keys()) asserted.add(name);
  }
  return [
    { type: 'assert-table-uuid', uuid: tableUuid },
    ...[...asserted].map((ref) => ({
      type: 'assert-ref-snapshot-id' as const,
      ref,
      snapshotId: refs.get(ref)?.snapshotId ?? null,
    })),
  ];
}

/** Some servers take updates that they do not know, or undo what they do not want. */
function withoutEffect({ identifier, catalog }: Table, updates: readonly TableUpdate[]): MoraineError {
  const actions = [...new Set(updates.map(({ action }) => action))];
  const message = `Table ${formatTableName(identifier, catalog?.name)}: the catalog took ${MAX_LANDED} commits one after the other (${actions.join(', ')}), and the table still needs the same. The server does not do such updates, or another program undoes them.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { actions } });
}

function isUnknown(error: unknown): boolean {
  return !isMoraineError(error) || error.code === 'COMMIT_STATE_UNKNOWN';
}

function unknownUpdate({ identifier }: Table, error: unknown): MoraineError {
  const reason = error instanceof Error ? error.message : String(error);
  const message = `It is unknown whether the update of table ${formatTableName(identifier)} was committed: ${reason}`;
  return new MoraineError('COMMIT_STATE_UNKNOWN', message, { cause: error });
}
